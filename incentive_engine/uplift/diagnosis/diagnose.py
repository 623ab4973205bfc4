"""All checks of a trial."""

from __future__ import annotations

from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.features import learnable
from incentive_engine.data.trials.trial import Trial
from incentive_engine.parallel import blas_on_one_thread
from incentive_engine.uplift.diagnosis.arms import (
    WeightedArms,
    count_arms,
    left_out_findings,
    overlap_findings,
    size_findings,
)
from incentive_engine.uplift.diagnosis.balance import balance_findings
from incentive_engine.uplift.diagnosis.campaign_checks import campaign_findings
from incentive_engine.uplift.diagnosis.feature_checks import feature_findings, leak_findings
from incentive_engine.uplift.diagnosis.outcomes import outcome_findings
from incentive_engine.uplift.diagnosis.sample_ratio import (
    propensity_findings,
    sample_ratio_findings,
)
from incentive_engine.uplift.diagnosis.verdicts import Diagnosis
from incentive_engine.uplift.trial_design import reach_of


@blas_on_one_thread()
def diagnose(trial: Trial, policy: Policy) -> Diagnosis:
    """Check a trial: arm sizes, propensities, overlap, balance, features, leaks, outcomes.

    Parameters
    ----------
    trial
        With the policy's offers in the policy's order.
    policy
        Says who may get which offer, and by which columns arms are compared.
    """
    reach = reach_of(trial, policy.eligibility)
    arms = WeightedArms.of(trial, reach)
    counts = count_arms(trial, arms)
    strata = tuple(name for name in policy.attribute_columns if name in trial.features)
    features = trial.features[learnable(trial.features, policy.features)]
    balance, imbalances = balance_findings(features, arms)
    findings = (
        *sample_ratio_findings(trial, arms, strata),
        *propensity_findings(trial, arms, counts),
        *overlap_findings(arms, counts),
        *balance,
        *feature_findings(features),
        *leak_findings(trial, features, frozenset(policy.features.allow or ())),
        *size_findings(counts),
        *left_out_findings(trial),
        *outcome_findings(trial, policy),
        *campaign_findings(trial, reach),
    )
    return Diagnosis(findings=findings, arms=counts, imbalances=imbalances)
