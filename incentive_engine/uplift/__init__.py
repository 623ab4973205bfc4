"""Incremental conversion, incremental spend and expected cost per user and offer."""

from incentive_engine.uplift.estimates import Estimates, OutOfFold
from incentive_engine.uplift.evaluation import Evaluation, evaluate
from incentive_engine.uplift.model import UpliftModel, fit, predict
from incentive_engine.uplift.plan_value import Estimate, PlanValue, plan_value

__all__ = [
    "Estimate",
    "Estimates",
    "Evaluation",
    "OutOfFold",
    "PlanValue",
    "UpliftModel",
    "evaluate",
    "fit",
    "plan_value",
    "predict",
]
