"""Who gets which offer under all limits, with a certificate."""

from incentive_engine.allocation.budgets import rule_of, with_budget_of
from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.certificate import Certificate, LimitReport
from incentive_engine.allocation.curve import MARGIN, Curve, CurvePoint, response_curve
from incentive_engine.allocation.limits import Limit, Ratio, ratio_limits, sum_limit
from incentive_engine.allocation.mandate import Mandate, largest_budget
from incentive_engine.allocation.plan import Plan, decide, reasons, solve
from incentive_engine.allocation.problem import BUDGET, Pool, Problem
from incentive_engine.allocation.safety import SafetyPoint, price_of_safety

__all__ = [
    "BUDGET",
    "MARGIN",
    "Certificate",
    "Curve",
    "CurvePoint",
    "Limit",
    "LimitReport",
    "Mandate",
    "Plan",
    "Pool",
    "Problem",
    "Ratio",
    "SafetyPoint",
    "build_problem",
    "decide",
    "largest_budget",
    "price_of_safety",
    "ratio_limits",
    "reasons",
    "response_curve",
    "rule_of",
    "solve",
    "sum_limit",
    "with_budget_of",
]
