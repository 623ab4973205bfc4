"""What a plan really brings, estimated from what happened to the people of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import CONVERSION, COST, OUTCOMES, SPEND, FloatArray, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.doubly_robust.increments import Increments
from incentive_engine.uplift.doubly_robust.valuation import Valuation
from incentive_engine.uplift.estimates import Estimates, OutOfFold


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanValue:
    """Per-user increments of a plan against nobody getting an offer.

    Attributes
    ----------
    rows
        Rows of the trial that the means are over.
    treated
        How many of them the plan gives an offer.
    doubly_robust
        Measure to estimate; the one to quote.
    ipw
        The same by inverse propensities alone: unbiased without any model, but wider.
    """

    rows: int
    treated: int
    doubly_robust: Mapping[str, Estimate]
    ipw: Mapping[str, Estimate]

    @property
    def conversion(self) -> Estimate:
        """Incremental conversions per user, doubly robust."""
        return self.doubly_robust[CONVERSION]

    @property
    def spend(self) -> Estimate:
        """Incremental spend per user, doubly robust."""
        return self.doubly_robust[SPEND]

    @property
    def cost(self) -> Estimate:
        """Incremental subsidy per user, doubly robust."""
        return self.doubly_robust[COST]

    def to_dict(self) -> dict[str, Any]:
        """Return the content for a JSON file."""
        return {
            "rows": self.rows,
            "treated": self.treated,
            "doubly_robust": {name: e.to_dict() for name, e in self.doubly_robust.items()},
            "ipw": {name: e.to_dict() for name, e in self.ipw.items()},
        }


def plan_value(
    trial: Trial,
    estimates: Estimates | None,
    choice: npt.ArrayLike,
    *,
    weight: FloatArray | None = None,
) -> PlanValue:
    """Estimate what a plan for the trial's rows brings.

    Parameters
    ----------
    trial
        Who got which arm, and what happened.
    estimates
        By models that never saw the rows; None for a trial that no model has seen,
        where each arm's own mean stands in.
    choice
        (n,) int; the offer that the plan gives each row, -1 for none. The plan must not have been
        made from the row's own outcome.
    weight
        (n,) how much each user's outcome counts; left out, 1.

    Notes
    -----
    The doubly robust increments are those of `Increments.per_row`, their interval that of
    `Increments.mean`.

    References
    ----------
    Dudík, Langford, Li: Doubly robust policy evaluation and learning, arXiv:1103.4601, eq. 2.

    Raises
    ------
    DataError
        When `choice` has not one offer position or -1 per row.
    """
    offer = _checked(choice, trial)
    counts = np.ones(trial.n_rows) if weight is None else weight
    robust: dict[str, Estimate] = {}
    plain: dict[str, Estimate] = {}
    for measure in OUTCOMES:
        means = expected_by_arm(trial, measure, estimates)
        for found, by_arm in ((robust, means), (plain, np.zeros_like(means))):
            brought = increments(trial, measure, by_arm)
            found[measure] = brought.mean(counts[:, None] * brought.part(offer))
    treated = int(np.count_nonzero(offer >= 0))
    return PlanValue(rows=trial.n_rows, treated=treated, doubly_robust=robust, ipw=plain)


def compare_plans(
    trial: Trial,
    estimates: Estimates | None,
    plans: Mapping[str, npt.ArrayLike],
    *,
    against: npt.ArrayLike,
) -> dict[str, dict[str, Estimate]]:
    """Return, per plan and measure, the mean per user by which it exceeds another plan.

    Differences are taken row by row, so that what both plans have in common cancels. Arguments
    and errors are those of `plan_value`; a plan is (n,) int, the offer's position or -1.
    """
    other = _checked(against, trial)
    differences: dict[str, dict[str, Estimate]] = {name: {} for name in plans}
    for measure in OUTCOMES:
        brought = increments(trial, measure, expected_by_arm(trial, measure, estimates))
        base = brought.part(other)
        for name, choice in plans.items():
            differences[name][measure] = brought.mean(brought.part(_checked(choice, trial)) - base)
    return differences


def valued(trial: Trial, out_of_fold: OutOfFold) -> Valuation:
    """Return what each offer brought a trial's rows, by models that never saw them."""
    means = {name: expected_by_arm(trial, name, out_of_fold.estimates) for name in OUTCOMES}
    return Valuation(
        offers=trial.offers,
        by_measure={name: increments(trial, name, means[name]) for name in OUTCOMES},
        fold=out_of_fold.fold,
    )


def increments(trial: Trial, measure: str, by_arm: FloatArray) -> Increments:
    """Return the increments of one measure from its (n, 1 + k) expectations under each arm."""
    return Increments.of(
        arm=trial.arm,
        propensity=trial.propensity,
        outcome=getattr(trial, measure),
        by_arm=by_arm,
    )


def _checked(choice: npt.ArrayLike, trial: Trial) -> IntArray:
    offer = np.asarray(choice)
    expected = say(
        "one offer position (0 to {count}) or -1 for each trial row", count=len(trial.offers) - 1
    )
    if offer.shape != (trial.n_rows,) or offer.dtype.kind not in "iu":
        raise DataError(Fault("choice", say("has shape {shape}", shape=offer.shape), expected))
    if len(offer) and not -1 <= offer.min() <= offer.max() < len(trial.offers):
        raise DataError(
            Fault(
                "choice",
                say("runs from {min} to {max}", min=offer.min(), max=offer.max()),
                expected,
            )
        )
    return offer.astype(np.int64)


def expected_by_arm(trial: Trial, measure: str, estimates: Estimates | None) -> FloatArray:
    """Return what a measure is expected to be under each arm, (n, 1 + k), control first.

    Without estimates, each arm's mean over the trial, weighted by inverse propensities.
    """
    if estimates is not None:
        by_arm: FloatArray = getattr(estimates, f"{measure}_by_arm")
        return by_arm
    outcome, inverse = getattr(trial, measure), 1 / trial.propensity
    arms = [trial.arm == arm for arm in range(len(trial.offers) + 1)]
    means = [
        float(inverse[got] @ outcome[got] / inverse[got].sum()) if got.any() else 0.0
        for got in arms
    ]
    return np.tile(means, (trial.n_rows, 1))
