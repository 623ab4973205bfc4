"""Campaigns as strata: what each says of the offers, how far they agree, what age leaves of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import BoolArray, FloatArray
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.intervals import interval


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CampaignAverages:
    """Average effects per campaign, and what they say together; c campaigns, k offers.

    Attributes
    ----------
    effect, error
        (c, k) float64, the average effect on an outcome among users in the offer's reach, and its
        standard error; NaN where a campaign did not try the offer on enough rows.
    drift
        Variance by which an offer's average effect moves from one campaign to the next.
    """

    effect: FloatArray
    error: FloatArray
    drift: float

    def now(self, offer: int) -> Estimate | None:
        """Return an offer's average effect in the newest campaign; None where nobody tried it.

        Notes
        -----
        Effects walk at random with the drift's variance per campaign. The weights Σ⁻¹1 / 1'Σ⁻¹1
        with Σ = errors² + drift·min(ages) are those of least variance, and 1 / 1'Σ⁻¹1 is it.
        """
        known = np.flatnonzero(np.isfinite(self.effect[:, offer]))
        if not len(known):
            return None
        age = len(self.effect) - 1.0 - known
        shared = self.drift * np.minimum(age[:, None], age)
        spread = shared + np.diag(self.error[known, offer] ** 2)
        precise = np.linalg.solve(spread, np.ones(len(known)))
        value = precise @ self.effect[known, offer] / precise.sum()
        return interval(float(value), float(1.0 / np.sqrt(precise.sum())))

    def age_weights(self) -> FloatArray:
        """Return (c,) float64, what the age of each campaign leaves of a row's weight, up to 1.

        Notes
        -----
        A campaign of age a says v + drift·a of now where it says v of its own time, v the median
        variance of an average: its rows weigh v / (v + drift·a).
        """
        age = np.arange(len(self.effect))[::-1]
        seen = self.error[np.isfinite(self.error)] ** 2
        usual = float(np.median(seen)) if len(seen) else 1.0
        return np.asarray(usual / (usual + self.drift * age))


def campaign_averages(trial: Trial, reach: BoolArray, outcome: FloatArray) -> CampaignAverages:
    """Return what each campaign says of each offer's average effect on an outcome.

    Parameters
    ----------
    reach
        (n, k) bool, which offers each row could get.
    outcome
        (n,) float64.
    """
    names = trial.campaigns.names if trial.campaigns else ("",)
    code = trial.campaigns.code if trial.campaigns else np.zeros(trial.n_rows, np.int16)
    shape = (len(names), len(trial.offers))
    effect, error = np.full(shape, np.nan), np.full(shape, np.nan)
    for campaign in range(shape[0]):
        for offer in range(shape[1]):
            inside = (code == campaign) & reach[:, offer]
            means = [_mean(trial, outcome, inside & (trial.arm == arm)) for arm in (0, offer + 1)]
            if all(mean is not None for mean in means):
                (low, low_variance), (high, high_variance) = (m for m in means if m is not None)
                effect[campaign, offer] = high - low
                error[campaign, offer] = np.sqrt(low_variance + high_variance)
    return CampaignAverages(effect=effect, error=error, drift=_drift(effect, error))


def campaign_weights(trial: Trial, reach: BoolArray) -> FloatArray:
    """Return (n,) float64, what the campaign's age leaves of each row's weight."""
    if trial.campaigns is None:
        return np.ones(trial.n_rows)
    weights = campaign_averages(trial, reach, trial.conversion).age_weights()
    return np.asarray(weights[trial.campaigns.code])


def _mean(trial: Trial, outcome: FloatArray, some: BoolArray) -> tuple[float, float] | None:
    """Return the mean of an arm if all had got it, weighted by propensities, and its variance."""
    rows = np.flatnonzero(some)
    # rows that an arm needs in a campaign for its average to have an error
    fewest = 10
    if len(rows) < fewest:
        return None
    weight = 1.0 / trial.propensity[rows]
    mean = float(np.average(outcome[rows], weights=weight))
    # an arm without a conversion has no variance of its own: half an event stands in
    least = 0.5 / len(rows) * (1.0 - 0.5 / len(rows))
    squares = np.maximum((outcome[rows] - mean) ** 2, 0.0)
    if float(squares.max()) == 0.0:
        squares = np.full(len(rows), least)
    return mean, float((weight**2 * squares).sum() / weight.sum() ** 2)


def _drift(effect: FloatArray, error: FloatArray) -> float:
    """Return the variance of a step between campaigns, by moments over all pairs and offers.

    Notes
    -----
    For campaigns a steps apart E(difference²) = variances + drift·a. Each pair says
    (difference² − variances) / a, with a variance of 2·(variances / a)² where there is no drift;
    they are averaged by its inverse, and a negative average is none.
    """
    says, weights = [], []
    for offer in range(effect.shape[1]):
        known = np.flatnonzero(np.isfinite(effect[:, offer]))
        for place, first in enumerate(known):
            for second in known[place + 1 :]:
                steps = float(second - first)
                noise = float(error[first, offer] ** 2 + error[second, offer] ** 2)
                says.append(((effect[second, offer] - effect[first, offer]) ** 2 - noise) / steps)
                weights.append((steps / noise) ** 2)
    return max(float(np.average(says, weights=weights)), 0.0) if says else 0.0
