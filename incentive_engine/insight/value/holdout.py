"""What a holdout costs now, and what can be told from it afterwards."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from incentive_engine.allocation import Allocation, build_problem, gain_of_all
from incentive_engine.config import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import BoolArray
from incentive_engine.insight.value.gain import PlanGain
from incentive_engine.report import Holdout, Measurability
from incentive_engine.stats.intervals import NORMAL_95
from incentive_engine.stats.power import detectable_effect, power_of

MOST_USERS: Final = 1_000_000
"""Beyond it the cost is not told: a second problem of all users would double the memory."""


def holdout_value(
    policy: Policy, table: ScoreTable, holdout: BoolArray, plan: Allocation, gain: PlanGain | None
) -> Holdout | None:
    """Return what the holdout costs and buys; None without one.

    Parameters
    ----------
    gain
        The plan's value by the trial; None where scores are given.
    """
    held = int(holdout.sum())
    if not held:
        return None
    return Holdout(
        users=held,
        share=held / len(holdout),
        given_up=_given_up(policy, table, plan),
        buys=None if gain is None else measurability(gain, held=held),
    )


def _given_up(policy: Policy, table: ScoreTable, plan: Allocation) -> float | None:
    if table.n_users > MOST_USERS:
        return None
    nobody = np.zeros(table.n_users, dtype=np.bool_)
    return max(gain_of_all(build_problem(policy, table, nobody), plan), 0.0)


def measurability(gain: PlanGain, *, held: int) -> Measurability | None:
    """Return what a comparison of the holdout with all others will tell.

    None where the trial has no conversions without an offer to reckon with.
    """
    rate = gain.baseline["conversion_rate"]
    if not rate or not gain.users:
        return None
    expected = gain.conversions.value / gain.users
    then = min(max(rate + expected, 0.0), 1.0)
    error = math.sqrt(rate * (1 - rate) / held + then * (1 - then) / gain.users)
    return Measurability(
        precision=NORMAL_95 * error,
        expected=expected,
        power=power_of(rate, expected, gain.users, held),
        detectable=detectable_effect(rate, gain.users, held),
    )
