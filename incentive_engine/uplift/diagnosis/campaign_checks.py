"""What each campaign of a trial says, and whether they agree."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2

from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import BoolArray
from incentive_engine.language import Message, say
from incentive_engine.stats.intervals import NORMAL_95
from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict, TrialCheck
from incentive_engine.uplift.trial_design import CampaignAverages, campaign_averages


def campaign_findings(trial: Trial, reach: BoolArray) -> list[CheckVerdict]:
    """Return a finding per campaign, and one on how far age counts; nothing for one alone.

    Parameters
    ----------
    reach
        (n, k) bool, which offers each row could get.
    """
    if trial.campaigns is None:
        return []
    averages = campaign_averages(trial, reach, trial.conversion)
    findings = [
        _one(trial, averages, place, name) for place, name in enumerate(trial.campaigns.names)
    ]
    if len(findings) > 1:
        weight = float(averages.age_weights()[0])
        what = say("campaigns.age", drift=float(np.sqrt(averages.drift)), weight=weight)
        findings.append(CheckVerdict(check=TrialCheck.CAMPAIGNS, verdict="fine", what=what))
    return findings


def _one(trial: Trial, averages: CampaignAverages, place: int, name: str) -> CheckVerdict:
    assert trial.campaigns is not None
    rows = trial.campaigns.rows(place)
    effects: list[Message] = [
        say("campaigns.effect", offer=offer, effect=float(effect), half=NORMAL_95 * float(error))
        for offer, effect, error in zip(
            trial.offers, averages.effect[place], averages.error[place], strict=True
        )
        if np.isfinite(effect)
    ]
    what = say(
        "campaigns.one" if effects else "campaigns.no_effect",
        campaign=name,
        rows=int(rows.sum()),
        control=int((rows & (trial.arm == 0)).sum()),
        effects=tuple(effects),
    )
    chance = _chance_of_sizes(trial, rows)
    # a difference of arm sizes from their propensities that is rarer than this is a fault
    unlikely = 1e-4
    if chance < unlikely:
        worse = say("campaigns.sizes", what=what, p=chance)
        remedy = say("campaigns.log")
        return CheckVerdict(
            check=TrialCheck.CAMPAIGNS, verdict="warning", what=worse, remedy=remedy
        )
    return CheckVerdict(check=TrialCheck.CAMPAIGNS, verdict="fine", what=what)


def _chance_of_sizes(trial: Trial, rows: BoolArray) -> float:
    """Return how likely inverse propensities add up so far from the number of rows by chance.

    Notes
    -----
    Σ 1/p over the rows of control has the rows' number as its mean, and the variance Σ (1 − p)/p².
    """
    control = rows & (trial.arm == 0)
    p = trial.propensity[control]
    if not len(p):
        return 1.0
    variance = float(((1.0 - p) / p**2).sum())
    if variance <= 0.0:
        return 1.0
    return float(chi2.sf((float((1.0 / p).sum()) - float(rows.sum())) ** 2 / variance, 1))
