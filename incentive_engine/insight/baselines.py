"""Simpler ways to spend the same budget, beside the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation import Problem
from incentive_engine.allocation.problem import Columns
from incentive_engine.config import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.tables.room import let_go
from incentive_engine.domain import CONVERSION, COST, SPEND, FloatArray, IntArray
from incentive_engine.insight.gain import PlanGain, ValuedTrial
from incentive_engine.insight.policy_options import budget_of
from incentive_engine.report import Alternative
from incentive_engine.simulation.planning import Planner
from incentive_engine.simulation.strategies import Situation, everyone, tier_rules
from incentive_engine.stats.intervals import MEASURES
from incentive_engine.uplift.doubly_robust.valuation import Valuation

Choice = npt.NDArray[np.int16]
Way = Literal["tiers", "everyone"]
MOST: Final = 1_000_000
"""Users among whom a simpler way is worked out; of so many a sum is known to a part in a
thousand or better."""

WAYS: Final[tuple[Way, ...]] = ("tiers", "everyone")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Aim:
    """What a policy maximises on a trial: coefficient per measure, and (n,) weights."""

    terms: Mapping[str, float]
    weight: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimplerWays:
    """Simpler ways to spend a policy's budget, whatever its plan is.

    Attributes
    ----------
    some
        (s,) int64, the users that `chosen` is about.
    chosen
        Way to (s,) what it gives them, −1 for none.
    rules
        Way to what it gives each row of the trial, −1 for none; empty where scores are given.
    """

    some: IntArray
    chosen: Mapping[Way, Choice]
    rules: Mapping[Way, Choice]


def simpler_ways(
    policy: Policy,
    table: ScoreTable,
    problem: Problem,
    *,
    tried: tuple[ValuedTrial, Problem] | None,
) -> SimplerWays | None:
    """Return the simpler ways; nothing without a budget to spend.

    Tier rules go by the members' weights, so they need a policy that has some. The ways keep the
    budget, in its basis, the eligibility and the holdout; an at-risk budget counts as expected.
    Beyond `MOST` users they are worked out for about so many, drawn by the hash of their ids, and
    scaled up.

    Parameters
    ----------
    problem
        The policy's about the users of `table`.
    tried
        The trial, and the policy's problem about its rows; None where scores are given.
    """
    if policy.budget is None or policy.budget.amount == 0:
        return None
    amount, some = policy.budget.amount, _some(problem)
    wanted = [way for way in WAYS if way == "everyone" or policy.objective.weight]
    chosen = {
        way: _choice(way, policy, table, problem, amount=amount, some=some) for way in wanted
    }
    rules = {}
    if tried is not None:
        valued, trial = tried
        part, rows = (
            amount * trial.n_users / max(_decided_on(problem), 1),
            np.arange(trial.n_users),
        )
        rules = {
            way: _choice(way, policy, valued.table, trial, amount=part, some=rows)
            for way in wanted
        }
    return SimplerWays(some=some, chosen=chosen, rules=rules)


def beside_the_plan(
    ways: SimplerWays | None,
    policy: Policy,
    table: ScoreTable,
    *,
    plan: Choice,
    gain: PlanGain | None,
    tried: tuple[ValuedTrial, Problem] | None,
) -> tuple[Alternative, ...]:
    """Return the plan and the simpler ways with what they bring; nothing where there are none.

    Parameters
    ----------
    plan
        (n,) the plan's offers, −1 for none.
    gain
        The plan's rule on the trial; None where scores are given.
    tried
        As of `simpler_ways`.
    """
    if ways is None:
        return ()
    shown = [_alternative("plan", table, plan, np.arange(table.n_users))]
    shown += [_alternative(way, table, choice, ways.some) for way, choice in ways.chosen.items()]
    if gain is None or tried is None:
        return tuple(shown)
    valued, trial = tried
    rules = {"plan": gain.rule} | dict(ways.rules)
    aim = _aim(policy, trial)
    return tuple(_valued(each, rules[each.way], gain, valued.valuation, aim) for each in shown)


def _decided_on(problem: Problem) -> int:
    """Return how many users are not held out."""
    held = 0 if problem.holdout is None else np.count_nonzero(problem.holdout)
    return problem.n_users - int(held)


def _aim(policy: Policy, trial: Problem) -> Aim | None:
    """Return what the policy maximises, where that is more than conversions and measured."""
    terms = policy.objective.maximise
    weighted = policy.objective.weight and trial.weight is not None
    if not (terms.keys() <= set(MEASURES) and (weighted or terms != {CONVERSION: 1.0})):
        return None
    return Aim(
        terms=terms,
        weight=np.ones(trial.n_users) if trial.weight is None else trial.weight,
    )


def _some(problem: Problem) -> IntArray:
    """Return the users that ways are worked out for: all, or those of about `MOST` low hashes."""
    if problem.n_users <= MOST or problem.key is None:
        return np.arange(problem.n_users)
    return np.flatnonzero(problem.key <= np.uint64(MOST / problem.n_users * (2**64 - 2**11)))


def _choice(
    way: Way,
    policy: Policy,
    table: ScoreTable,
    problem: Problem,
    *,
    amount: float,
    some: IntArray,
) -> Choice:
    """Return what a way gives some users, who come in random order, of their part of the money."""
    rng = np.random.default_rng(policy.seed)
    by_face = budget_of(policy).basis == "face"
    allowed = -np.inf < _of(problem.value, some)
    gain, cost = (
        _of(table.measures[name], some).astype(np.float64) for name in (CONVERSION, COST)
    )
    faces = np.array(table.faces)
    situation = Situation(
        budget=amount * len(some) / problem.n_users,
        allowed=allowed,
        gain=gain,
        charge=np.broadcast_to(faces, cost.shape) if by_face else cost,
        by_face=by_face,
        face=faces,
        likely=np.zeros(len(some)),
        standing=_standing(problem, some) if way == "tiers" else np.zeros(len(some)),
        order=rng.permutation(len(some)),
        planner=Planner(
            policy=policy, forecast=table, truth=None, blocked=np.logical_not(allowed.any(axis=1))
        ),
    )
    return (tier_rules if way == "tiers" else everyone)(situation)


def _of(matrix: Columns, some: IntArray) -> Columns:
    """Return (s, k) the rows of some users of a (k, n) matrix."""
    columns = []
    for row in matrix:
        columns.append(row[some])
        let_go()
    return np.stack(columns, axis=1)


def _standing(problem: Problem, some: IntArray) -> FloatArray:
    """Return (s,) in [0, 1): the rank of a user's weight among some."""
    if problem.weight is None:
        return np.zeros(len(some))
    order = np.argsort(problem.weight[some], kind="stable")
    return np.asarray(np.argsort(order, kind="stable") / len(some), dtype=np.float64)


def _alternative(
    way: Literal["plan", "tiers", "everyone"],
    table: ScoreTable,
    choice: Choice,
    some: IntArray,
) -> Alternative:
    used = np.unique(choice[choice >= 0])
    times = table.n_users / len(some)
    return Alternative(
        way=way,
        offer=table.offers[used[0]] if way == "everyone" and len(used) else "",
        conversions_by_scores=times * _sum(table, CONVERSION, choice, some),
        spend_by_scores=times * _sum(table, SPEND, choice, some) if table.has(SPEND) else None,
        cost=times * _sum(table, COST, choice, some),
        treated=round(times * np.count_nonzero(choice >= 0)),
    )


def _sum(table: ScoreTable, measure: str, choice: Choice, some: IntArray) -> float:
    total = 0.0
    for index, offer in enumerate(table.offers):
        mine = some[choice == index]
        total += float(table.measure(measure, offer)[mine].sum(dtype=np.float64))
        let_go()
    return total


def _valued(
    shown: Alternative, rule: Choice, gain: PlanGain, valuation: Valuation, aim: Aim | None
) -> Alternative:
    """Return a way with its value by the trial, and the plan's lead, row by row."""
    if shown.way == "plan":
        return replace(shown, conversions=gain.conversions)
    found = valuation.total(rule, {CONVERSION: 1.0})
    more = valuation.total(gain.rule, {CONVERSION: 1.0}, beyond=rule)
    shown = replace(
        shown,
        conversions=found.times(gain.users),
        difference=more.times(gain.users),
    )
    if aim is None:
        return shown
    lead = valuation.total(gain.rule, aim.terms, beyond=rule, weight=aim.weight)
    return replace(shown, lead=lead.times(gain.users))
