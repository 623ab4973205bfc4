"""How a trial dealt its arms out, what its campaigns say, and what makes it one even lottery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from incentive_engine.config.policy import Eligibility
from incentive_engine.data.columns.frame_rows import rows_matching
from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import (
    CONTROL,
    CONVERSION,
    BoolArray,
    FloatArray,
    IntArray,
    score_column,
)
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.intervals import interval
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.randomisation import Randomisation, shares


def even_lottery(trial: Trial, rules: Sequence[Eligibility]) -> Randomisation:
    """Reweight a trial with known propensities.

    Raises
    ------
    DataError
        When control, or an offer among the rows that it can reach, has fewer than 10 rows.
    """
    reach = reach_of(trial, rules)
    arm = trial.arm.astype(np.int64)
    odds = _odds(trial, arm, reach)
    share = shares(odds, reach)
    weight = share[np.arange(len(arm)), arm] / trial.propensity * campaign_weights(trial, reach)
    return Randomisation(arm=arm, weight=weight, share=share, reach=reach, odds=odds)


def check_folds(trial: Trial, lottery: Randomisation, folds: Folds) -> None:
    """Refuse a trial in which the rows outside some fold do not teach what is to be learned.

    People have all their rows in one fold, so that an arm, or all conversions, may belong to the
    people of one.

    Raises
    ------
    DataError
        When an arm has no row outside some fold, or many conversions all are in one.
    """
    counts = lottery.weight > 0
    faults = []
    remedy = say("look for rows that share a user_id by mistake")
    for arm, name in enumerate(("control", *trial.offers)):
        if not (mine := counts & (lottery.arm == arm)).any() or not _in_one_fold(mine, folds):
            continue
        people = trial.person[mine].nunique()
        what = say("the {rows} rows of `{arm}` belong to {people} users, all in one fold",
                   rows=int(mine.sum()), arm=name, people=people)  # fmt: skip
        faults.append(Fault("trial", what, say("an arm that many users got"), remedy))
    bought = trial.conversion > 0
    if bought.sum() >= lottery.FEWEST_ROWS and _in_one_fold(bought, folds):
        what = say("the {rows} conversions belong to {people} users, all in one fold",
                   rows=int(bought.sum()), people=trial.person[bought].nunique())  # fmt: skip
        faults.append(Fault("trial", what, say("conversions of many users"), remedy))
    if faults:
        raise DataError(*faults)


def _in_one_fold(rows: BoolArray, folds: Folds) -> bool:
    labels = folds.label[rows]
    return bool((labels == labels[0]).all())


def reach_of(trial: Trial, rules: Sequence[Eligibility]) -> BoolArray:
    """Return (n, k) bool, which offers rows could get, by the rules and in their campaigns."""
    reach = reachable(trial.features, trial.offers, rules)
    return reach if trial.campaigns is None else reach & trial.campaigns.reach


def within_reach(scores: pd.DataFrame, trial: Trial) -> pd.DataFrame:
    """Return a score table of a trial's rows without the offers that these could not get.

    Nothing random says what an offer brings to whom it could not reach, so that a plan tried on
    the trial must not give it to them.
    """
    if trial.campaigns is None:
        return scores
    masked = scores.copy()
    for place, offer in enumerate(trial.offers):
        column = score_column(CONVERSION, offer)
        if column in masked:
            masked.loc[~trial.campaigns.reach[:, place], column] = np.nan
    return masked


def reachable(
    features: pd.DataFrame, offers: Sequence[str], rules: Sequence[Eligibility]
) -> BoolArray:
    """Return whether the eligibility rules let each offer go to each row, (n, k) bool."""
    reach = np.ones((len(features), len(offers)), dtype=np.bool_)
    for rule in rules:
        matching = rows_matching(features, rule.where)
        for offer in rule.offers:
            reach[:, offers.index(offer)] &= matching
    return reach


def _odds(trial: Trial, arm: IntArray, reach: BoolArray) -> FloatArray:
    """Return each offer's rows for one row of control, among the rows in its reach."""
    faults, odds, fewest = [], [], Randomisation.FEWEST_ROWS
    for j, offer in enumerate(trial.offers):
        treated = int(((arm == j + 1) & reach[:, j]).sum())
        control = int(((arm == 0) & reach[:, j]).sum())
        if min(treated, control) < fewest:
            arm_name = CONTROL if control < fewest else offer
            what = say(
                "the arm `{arm}` has {rows} rows among the users that may get `{offer}`",
                arm=arm_name,
                rows=min(treated, control),
                offer=offer,
            )
            remedy = "leave the offer out of the policy, or bring a trial that tried it"
            faults.append(Fault("trial", what, say("at least {bound}", bound=fewest), remedy))
        odds.append(treated / max(control, 1))
    if faults:
        raise DataError(*faults)
    return np.array(odds)


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
        tried = np.flatnonzero(np.isfinite(self.effect[:, offer]))
        if not len(tried):
            return None
        age = len(self.effect) - 1.0 - tried
        shared = self.drift * np.minimum(age[:, None], age)
        spread = shared + np.diag(self.error[tried, offer] ** 2)
        precise = np.linalg.solve(spread, np.ones(len(tried)))
        value = precise @ self.effect[tried, offer] / precise.sum()
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
        campaigns = np.flatnonzero(np.isfinite(effect[:, offer]))
        for place, first in enumerate(campaigns):
            for second in campaigns[place + 1 :]:
                steps = float(second - first)
                noise = float(error[first, offer] ** 2 + error[second, offer] ** 2)
                says.append(((effect[second, offer] - effect[first, offer]) ** 2 - noise) / steps)
                weights.append((steps / noise) ** 2)
    return max(float(np.average(says, weights=weights)), 0.0) if says else 0.0
