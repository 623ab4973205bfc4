"""Simpler ways to deal out the offers within the same limits, beside the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from incentive_engine.allocation.budgets.curve import Curve
from incentive_engine.allocation.plans.rule import rehearse
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.tables.mapped_pages import let_go
from incentive_engine.domain import (
    CONVERSION,
    COST,
    OUTCOMES,
    SPEND,
    ChoiceArray,
    Columns,
    FloatArray,
    IntArray,
)
from incentive_engine.insight.budget.policy_options import budget_of
from incentive_engine.insight.value.plan_gain import PlanGain, ValuedTrial
from incentive_engine.report.evidence import Alternative
from incentive_engine.simulation.strategy.tiers import offers_by_tier

Way = Literal["tiers", "everyone"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialObjective:
    """What a policy maximises on a trial: coefficient per measure, and (n,) weights."""

    terms: Mapping[str, float]
    weight: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimplerWay:
    """A simpler way to deal out the offers, within all limits of the policy.

    Attributes
    ----------
    offer
        For `everyone`: which one they get while it lasts.
    amounts
        What it sums up to, per measure, by the scores.
    treated
        Users with an offer.
    rule
        (rows,) what it gives each row of the trial, −1 for none; None where scores are given.
    """

    way: Way
    offer: str
    amounts: Mapping[str, float]
    treated: float
    rule: ChoiceArray | None


def simpler_ways(
    policy: Policy,
    table: ScoreTable,
    problem: Problem,
    *,
    tried: tuple[ValuedTrial, Problem] | None,
) -> tuple[SimplerWay, ...]:
    """Return the simpler ways that the policy's limits leave; none without a budget to spend.

    Tier rules go by the members' weights, so they need a policy that has some. A way is the plan
    that a preference makes: the offer that the way means for a user, for those who come first,
    and the others only where that one has run out. So it keeps the budget, every limit, the
    eligibility and the holdout, exactly as the plan does, and differs in whom it picks alone.
    Beyond `MOST` users it is worked out for about so many, drawn by the hash of their ids, with
    limits in proportion, and scaled up.

    Parameters
    ----------
    problem
        The policy's about the users of `table`.
    tried
        The trial, and the policy's problem about its rows; None where scores are given.
    """
    if policy.budget is None or policy.budget.amount == 0:
        return ()
    some = _some(problem)
    # without weights, tiers are worth alike
    wanted: tuple[Way, ...] = ("tiers", "everyone") if policy.objective.weight else ("everyone",)
    ways = (_worked_out(way, policy, table, problem, some=some, tried=tried) for way in wanted)
    return tuple(way for way in ways if way is not None)


def _worked_out(
    way: Way,
    policy: Policy,
    table: ScoreTable,
    problem: Problem,
    *,
    some: IntArray,
    tried: tuple[ValuedTrial, Problem] | None,
) -> SimplerWay | None:
    """Return a way; None where it finds no plan within limits of so few users."""
    preferred, best = _preferred(way, policy, table, problem, some)
    columns = {
        name: table.measures[name][:, some]
        for name in (CONVERSION, COST, SPEND)
        if table.has(name)
    }
    curve = Curve(preferred, columns)
    plan = curve.plan(preferred)
    if not plan.feasible:
        return None
    times = table.n_users / max(len(some), 1)
    amounts = {name: times * total for name, total in plan.amounts(curve.users, columns).items()}
    rule = None
    if tried is not None:
        valued, trial = tried
        rows, _ = _preferred(way, policy, valued.table, trial, np.arange(trial.n_users), best=best)
        rule = rehearse(
            rows,
            plan.prices,
            fold=valued.valuation.fold,
            cost=amounts[COST] / max(_decided_on(problem), 1),
            rng=np.random.default_rng(policy.seed),
        )
    return SimplerWay(
        way=way,
        offer="" if best is None else table.offers[best],
        amounts=amounts,
        treated=times * plan.treated,
        rule=rule,
    )


def beside_the_plan(
    ways: tuple[SimplerWay, ...],
    policy: Policy,
    table: ScoreTable,
    *,
    plan: ChoiceArray,
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
    if not ways:
        return ()
    own = _own(table, plan)
    if gain is None or tried is None:
        return (own, *map(_alternative, ways))
    valued, trial = tried
    aim = _aim(policy, trial)
    return (
        replace(own, conversions=gain.conversions, money=gain.cost, profit=gain.profit),
        *(_valued(way, gain, valued, aim, margin=policy.margin) for way in ways),
    )


def _decided_on(problem: Problem) -> int:
    """Return how many users are not held out."""
    held_out = 0 if problem.holdout is None else np.count_nonzero(problem.holdout)
    return problem.n_users - int(held_out)


def _aim(policy: Policy, trial: Problem) -> TrialObjective | None:
    """Return what the policy maximises, where that is more than conversions and measured."""
    terms = policy.objective.maximise
    weighted = policy.objective.weight and trial.weight is not None
    if not (terms.keys() <= set(OUTCOMES) and (weighted or terms != {CONVERSION: 1.0})):
        return None
    return TrialObjective(
        terms=terms,
        weight=np.ones(trial.n_users) if trial.weight is None else trial.weight,
    )


def _some(problem: Problem) -> IntArray:
    """Return the users that ways are worked out for: all, or those of about `MOST` low hashes."""
    # users among whom a simpler way is worked out; of so many a sum is known to a part in a
    # thousand or better
    most = 1_000_000
    if problem.n_users <= most or problem.key is None:
        return np.arange(problem.n_users)
    return np.flatnonzero(problem.key <= np.uint64(most / problem.n_users * (2**64 - 2**11)))


def _preferred(
    way: Way,
    policy: Policy,
    table: ScoreTable,
    problem: Problem,
    some: IntArray,
    *,
    best: int | None = None,
) -> tuple[Problem, int | None]:
    """Return the problem of some users with what a way prefers in place of what is gained.

    Who comes first is drawn by lot, and a pair is worth what it costs times that: so money goes
    by the order of coming, whatever it brings.

    Parameters
    ----------
    best
        The offer that `everyone` gets; None finds it.
    """
    smaller = _part(problem, some)
    allowed = np.isfinite(smaller.value)
    charge = _charge(policy, smaller)
    if way == "everyone":
        best = _best_single(policy, table, smaller, charge, some) if best is None else best
        meant = np.full(smaller.n_users, best)
    else:
        # the more a user counts, the deeper
        meant = offers_by_tier(allowed.T, np.array(table.faces), _standing(smaller)).astype(
            np.int64
        )
    # at least a half, so that even the last to come takes the offer that is meant for them
    comes = np.random.default_rng(policy.seed).uniform(0.5, 1.0, smaller.n_users)
    # what a pair that costs nothing is taken to cost, so that it is preferred to nothing
    smallest_charge = 1e-6
    worth = np.maximum(charge, smallest_charge) * comes
    # what an offer that a way does not mean is worth beside the one that it does
    instead = 0.25
    worth[meant != np.arange(len(smaller.offers))[:, None]] *= instead
    value = np.where(allowed, worth, -np.inf).astype(smaller.value.dtype)
    return replace(smaller, value=value), best


def _part(problem: Problem, some: IntArray) -> Problem:
    """Return the problem of some users, with limits in proportion; all of them change nothing."""
    if len(some) == problem.n_users:
        return problem
    share = len(some) / problem.n_users
    pool = problem.pool
    return replace(
        problem,
        value=_of(problem.value, some),
        columns=np.stack([_of(columns, some) for columns in problem.columns]),
        cell=problem.cell[some],
        holdout=None if problem.holdout is None else problem.holdout[some],
        explorers=None if problem.explorers is None else problem.explorers.among(some),
        weight=None if problem.weight is None else problem.weight[some],
        key=None if problem.key is None else problem.key[some],
        limits=tuple(
            replace(
                limit,
                at_most=None if limit.at_most is None else limit.at_most * share,
                at_least=None if limit.at_least is None else limit.at_least * share,
            )
            for limit in problem.limits
        ),
        pool=None if pool is None else replace(pool, amount=pool.amount * share),
    )


def _of(matrix: Columns, some: IntArray) -> Columns:
    """Return (k, s) the columns of some users of a (k, n) matrix."""
    rows = []
    for row in matrix:
        rows.append(row[some])
        let_go()
    return np.stack(rows)


def _charge(policy: Policy, part: Problem) -> FloatArray:
    """Return (k, s) what a pair counts against the budget, currency units."""
    if budget_of(policy).basis == "face" and part.face is not None:
        return np.repeat(part.face[:, None], part.n_users, axis=1)
    cost = part.columns[part.measures.index(COST)]
    return np.asarray(np.nan_to_num(cost.astype(np.float64), nan=0.0))


def _best_single(
    policy: Policy, table: ScoreTable, part: Problem, charge: FloatArray, some: IntArray
) -> int:
    """Return the one offer that promises most for all who come, until the money is gone."""
    money = budget_of(policy).amount * len(some) / table.n_users
    promised = []
    for j, offer in enumerate(table.offers):
        may = np.isfinite(part.value[j])
        gain = float(table.measure(CONVERSION, offer)[some][may].sum(dtype=np.float64))
        asked = float(charge[j, may].sum())
        promised.append(gain * min(1.0, money / asked) if asked > 0 else gain)
    return int(np.argmax(promised))


def _standing(part: Problem) -> FloatArray:
    """Return (s,) in [0, 1): the rank of a user's weight."""
    if part.weight is None:
        return np.zeros(part.n_users)
    order = np.argsort(part.weight, kind="stable")
    return np.asarray(np.argsort(order, kind="stable") / part.n_users, dtype=np.float64)


def _own(table: ScoreTable, choice: ChoiceArray) -> Alternative:
    return Alternative(
        way="plan",
        conversions_by_scores=_sum(table, CONVERSION, choice),
        spend_by_scores=_sum(table, SPEND, choice) if table.has(SPEND) else None,
        cost=_sum(table, COST, choice),
        treated=int(np.count_nonzero(choice >= 0)),
    )


def _sum(table: ScoreTable, measure: str, choice: ChoiceArray) -> float:
    total = 0.0
    for index, offer in enumerate(table.offers):
        mine = np.flatnonzero(choice == index)
        total += float(table.measure(measure, offer)[mine].sum(dtype=np.float64))
        let_go()
    return total


def _alternative(way: SimplerWay) -> Alternative:
    return Alternative(
        way=way.way,
        offer=way.offer,
        conversions_by_scores=way.amounts[CONVERSION],
        spend_by_scores=way.amounts.get(SPEND),
        cost=way.amounts[COST],
        treated=round(way.treated),
    )


def _valued(
    way: SimplerWay,
    gain: PlanGain,
    valued: ValuedTrial,
    aim: TrialObjective | None,
    *,
    margin: float | None,
) -> Alternative:
    """Return a way with its value by the trial, and the plan's lead, row by row."""
    shown, valuation = _alternative(way), valued.valuation
    if way.rule is None:
        return shown
    conversions, money = ({CONVERSION: 1.0}, {COST: 1.0})
    lead = None
    if aim is not None:
        lead = valuation.total(gain.rule, aim.terms, beyond=way.rule, weight=aim.weight)
    return replace(
        shown,
        conversions=valuation.total(way.rule, conversions).times(gain.users),
        money=valuation.total(way.rule, money).times(gain.users),
        profit=valued.profit(way.rule, margin, users=gain.users),
        difference=valuation.total(gain.rule, conversions, beyond=way.rule).times(gain.users),
        lead=None if lead is None else lead.times(gain.users),
    )
