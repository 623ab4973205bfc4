"""Outcomes that cannot be, or that cannot teach anything."""

from __future__ import annotations

import numpy as np

from incentive_engine.config.policy import Policy
from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import MICROS
from incentive_engine.language import Message, say
from incentive_engine.uplift.diagnosis.thresholds import DIAGNOSIS
from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict, TrialCheck


def outcome_findings(trial: Trial, policy: Policy) -> list[CheckVerdict]:
    """Say what is wrong with conversion, spend and cost.

    Parameters
    ----------
    trial
        With the policy's offers in the policy's order.
    policy
        Says what an offer is worth at most.
    """
    if refused := _refusal(trial):
        return [refused]
    findings = [*_control_costs(trial), *_spend(trial), *_face_values(trial, policy)]
    findings += _costless(trial)
    findings += [_warning(text) for text in trial.warnings]
    rate = say("trial.outcomes.fine", share=float(trial.conversion.mean()), rows=trial.n_rows)
    return findings or [CheckVerdict(check=TrialCheck.OUTCOMES, verdict="fine", what=rate)]


def _refusal(trial: Trial) -> CheckVerdict | None:
    if not trial.conversion.any():
        what, remedy = say("trial.outcomes.nobody"), say("trial.outcomes.bought")
        return CheckVerdict(check=TrialCheck.OUTCOMES, verdict="refusal", what=what, remedy=remedy)
    if trial.conversion.all():
        what, remedy = say("trial.outcomes.everybody"), say("trial.outcomes.coded")
        return CheckVerdict(check=TrialCheck.OUTCOMES, verdict="refusal", what=what, remedy=remedy)
    return None


def _control_costs(trial: Trial) -> list[CheckVerdict]:
    rows = trial.counts.get("cost_in_control", 0)
    what, remedy = (
        say("trial.outcomes.control_cost", rows=rows),
        say("trial.outcomes.control_means"),
    )
    return [_warning(what, remedy)] if rows else []


def _spend(trial: Trial) -> list[CheckVerdict]:
    findings = []
    if rows := trial.counts.get("spend_without_conversion", 0):
        what = say("trial.outcomes.spend_alone", rows=rows, all=trial.n_rows)
        findings.append(_warning(what, say("trial.outcomes.same")))
    rows = trial.counts.get("negative_spend", 0)
    spent = int(np.count_nonzero(trial.spend))
    if rows > DIAGNOSIS.refunds * spent:
        what = say("trial.outcomes.negative", rows=rows, all=spent)
        findings.append(_warning(what, say("trial.outcomes.refunds")))
    return findings


def _face_values(trial: Trial, policy: Policy) -> list[CheckVerdict]:
    """Return a warning per offer that cost more than its face value, a budget's worst case."""
    findings = []
    for code, offer in enumerate(policy.offers, start=1):
        above = (trial.arm == code) & (trial.cost > offer.face_value + 1 / MICROS)
        if rows := int(above.sum()):
            what = say(
                "trial.outcomes.above_face",
                arm=offer.id,
                face=offer.face_value,
                rows=rows,
                most=float(trial.cost[above].max()),
            )
            findings.append(_warning(what, say("trial.outcomes.face_means")))
    return findings


def _costless(trial: Trial) -> list[CheckVerdict]:
    """Return a warning per offer that never cost anything where others did."""
    paid = [bool(trial.cost[trial.arm == arm].any()) for arm in range(1, len(trial.offers) + 1)]
    if not any(paid):
        return []
    findings = []
    for arm, offer in enumerate(trial.offers, start=1):
        bought = int(trial.conversion[trial.arm == arm].sum())
        if not paid[arm - 1] and bought >= DIAGNOSIS.costless_buyers:
            what = say("trial.outcomes.costless", arm=offer, bought=bought)
            findings.append(_warning(what, say("trial.outcomes.costs_everywhere")))
    return findings


def _warning(what: Message, remedy: Message | None = None) -> CheckVerdict:
    return CheckVerdict(check=TrialCheck.OUTCOMES, verdict="warning", what=what, remedy=remedy)
