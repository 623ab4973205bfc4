"""Ways of handing out offers: each a small function from the same situation to a choice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from incentive_engine.domain import MICROS, ChoiceArray, FloatArray, IntArray, to_micros
from incentive_engine.simulation.strategy.planning import Plan, Situation
from incentive_engine.simulation.strategy.tiers import offers_by_tier
from incentive_engine.simulation.strategy.traits import TRAITS

if TYPE_CHECKING:
    from incentive_engine.config.scenario import Strategy


def nobody(situation: Situation) -> ChoiceArray:
    """Give nothing."""
    return _empty(situation)


def everyone(situation: Situation) -> ChoiceArray:
    """Give all who come the one offer that promises most, until the money is gone."""
    return _best_single(situation, situation.order)


def first_come(situation: Situation) -> ChoiceArray:
    """Let each who comes take the most valuable coupon there is, until the money is gone."""
    deepest = np.where(situation.allowed, situation.face, -np.inf).argmax(axis=1)
    return _until_gone(situation, deepest.astype(np.int16), situation.order)


def tier_rules(situation: Situation) -> ChoiceArray:
    """Give coupons by recency, frequency and spend to all who come, until the money is gone."""
    meant = offers_by_tier(situation.allowed, situation.face, situation.standing)
    return _until_gone(situation, meant, situation.order)


def propensity(situation: Situation) -> ChoiceArray:
    """Give the best single offer to those most likely to convert, until the money is gone."""
    return _best_single(situation, _descending(situation.likely))


def greedy(situation: Situation) -> ChoiceArray:
    """Serve users by forecast gain per money, each with the offer where it is highest."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(
            situation.allowed & (situation.gain > 0), situation.gain / situation.charge, -np.inf
        )
    choice = ratio.argmax(axis=1).astype(np.int16)
    best = ratio.max(axis=1)
    choice[best == -np.inf] = -1
    return _until_gone(situation, choice, _descending(best))


def plan_of(strategy: Strategy) -> Plan:
    """Return how a strategy hands out offers.

    The engine and the oracle decide as the policy says; those that favour nobody count every
    user's outcome alike.
    """
    traits = TRAITS[strategy]
    if traits.favours is not None:
        return partial(_solved, favouring=traits.favours, knowing_truth=traits.knows_truth)
    rules: dict[Strategy, Plan] = {
        "nobody": nobody,
        "everyone": everyone,
        "first-come": first_come,
        "tier-rules": tier_rules,
        "propensity": propensity,
        "greedy": greedy,
    }
    return rules[strategy]


def _solved(situation: Situation, *, favouring: bool, knowing_truth: bool) -> ChoiceArray:
    return situation.planner.plan(
        situation.budget, favouring=favouring, knowing_truth=knowing_truth
    )


def _descending(score: FloatArray) -> IntArray:
    return np.argsort(-score, kind="stable")


def _empty(situation: Situation) -> ChoiceArray:
    return np.full(len(situation.allowed), -1, dtype=np.int16)


def _best_single(situation: Situation, order: IntArray) -> ChoiceArray:
    plans = [
        _until_gone(situation, np.full(len(situation.allowed), j, dtype=np.int16), order)
        for j in range(len(situation.face))
    ]
    return max(plans, key=lambda plan: _promised(situation, plan))


def _promised(situation: Situation, choice: ChoiceArray) -> float:
    rows = np.flatnonzero(choice >= 0)
    return float(situation.gain[rows, choice[rows]].sum())


def _until_gone(situation: Situation, wanted: ChoiceArray, order: IntArray) -> ChoiceArray:
    """Hand out `wanted` in order while the money lasts; the first who is too dear ends it."""
    choice = _empty(situation)
    asks = order[wanted[order] >= 0]
    asks = asks[situation.allowed[asks, wanted[asks]]]
    micros = np.cumsum(to_micros(situation.charge[asks, wanted[asks]]))
    served = asks[: np.searchsorted(micros, round(situation.budget * MICROS), side="right")]
    choice[served] = wanted[served]
    return choice
