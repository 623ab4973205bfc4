"""Checks of allocation.parquet, user by user."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import MICROS, BoolArray, FloatArray, Reason

from .files import Run
from .replay import Replay
from .result import Check, Findings
from .tolerance import agree


def check_choices(run: Run, truth: Replay) -> tuple[Check, ...]:
    """Check every row of the allocation."""
    return (
        _offers(run, truth),
        _eligibility(run, truth),
        _holdout(run, truth),
        _assignment(run, truth),
        _measures(run, truth),
        _cost(run, truth),
        _reasons(run, truth),
    )


def check_users(run: Run) -> Check:
    """Check that every user of the score table stands once, in its order."""
    found = Findings("users", "every user of scores.parquet stands once, in its order")
    stated, known = run.rows["user_id"], run.scores.user_id
    for name, column in (("allocation", stated), ("scores", known)):
        twice = column.duplicated().to_numpy()
        found.add_rows(twice, f"{name}.parquet repeats a user")
    if stated.dtype != known.dtype:
        found.add(f"user_id is {stated.dtype} in the allocation, {known.dtype} in the scores")
    elif len(stated) != len(known):
        found.add(f"the allocation has {len(stated):,} rows, the scores {len(known):,}")
    else:
        differs = stated.to_numpy() != known.to_numpy()
        found.add_rows(differs, "the user is not the one of the same row of the scores")
    return found.check()


def _offers(run: Run, truth: Replay) -> Check:
    found = Findings("offers", "every offer is one of the policy's")
    found.add_rows(run.choice == -2, "the offer is unknown to the policy")
    if truth.bad_costs:
        found.add(f"scores.parquet has {truth.bad_costs:,} negative or infinite costs")
    return found.check()


def _eligibility(run: Run, truth: Replay) -> Check:  # noqa: ARG001 - one signature for all
    found = Findings("eligibility", "nobody gets an offer that rules or missing scores forbid")
    found.add_rows(truth.refused, "the eligibility rules forbid the offer")
    found.add_rows(truth.missing, "a score of the offer is missing (NaN)")
    return found.check()


def _holdout(run: Run, truth: Replay) -> Check:
    found = Findings("holdout", "the holdout equals its keyed draw, and none of it has an offer")
    stated = _reason_is(run, Reason.HOLDOUT)
    found.add_rows(truth.holdout & (run.choice != -1), "a user of the holdout has an offer")
    found.add_rows(truth.holdout & ~stated, "a user drawn for the holdout has another reason")
    found.add_rows(stated & ~truth.holdout, "the reason is holdout, the draw says otherwise")
    users = run.manifest.holdout.get("users")
    if users is not None and users != int(truth.holdout.sum()):
        found.add(f"manifest.json states {users} users, the draw has {truth.holdout.sum()}")
    return found.check()


def _assignment(run: Run, truth: Replay) -> Check:
    if run.policy.assignment == "at_most_one":
        return Findings("assignment", "each user has at most one offer").check()
    found = Findings("assignment", "exactly_one: each user outside the holdout has an offer")
    found.add_rows((run.choice == -1) & ~truth.holdout, "the user has no offer")
    return found.check()


def _measures(run: Run, truth: Replay) -> Check:
    found = Findings("measures", "conversion, spend and weight are those of scores and policy")
    found.add_rows(_differs(run, "conversion", truth.conversion), "conversion differs")
    found.add_rows(_differs(run, "weight", truth.weight), "weight differs")
    if truth.spend is not None:
        found.add_rows(_differs(run, "spend", truth.spend), "spend differs")
    elif run.rows["spend"].notna().any():
        found.add("spend is stated, but scores.parquet has none")
    return found.check()


def _cost(run: Run, truth: Replay) -> Check:
    found = Findings("cost", "cost_micros is the chosen pair's cost, rounded up to a millionth")
    micros = run.rows["cost_micros"].to_numpy()
    found.add_rows(micros != truth.cost_micros, "cost_micros differs")
    differs = run.rows["cost"].to_numpy() != micros / MICROS
    found.add_rows(differs, "cost is not cost_micros in currency units")
    return found.check()


def _reasons(run: Run, truth: Replay) -> Check:
    found = Findings("reasons", "every reason is the one that follows from the scores")
    expected = np.select(
        [truth.holdout, ~truth.has_eligible, run.choice != -1, ~truth.has_gain],
        [Reason.HOLDOUT, Reason.INELIGIBLE, Reason.OFFERED, Reason.NO_GAIN],
        default=Reason.PRICED_OUT,
    )
    for reason in Reason:
        wrong = _reason_is(run, reason) & (expected != reason)
        found.add_rows(wrong, f"the reason is {reason}, other than what follows")
    known = run.rows["reason"].isin(list(Reason)).to_numpy()
    found.add_rows(~known, "the reason is unknown")
    return found.check()


def _differs(run: Run, column: str, expected: FloatArray) -> BoolArray:
    stated: npt.NDArray[np.float64] = run.rows[column].to_numpy()
    return ~agree(stated, expected, scale=np.abs(expected))


def _reason_is(run: Run, reason: Reason) -> BoolArray:
    return (run.rows["reason"] == reason).to_numpy(dtype=np.bool_)
