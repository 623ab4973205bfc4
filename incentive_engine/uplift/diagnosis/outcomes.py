"""Outcomes that cannot be, or that cannot teach anything."""

from __future__ import annotations

from typing import Final

import numpy as np

from incentive_engine.config.policy import Policy
from incentive_engine.data.trial import Trial
from incentive_engine.domain import MICROS
from incentive_engine.uplift.diagnosis.findings import Finding

CHECK: Final = "outcomes"
REFUNDED: Final = 0.1
"""Share of the rows with spend that may be negative before that is said."""


def outcome_findings(trial: Trial, policy: Policy) -> list[Finding]:
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
    found = [*_control_costs(trial), *_spend(trial), *_face_values(trial, policy)]
    found += [_warning(text) for text in trial.warnings]
    rate = f"{trial.conversion.mean():.2%} of {trial.n_rows:,} rows converted"
    return found or [Finding(check=CHECK, verdict="fine", what=rate)]


def _refusal(trial: Trial) -> Finding | None:
    if not trial.conversion.any():
        what = "nobody converted, so nothing tells what an offer changes"
        remedy = "bring a trial in which people bought"
        return Finding(check=CHECK, verdict="refusal", what=what, remedy=remedy)
    if trial.conversion.all():
        what = "everybody converted, so no offer can change anything"
        remedy = "is `conversion` 1 where somebody bought, and 0 where not?"
        return Finding(check=CHECK, verdict="refusal", what=what, remedy=remedy)
    return None


def _control_costs(trial: Trial) -> list[Finding]:
    rows = trial.counts.get("cost_in_control", 0)
    remedy = "control means no offer; was a subsidy of another campaign counted?"
    return [_warning(f"{rows:,} rows of control cost something", remedy)] if rows else []


def _spend(trial: Trial) -> list[Finding]:
    found = []
    if rows := trial.counts.get("spend_without_conversion", 0):
        what = f"something was spent without a conversion in {rows:,} of {trial.n_rows:,} rows"
        found.append(_warning(what, "do both columns count the same purchases?"))
    rows = trial.counts.get("negative_spend", 0)
    spent = int(np.count_nonzero(trial.spend))
    if rows > REFUNDED * spent:
        what = f"the spend of {rows:,} of {spent:,} rows with any is negative"
        found.append(_warning(what, "spend is what was bought for, less refunds"))
    return found


def _face_values(trial: Trial, policy: Policy) -> list[Finding]:
    """Return a warning per offer that cost more than its face value, a budget's worst case."""
    found = []
    for code, offer in enumerate(policy.offers, start=1):
        above = (trial.arm == code) & (trial.cost > offer.face_value + 1 / MICROS)
        if rows := int(above.sum()):
            what = f"`{offer.id}` cost more than its face value {offer.face_value:,.2f}"
            what += f" in {rows:,} of its rows, up to {trial.cost[above].max():,.2f}"
            found.append(_warning(what, "`face_value` is the most that an offer can cost"))
    return found


def _warning(what: str, remedy: str = "") -> Finding:
    return Finding(check=CHECK, verdict="warning", what=what, remedy=remedy)
