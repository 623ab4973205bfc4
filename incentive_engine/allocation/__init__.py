"""Who gets which offer under all limits, with a certificate."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from incentive_engine.allocation.budgets.curve import Curve, CurvePoint, response_curve
    from incentive_engine.allocation.budgets.efficient_steps import Breakdown
    from incentive_engine.allocation.budgets.frontier import Frontier, frontier
    from incentive_engine.allocation.budgets.limit_cost import gain_of_all, gains_at, gains_without
    from incentive_engine.allocation.budgets.mandate import MandateSearch, largest_budget
    from incentive_engine.allocation.budgets.nearby_budgets import MARGIN
    from incentive_engine.allocation.budgets.other_budget import rule_of, with_budget_of
    from incentive_engine.allocation.budgets.safety import SafetyPoint, price_of_safety
    from incentive_engine.allocation.budgets.sketch import (
        MANY,
        group_sums,
        sums_by_group,
        swept_points,
    )
    from incentive_engine.allocation.budgets.smallest_budget import smallest_budgets
    from incentive_engine.allocation.build import build_problem
    from incentive_engine.allocation.certificate import Certificate, LimitReport
    from incentive_engine.allocation.decisions.decision import OfferChoice, User, decide
    from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, Prices
    from incentive_engine.allocation.dual.prices import find_prices
    from incentive_engine.allocation.limits import LinearLimit, Ratio, ratio_limits, sum_limit
    from incentive_engine.allocation.params import CURVE, PAGE, SolveParams
    from incentive_engine.allocation.plans.plan import (
        Allocation,
        freeze_prices,
        propensities,
        reasons,
        solve,
    )
    from incentive_engine.allocation.population.choosers import Choosers, choices_at
    from incentive_engine.allocation.population.margins import margins
    from incentive_engine.allocation.problem import BudgetPool, Problem
    from incentive_engine.allocation.solver_report import PriceStatus, SolverReport, Status

__all__ = [
    "CURVE",
    "MANY",
    "MARGIN",
    "PAGE",
    "Allocation",
    "Breakdown",
    "BudgetPool",
    "Certificate",
    "Choosers",
    "Curve",
    "CurvePoint",
    "Frontier",
    "FrozenPolicy",
    "LimitReport",
    "LinearLimit",
    "MandateSearch",
    "OfferChoice",
    "PriceStatus",
    "Prices",
    "Problem",
    "Ratio",
    "SafetyPoint",
    "SolveParams",
    "SolverReport",
    "Status",
    "User",
    "build_problem",
    "choices_at",
    "decide",
    "find_prices",
    "freeze_prices",
    "frontier",
    "gain_of_all",
    "gains_at",
    "gains_without",
    "group_sums",
    "largest_budget",
    "margins",
    "price_of_safety",
    "propensities",
    "ratio_limits",
    "reasons",
    "response_curve",
    "rule_of",
    "smallest_budgets",
    "solve",
    "sum_limit",
    "sums_by_group",
    "swept_points",
    "with_budget_of",
]

_HOMES: Final = {
    "budgets.curve": (
        "Curve",
        "CurvePoint",
        "response_curve",
    ),
    "budgets.efficient_steps": ("Breakdown",),
    "budgets.frontier": (
        "Frontier",
        "frontier",
    ),
    "budgets.limit_cost": (
        "gain_of_all",
        "gains_at",
        "gains_without",
    ),
    "budgets.mandate": (
        "MandateSearch",
        "largest_budget",
    ),
    "budgets.nearby_budgets": ("MARGIN",),
    "budgets.other_budget": (
        "rule_of",
        "with_budget_of",
    ),
    "budgets.safety": (
        "SafetyPoint",
        "price_of_safety",
    ),
    "budgets.sketch": (
        "MANY",
        "group_sums",
        "sums_by_group",
        "swept_points",
    ),
    "budgets.smallest_budget": ("smallest_budgets",),
    "build": ("build_problem",),
    "certificate": (
        "Certificate",
        "LimitReport",
    ),
    "decisions.decision": (
        "OfferChoice",
        "User",
        "decide",
    ),
    "dual.prices": ("find_prices",),
    "decisions.frozen_policy": (
        "FrozenPolicy",
        "Prices",
    ),
    "limits": (
        "LinearLimit",
        "Ratio",
        "ratio_limits",
        "sum_limit",
    ),
    "params": (
        "CURVE",
        "PAGE",
        "SolveParams",
    ),
    "plans.plan": (
        "Allocation",
        "freeze_prices",
        "propensities",
        "reasons",
        "solve",
    ),
    "population.choosers": (
        "Choosers",
        "choices_at",
    ),
    "population.margins": ("margins",),
    "problem": (
        "BudgetPool",
        "Problem",
    ),
    "solver_report": (
        "PriceStatus",
        "SolverReport",
        "Status",
    ),
}
"""Module to the names that stand in it."""
_MODULE_OF: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name is
    # A service that decides at given prices starts without the solvers that found them.
    if name not in _MODULE_OF:
        raise AttributeError(f"module `incentive_engine.allocation` has no attribute `{name}`")
    named = getattr(import_module(f"incentive_engine.allocation.{_MODULE_OF[name]}"), name)
    globals()[name] = named
    return named
