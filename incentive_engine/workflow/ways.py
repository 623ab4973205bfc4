"""Simpler ways to spend the same budget, beside the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation import Problem, build_problem
from incentive_engine.config import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import CONVERSION, COST, SPEND, BoolArray, FloatArray
from incentive_engine.report import Alternative
from incentive_engine.report import Estimate as Shown
from incentive_engine.simulation.planning import Planner
from incentive_engine.simulation.strategies import Situation, everyone, tier_rules
from incentive_engine.uplift.intervals import MEASURES, Estimate
from incentive_engine.uplift.valuation import Valuation
from incentive_engine.workflow.gain import PlanGain, ValuedTrial
from incentive_engine.workflow.policies import budget_of

Choice = npt.NDArray[np.int16]
Way = Literal["tiers", "everyone"]
WAYS: Final[tuple[Way, ...]] = ("tiers", "everyone")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Aim:
    """What a policy maximises on a trial: coefficient per measure, and (n,) weights."""

    terms: Mapping[str, float]
    weight: FloatArray


def simpler_ways(
    policy: Policy,
    table: ScoreTable,
    holdout: BoolArray,
    *,
    plan: Choice,
    gain: PlanGain | None,
    valued: ValuedTrial | None,
) -> tuple[Alternative, ...]:
    """Return the plan and the simpler ways; nothing without a budget to spend.

    Tier rules go by the members' weights, so they need a policy that has some. The ways keep the
    budget, in its basis, the eligibility and the holdout; an at-risk budget counts as expected.

    Parameters
    ----------
    plan
        (n,) the plan's offers, −1 for none.
    gain, valued
        The plan's rule on the trial, and the trial; None where scores are given.
    """
    if policy.budget is None or policy.budget.amount == 0:
        return ()
    amount = policy.budget.amount
    problem = build_problem(policy, table, holdout)
    wanted = [way for way in WAYS if way == "everyone" or policy.objective.weight]
    chosen = {way: _choice(way, policy, table, problem, amount) for way in wanted}
    shown = [_alternative("plan", table, plan)]
    shown += [_alternative(way, table, choice) for way, choice in chosen.items()]
    if gain is None or valued is None:
        return tuple(shown)
    trial = build_problem(policy, valued.table, np.zeros(valued.table.n_users, dtype=np.bool_))
    part = amount * valued.table.n_users / max(gain.users, 1)
    rules = {"plan": gain.rule} | {
        way: _choice(way, policy, valued.table, trial, part) for way in wanted
    }
    aim = _aim(policy, trial)
    return tuple(_valued(each, rules[each.way], gain, valued.valuation, aim) for each in shown)


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


def _choice(
    way: Way, policy: Policy, table: ScoreTable, problem: Problem, amount: float
) -> Choice:
    """Return what a way gives the users, who come in random order."""
    rng = np.random.default_rng(policy.seed)
    by_face = budget_of(policy).basis == "face"
    allowed = -np.inf < problem.value.T
    gain, cost = (
        np.stack([table.measure(name, offer) for offer in table.offers], axis=1)
        for name in (CONVERSION, COST)
    )
    faces = np.array(table.faces)
    situation = Situation(
        budget=amount,
        allowed=allowed,
        gain=gain,
        charge=np.broadcast_to(faces, cost.shape) if by_face else cost,
        by_face=by_face,
        face=faces,
        likely=np.zeros(table.n_users),
        standing=_standing(problem),
        order=rng.permutation(table.n_users),
        planner=Planner(
            policy=policy, forecast=table, truth=None, blocked=np.logical_not(allowed.any(axis=1))
        ),
    )
    return (tier_rules if way == "tiers" else everyone)(situation)


def _standing(problem: Problem) -> FloatArray:
    """Return (n,) in [0, 1): the rank of a user's weight."""
    if problem.weight is None:
        return np.zeros(problem.n_users)
    rank = np.argsort(np.argsort(problem.weight, kind="stable"), kind="stable")
    return np.asarray(rank / problem.n_users, dtype=np.float64)


def _alternative(
    way: Literal["plan", "tiers", "everyone"], table: ScoreTable, choice: Choice
) -> Alternative:
    used = np.unique(choice[choice >= 0])
    return Alternative(
        way=way,
        offer=table.offers[used[0]] if way == "everyone" and len(used) else "",
        conversions_by_scores=_sum(table, CONVERSION, choice),
        spend_by_scores=_sum(table, SPEND, choice) if table.has(SPEND) else None,
        cost=_sum(table, COST, choice),
        treated=int(np.count_nonzero(choice >= 0)),
    )


def _sum(table: ScoreTable, measure: str, choice: Choice) -> float:
    return float(
        sum(
            table.measure(measure, offer)[choice == index].sum()
            for index, offer in enumerate(table.offers)
        )
    )


def _valued(
    shown: Alternative, rule: Choice, gain: PlanGain, valuation: Valuation, aim: Aim | None
) -> Alternative:
    """Return a way with its value by the trial, and the plan's lead, row by row."""
    found = valuation.total(rule, {CONVERSION: 1.0})
    if shown.way == "plan":
        return replace(shown, conversions=_total(found, gain.users))
    more = valuation.total(gain.rule, {CONVERSION: 1.0}, beyond=rule)
    shown = replace(
        shown,
        conversions=_total(found, gain.users),
        difference=_total(more, gain.users),
    )
    if aim is None:
        return shown
    lead = valuation.total(gain.rule, aim.terms, beyond=rule, weight=aim.weight)
    return replace(shown, lead=_total(lead, gain.users))


def _total(mean: Estimate, users: int) -> Shown:
    return Shown(value=mean.estimate * users, low=mean.low * users, high=mean.high * users)
