"""Who gets which offer under all limits, with a certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from incentive_engine.on_demand import on_demand

if TYPE_CHECKING:
    from incentive_engine.allocation.budgets.curve import Curve, CurvePoint, response_curve
    from incentive_engine.allocation.budgets.efficient_steps import Breakdown
    from incentive_engine.allocation.budgets.frontier import Frontier, frontier
    from incentive_engine.allocation.budgets.limit_cost import gain_of_all, gains_at, gains_without
    from incentive_engine.allocation.budgets.mandate import MandateSearch, largest_budget
    from incentive_engine.allocation.budgets.other_budget import rule_of, with_budget_of
    from incentive_engine.allocation.budgets.safety import SafetyPoint, price_of_safety
    from incentive_engine.allocation.budgets.sampled_curve import (
        group_sums,
        sums_by_group,
        swept_points,
    )
    from incentive_engine.allocation.budgets.smallest_budget import smallest_budgets
    from incentive_engine.allocation.build import build_problem
    from incentive_engine.allocation.certificate import Certificate, LimitReport
    from incentive_engine.allocation.decisions.decision import OfferChoice, decide
    from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, Prices
    from incentive_engine.allocation.decisions.user_attributes import User
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

# a service that decides at given prices starts without the solvers that found them
__getattr__ = on_demand(
    __name__,
    {
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
        "budgets.other_budget": (
            "rule_of",
            "with_budget_of",
        ),
        "budgets.safety": (
            "SafetyPoint",
            "price_of_safety",
        ),
        "budgets.sampled_curve": (
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
            "decide",
        ),
        "decisions.user_attributes": ("User",),
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
    },
)
