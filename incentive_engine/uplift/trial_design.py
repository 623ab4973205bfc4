"""How a trial dealt its arms out, and the weights that make it one even lottery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

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
from incentive_engine.uplift.campaign_averages import campaign_weights
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.randomisation import Randomisation, shares

FEWEST_ROWS: Final = 10
"""Rows that an arm needs; with fewer, not even an average effect has an error to state."""


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
    if bought.sum() >= FEWEST_ROWS and _in_one_fold(bought, folds):
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
    faults, odds = [], []
    for j, offer in enumerate(trial.offers):
        treated = int(((arm == j + 1) & reach[:, j]).sum())
        control = int(((arm == 0) & reach[:, j]).sum())
        if min(treated, control) < FEWEST_ROWS:
            arm_name = CONTROL if control < FEWEST_ROWS else offer
            what = say(
                "the arm `{arm}` has {rows} rows among the users that may get `{offer}`",
                arm=arm_name,
                rows=min(treated, control),
                offer=offer,
            )
            remedy = "leave the offer out of the policy, or bring a trial that tried it"
            faults.append(Fault("trial", what, say("at least {bound}", bound=FEWEST_ROWS), remedy))
        odds.append(treated / max(control, 1))
    if faults:
        raise DataError(*faults)
    return np.array(odds)
