"""What a planner knows before anything has been handed out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from incentive_engine.allocation.build import build_problem
from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import Scenario
from incentive_engine.data.columns.frame_rows import rows_matching
from incentive_engine.domain import COST, FACE, BoolArray, FloatArray
from incentive_engine.errors import ConfigError, Fault, nearest
from incentive_engine.language import say
from incentive_engine.simulation.strategy.planning import Planner, Situation
from incentive_engine.simulation.strategy.tiers import standing


def rank_of(scenario: Scenario, features: pd.DataFrame) -> FloatArray:
    """Return recency, frequency and spend as one rank, where the scenario has tier rules.

    Raises
    ------
    ConfigError
        With every column that the users lack.
    """
    if "tier-rules" not in scenario.strategies:
        return np.zeros(len(features))
    named = [("recency", scenario.recency), ("spend", scenario.spend)]
    named += [("frequency", scenario.frequency)] if scenario.frequency else []
    _check_columns(scenario, features, [((key,), column) for key, column in named])
    return standing(features, (scenario.recency, scenario.frequency, scenario.spend))


def favoured_of(scenario: Scenario, features: pd.DataFrame) -> BoolArray:
    """Return who belongs to the favoured group, (n,) bool.

    Raises
    ------
    ConfigError
        With every column that the users lack.
    """
    named = [(("favoured", column), column) for column in scenario.favoured]
    _check_columns(scenario, features, named)
    return rows_matching(features, scenario.favoured) & bool(scenario.favoured)


def _check_columns(
    scenario: Scenario,
    features: pd.DataFrame,
    named: Sequence[tuple[tuple[str | int, ...], str]],
) -> None:
    faults = [
        Fault(
            scenario.locate(loc),
            say("the users have no column `{column}`", column=column),
            remedy=nearest(column, map(str, features.columns)),
        )
        for loc, column in named
        if column not in features
    ]
    if faults:
        raise ConfigError(*faults)


def situation_of(
    planner: Planner, *, order: np.ndarray, likely: FloatArray, rank: FloatArray
) -> Situation:
    """Return the situation before anything has been handed out; its budget is the policy's.

    Parameters
    ----------
    planner
        Knows policy, forecast and who is held out.
    order, likely, rank
        See `Situation`; `rank` is its `standing`.
    """
    policy, forecast = planner.policy, planner.forecast
    rules = planner.policy_for(favouring=True).without_exploring()
    problem = build_problem(rules, forecast, planner.blocked)
    allowed = (problem.value > -np.inf).T
    by_face = policy.budget is not None and policy.budget.basis == FACE

    def table(measure: str) -> FloatArray:
        columns = [forecast.measure(measure, offer) for offer in forecast.offers]
        return np.where(allowed, np.column_stack(columns), 0.0)

    return Situation(
        budget=policy.budget.amount if policy.budget else 0.0,
        allowed=allowed,
        gain=table("conversion"),
        charge=table(FACE if by_face else COST),
        by_face=by_face,
        face=np.array(forecast.faces, dtype=np.float64),
        likely=likely,
        standing=rank,
        order=order,
        planner=planner,
    )


def situation_with(situation: Situation, policy: Policy, budget: float) -> Situation:
    """Return the situation with another budget."""
    planner = replace(situation.planner, policy=policy.with_budget(amount=budget))
    return replace(situation, budget=budget, planner=planner)


def check_budgets(scenario: Scenario, situation: Situation, *, share: float = 1.0) -> None:
    """Refuse budgets that are larger than all offers together, or smaller than any.

    Parameters
    ----------
    scenario, situation
        The budgets, and what offers are forecast to cost.
    share
        The part of the scenario's users that the situation has.

    Raises
    ------
    ConfigError
        With each such budget.
    """
    charge = np.where(situation.allowed, situation.charge, 0.0)
    most = float(charge.max(axis=1).sum()) / share
    least = float(np.min(charge, where=situation.allowed, initial=np.inf))
    faults = []
    for index, budget in enumerate(scenario.budgets):
        where = scenario.locate(("budgets", index))
        if budget > most:
            what = say(
                "no strategy can spend {budget:,.0f}: the dearest offer for everybody comes to "
                "{most:,.0f}",
                budget=budget,
                most=most,
            )
            faults.append(Fault(where, what, remedy="lower the budget"))
        elif budget < least:
            what = say(
                "no strategy can spend {budget:g}: the cheapest offer comes to {least:g}",
                budget=budget,
                least=least,
            )
            faults.append(Fault(where, what, remedy="raise the budget"))
    if faults:
        raise ConfigError(*faults)
