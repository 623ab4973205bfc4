"""Incremental conversion, incremental spend and expected cost per user and offer."""

from incentive_engine.uplift.estimates import Estimates, OutOfFold
from incentive_engine.uplift.evaluation import Evaluation, evaluate
from incentive_engine.uplift.model import UpliftModel, estimate, fit, predict, trial_digest
from incentive_engine.uplift.plan_value import Estimate, PlanValue, compare_plans, plan_value
from incentive_engine.uplift.storage import read_out_of_fold

__all__ = [
    "Estimate",
    "Estimates",
    "Evaluation",
    "OutOfFold",
    "PlanValue",
    "UpliftModel",
    "compare_plans",
    "estimate",
    "evaluate",
    "fit",
    "plan_value",
    "predict",
    "read_out_of_fold",
    "trial_digest",
]
