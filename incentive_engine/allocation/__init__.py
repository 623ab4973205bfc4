"""Who gets which offer under all limits, with a certificate."""

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.certificate import Certificate, LimitReport
from incentive_engine.allocation.curve import CurvePoint, response_curve
from incentive_engine.allocation.limits import Limit, Ratio, ratio_limits, sum_limit
from incentive_engine.allocation.plan import Plan, decide, reasons, solve
from incentive_engine.allocation.problem import Pool, Problem

__all__ = [
    "Certificate",
    "CurvePoint",
    "Limit",
    "LimitReport",
    "Plan",
    "Pool",
    "Problem",
    "Ratio",
    "build_problem",
    "decide",
    "ratio_limits",
    "reasons",
    "response_curve",
    "solve",
    "sum_limit",
]
