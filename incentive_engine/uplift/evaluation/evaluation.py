"""How good a model is, on its own trial, out of fold, with 95 % intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from incentive_engine.config.policy import Policy
from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import CONVERSION, COST, SPEND, BoolArray, FloatArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.parallel import blas_on_one_thread, side_by_side
from incentive_engine.stats.estimate import Estimate, as_plain
from incentive_engine.stats.intervals import interval, mean_with_interval
from incentive_engine.uplift.doubly_robust.plan_value import valued
from incentive_engine.uplift.effects.stacking import HeterogeneityTest
from incentive_engine.uplift.evaluation.cost_curve import CostCurve, Scored, cost_curve
from incentive_engine.uplift.evaluation.price_paths import FoldedPath
from incentive_engine.uplift.evaluation.ranking import (
    RankedGroup,
    auuc,
    groups,
    qini,
    ranks,
    slope,
)
from incentive_engine.uplift.model import EffectModel
from incentive_engine.uplift.trial_design import reach_of


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferEvaluation:
    """One offer, over the users that may get it.

    Attributes
    ----------
    offer
        Its id.
    rows, treated
        Trial rows in its reach, and how many of them got it.
    conversion, spend
        Average increments per user, doubly robust.
    cost
        Average cost per user that gets it, over the rows that did.
    effect_groups, effect_slope
        Predicted against doubly robust effects, by predicted effect; the slope is None for a
        constant prediction.
    cost_groups, cost_slope
        Predicted against paid cost, by predicted cost.
    cost_ratio
        Paid over predicted cost, out of fold; None where nothing is predicted.
    auuc, qini
        Ranking of users by predicted effect; see `ranking`.
    """

    offer: str
    rows: int
    treated: int
    conversion: Estimate
    spend: Estimate
    cost: Estimate
    effect_groups: tuple[RankedGroup, ...]
    effect_slope: Estimate | None
    cost_groups: tuple[RankedGroup, ...]
    cost_slope: Estimate | None
    cost_ratio: Estimate | None
    auuc: Estimate
    qini: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvaluation:
    """Everything that is known about a model's quality.

    Attributes
    ----------
    rows
        Trial rows.
    heterogeneity
        Whether effects differ between users, measurably.
    offers
        In the policy's order.
    cost
        Paid over predicted cost of all offers together.
    curve
        Gain against spend, beside the constant-effect baseline.
    """

    rows: int
    heterogeneity: HeterogeneityTest
    offers: tuple[OfferEvaluation, ...]
    cost: TotalCost
    curve: CostCurve

    def to_dict(self) -> dict[str, Any]:
        """Return the content of evaluation.json."""
        content: dict[str, Any] = as_plain(self)
        return content


@blas_on_one_thread()
def evaluate(model: EffectModel, trial: Trial, policy: Policy) -> ModelEvaluation:
    """Judge a model by the outcomes of the trial that it was fitted on, out of fold.

    Raises
    ------
    DataError
        When `trial` is not the one that the model was fitted on: its out-of-fold estimates would
        belong to other rows.
    """
    if trial.digest() != model.facts.trial:
        raise DataError(
            Fault("trial", "is not the trial that the model was trained on", remedy="train again")
        )
    reach = reach_of(trial, policy.eligibility)
    estimates = model.out_of_fold.estimates
    brought, fold = valued(trial, model.out_of_fold).by_measure, model.out_of_fold.fold
    gain, spend = brought[CONVERSION], brought[SPEND]
    curve = cost_curve(
        Scored(
            path=FoldedPath.of(estimates.conversion, estimates.cost, reach, fold),
            baseline=FoldedPath.of(model.out_of_fold.constant, estimates.cost, reach, fold),
            effect=estimates.conversion,
            gain=gain,
            cost=brought[COST],
        )
    )

    def of_offer(j: int) -> OfferEvaluation:
        brought = Brought(reach[:, j], gain.of_offer(j), spend.of_offer(j))
        return _offer(model, trial, brought, j)

    offers = tuple(side_by_side(of_offer, len(trial.offers)))
    return ModelEvaluation(
        rows=trial.n_rows,
        heterogeneity=model.models.converting.effects.test,
        offers=offers,
        cost=total_cost(trial, estimates.cost, reach),
        curve=curve,
    )


class Brought(NamedTuple):
    """Doubly robust increments of one offer over n rows, and who may get it."""

    reach: BoolArray
    conversion: FloatArray
    spend: FloatArray


def _offer(
    model: EffectModel, trial: Trial, increments: Brought, position: int
) -> OfferEvaluation:
    rows = np.flatnonzero(increments.reach)
    estimates, fold = model.out_of_fold.estimates, model.out_of_fold.fold
    effect = model.out_of_fold.compared(position)[rows]
    rank = ranks(effect)
    converted, spent = increments.conversion[rows], increments.spend[rows]
    got = np.flatnonzero(increments.reach & (trial.arm == position + 1))
    lottery = 1 / trial.propensity[got]
    paid, predicted = trial.cost[got], estimates.cost[got, position]
    return OfferEvaluation(
        offer=trial.offers[position],
        rows=len(rows),
        treated=len(got),
        conversion=mean_with_interval(converted),
        spend=mean_with_interval(spent),
        cost=mean_with_interval(paid, lottery),
        effect_groups=groups(effect, converted, np.ones(len(rows))),
        effect_slope=slope(effect, converted, fold[rows]),
        cost_groups=groups(predicted, paid, lottery),
        cost_slope=slope(predicted, paid, fold[got]),
        cost_ratio=ratio_of_sums(paid, predicted, lottery),
        auuc=auuc(rank, converted),
        qini=qini(rank, converted),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalCost:
    """Paid over predicted cost, out of fold, if every offer went to everybody in its reach.

    Attributes
    ----------
    ratio
        1 where predictions add up; None where nothing is predicted.
    relative_error
        Standard error of the predicted total, relative to it: what a trial of this size leaves
        open. That another season redeems otherwise is not in it.
    """

    ratio: Estimate | None
    relative_error: float


def total_cost(trial: Trial, predicted: FloatArray, reach: BoolArray) -> TotalCost:
    """Compare predicted costs (n, k) with those of the rows that got an offer in their reach."""
    offer = trial.arm.astype(np.int64) - 1
    rows = np.arange(trial.n_rows)
    got = np.flatnonzero((offer >= 0) & reach[rows, offer])
    ratio = ratio_of_sums(trial.cost[got], predicted[got, offer[got]], 1 / trial.propensity[got])
    error = ratio.standard_error / ratio.value if ratio and ratio.value > 0 else 0.0
    return TotalCost(ratio=ratio, relative_error=error)


def ratio_of_sums(paid: FloatArray, predicted: FloatArray, weight: FloatArray) -> Estimate | None:
    """Return Σ weight · paid over Σ weight · predicted; None where nothing is predicted."""
    total = float(weight @ predicted)
    if total <= 0:
        return None
    ratio = float(weight @ paid) / total
    error = float(np.sqrt(np.square(weight * (paid - ratio * predicted)).sum())) / total
    return interval(ratio, error)
