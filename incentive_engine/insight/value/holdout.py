"""What a holdout costs now, and what can be told from it afterwards."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np

from incentive_engine.allocation.budgets.limit_cost import gain_of_all
from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.config import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import BoolArray
from incentive_engine.insight.params import INSIGHT
from incentive_engine.insight.value.plan_gain import PlanGain
from incentive_engine.report.evidence import Holdout, Measurability, Watched
from incentive_engine.stats.intervals import NORMAL_95
from incentive_engine.stats.power import detectable_effect, power_of
from incentive_engine.stats.sequential import GAIN_TEST, difference_error, noticing


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
        watched=None if gain is None else watched(policy, gain, plan, held=held),
    )


def _given_up(policy: Policy, table: ScoreTable, plan: Allocation) -> float | None:
    if table.n_users > INSIGHT.solved_again:
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


def watched(policy: Policy, gain: PlanGain, plan: Allocation, *, held: int) -> Watched | None:
    """Return what `incentive watch` would tell from outcomes while the campaign runs.

    None where the trial has no conversions without an offer to reckon with, or nothing is gained.
    """
    rate, treated = gain.baseline["conversion_rate"], plan.certificate.treated
    if not rate or not treated or not gain.users or gain.conversions.value <= 0:
        return None
    come = 1.0 if policy.campaign is None else policy.campaign.share
    alike, others = (
        max(round(users * come), 1) for users in (held * treated / gain.users, treated)
    )
    value, low = gain.conversions.value / treated, gain.conversions.low / treated
    noticed = noticing(
        value=value,
        low=low,
        error=difference_error(rate, rate + value, others, alike),
        held=alike,
    )
    return Watched(
        nothing=noticed.nothing,
        half=noticed.half,
        nothing_at=_moment(policy, noticed.nothing),
        half_at=_moment(policy, noticed.half),
        least=noticed.least,
    )


def _moment(policy: Policy, share: float | None) -> str:
    """Return when outcomes of a share of the users count; empty where that is not known."""
    times = policy.campaign
    if times is None or share is None:
        return ""
    from incentive_engine.simulation.market.traffic import (
        traffic,  # reads scenarios, as no plan does
    )

    _, density = traffic(times.wave)
    come = np.concatenate([[0.0], np.cumsum(density)])
    part = float(np.interp(share, come / come[-1], np.linspace(0.0, 1.0, len(come))))
    at = times.start + part * (times.end - times.start) + timedelta(hours=GAIN_TEST.settled_hours)
    return f"{at:%Y-%m-%d %H:%M}"
