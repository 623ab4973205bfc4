"""What the holdout and explorers, on whom chance decides, cost now, and what they let one see."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np

from incentive_engine.allocation.budgets.limit_cost import gain_of_all
from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import CONVERSION, BoolArray
from incentive_engine.insight.params import INSIGHT
from incentive_engine.insight.value.plan_gain import PlanGain
from incentive_engine.report.evidence import (
    Exploring,
    ExploringPower,
    Holdout,
    Measurability,
    Watched,
)
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
    users = int(holdout.sum())
    if not users:
        return None
    return Holdout(
        users=users,
        share=users / len(holdout),
        given_up=_given_up(policy, table, plan),
        buys=None if gain is None else measurability(gain, held=users),
        watched=None if gain is None else watched(policy, gain, plan, held=users),
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
    elapsed = float(np.interp(share, come / come[-1], np.linspace(0.0, 1.0, len(come))))
    at = (
        times.start
        + elapsed * (times.end - times.start)
        + timedelta(hours=GAIN_TEST.settled_hours)
    )
    return f"{at:%Y-%m-%d %H:%M}"


def exploring_value(
    policy: Policy,
    table: ScoreTable,
    problem: Problem,
    holdout: BoolArray,
    *,
    plan: Allocation,
    gain: PlanGain | None,
) -> Exploring | None:
    """Return what exploring costs and buys, or would, where nobody explores.

    None where nobody does and no trial says how many buy without an offer.

    Parameters
    ----------
    problem
        The policy's.
    gain
        The plan's value by the trial; None where scores are given.
    """
    explorers = problem.explorers
    if explorers is None or not len(explorers.users):
        return None if gain is None else _would(policy, table, holdout, plan=plan, gain=gain)
    given_up = None
    if table.n_users <= INSIGHT.solved_again:
        everyone = build_problem(policy.without_exploring(), table, holdout)
        given_up = max(gain_of_all(everyone, plan), 0.0)
    share = policy.explore or 0.0
    sight = _affordable(
        _sight(table, problem, holdout, gain, share=share),
        given_up,
        value=plan.certificate.value,
        share=share,
    )
    return Exploring(
        users=len(explorers.users),
        share=share,
        given_up=given_up,
        dearest=INSIGHT.dearest_exploring,
        sight=sight,
    )


def _would(
    policy: Policy, table: ScoreTable, holdout: BoolArray, *, plan: Allocation, gain: PlanGain
) -> Exploring | None:
    """Return which share would be enough where nobody explores.

    What it would cost is what the plan gives those whom the lot would draw, less what their lots
    are worth: no less than the truth, for what their offers cost could go to others.
    """
    if table.n_users > INSIGHT.solved_again:
        return None
    # what is tried out where nobody explores: enough to see a usual effect in a large campaign
    share = 0.05
    tried = build_problem(policy.model_copy(update={"explore": share}), table, holdout)
    sight = _sight(table, tried, holdout, gain, share=share)
    if tried.explorers is None or sight is None or sight.expected <= 0:
        return None
    users = tried.explorers.users
    choice = plan.choice[users]
    given = choice >= 0
    value = build_problem(policy, table, holdout).value
    worth = float(value[choice[given], users[given]].sum(dtype=np.float64))
    given_up = max(worth - tried.explorers.worth, 0.0)
    sight = _affordable(sight, given_up, value=plan.certificate.value, share=share)
    return Exploring(
        users=0, share=0.0, given_up=None, dearest=INSIGHT.dearest_exploring, sight=sight
    )


def _affordable(
    sight: ExploringPower | None, given_up: float | None, *, value: float, share: float
) -> ExploringPower | None:
    """Return a sight that proposes no share that costs too much."""
    if sight is not None and given_up and value > 0:
        # cost grows with the share, so that the dearest allowed one is known
        dearest = share * INSIGHT.dearest_exploring * value / given_up
        if dearest < sight.enough:
            return replace(sight, proposed=dearest)
    return sight


def _sight(
    table: ScoreTable, problem: Problem, holdout: BoolArray, gain: PlanGain | None, *, share: float
) -> ExploringPower | None:
    """Return what the campaign's trial will show of an average offer; None without a base rate."""
    explorers = problem.explorers
    rate = None if gain is None else gain.baseline["conversion_rate"]
    if explorers is None or not rate or not explorers.treated:
        return None
    user, offer = explorers.pairs
    effects = np.stack([table.measure(CONVERSION, name) for name in table.offers])[offer, user]
    expected = float(np.mean(effects))
    treated = explorers.treated / len(table.offers)
    control, held_out = len(explorers.users) - explorers.treated, int(holdout.sum())
    # no larger share is proposed
    most = 0.5
    low, high = 0.0, most
    # forty halvings leave less than one user among a billion undecided
    for _ in range(40):
        middle = (low + high) / 2.0
        times = middle / share
        sees = detectable_effect(rate, treated * times, control * times + held_out) <= expected
        low, high = (low, middle) if sees else (middle, high)
    return ExploringPower(
        offer_rows=treated,
        detectable=detectable_effect(rate, treated, control + held_out),
        expected=expected,
        power=power_of(rate, expected, treated, control + held_out) if expected > 0 else 0.0,
        enough=high,
        proposed=high,
    )
