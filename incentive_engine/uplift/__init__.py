"""Incremental conversion, incremental spend and expected cost per user and offer."""

from incentive_engine.uplift.diagnosis import Diagnosis, Verdict, diagnose
from incentive_engine.uplift.drift import Drift, drift
from incentive_engine.uplift.estimates import Estimates, OutOfFold
from incentive_engine.uplift.evaluation import Evaluation, evaluate
from incentive_engine.uplift.explanation import Explanation, explain, explain_sample
from incentive_engine.uplift.model import UpliftModel, estimate, fit, predict, trial_digest
from incentive_engine.uplift.paired import Paired, compare_models
from incentive_engine.uplift.plan_value import (
    MEASURES,
    NORMAL_95,
    Estimate,
    PlanValue,
    compare_plans,
    plan_value,
)
from incentive_engine.uplift.storage import read_evaluation, read_out_of_fold
from incentive_engine.uplift.valuation import Valuation, increment_columns

__all__ = [
    "MEASURES",
    "NORMAL_95",
    "Diagnosis",
    "Drift",
    "Estimate",
    "Estimates",
    "Evaluation",
    "Explanation",
    "OutOfFold",
    "Paired",
    "PlanValue",
    "UpliftModel",
    "Valuation",
    "Verdict",
    "compare_models",
    "compare_plans",
    "diagnose",
    "drift",
    "estimate",
    "evaluate",
    "explain",
    "explain_sample",
    "fit",
    "increment_columns",
    "plan_value",
    "predict",
    "read_evaluation",
    "read_out_of_fold",
    "trial_digest",
]
