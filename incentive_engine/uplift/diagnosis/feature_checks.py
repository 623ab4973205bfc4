"""Features that teach nothing, and those that know too much: they were measured later."""

from __future__ import annotations

import numpy as np
import pandas as pd

from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import BoolArray, FloatArray
from incentive_engine.language import say
from incentive_engine.language.wording import shortened
from incentive_engine.stats.systematic_sample import evenly
from incentive_engine.uplift.boosting.features import Feature, learn_encoder
from incentive_engine.uplift.diagnosis.thresholds import DIAGNOSIS
from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict, TrialCheck


def leak_findings(
    trial: Trial, features: pd.DataFrame, trusted: frozenset[str]
) -> list[CheckVerdict]:
    """Say which features predict conversion, or spend, too well to have been known before it.

    Parameters
    ----------
    features
        n rows, those columns of the trial's that are learned from.
    trusted
        Features that the policy allows by name; they are doubted, but not refused.
    """
    # rows that are looked at, at most
    rows = evenly(trial.n_rows, 200_000)
    events = _events(trial.conversion[rows] > 0, trial.spend[rows] != 0)
    if not events:
        return [CheckVerdict(check=TrialCheck.LEAKS, verdict="fine", what=say("trial.leaks.few"))]
    areas = [
        (str(name), who, telling(features[name].iloc[rows], event))
        for name in features
        for who, event in events.items()
    ]
    refused = DIAGNOSIS.leak_refused
    findings = [
        _finding(name, who, area, refused=area > refused and name not in trusted)
        for name, who, area in areas
        if area > DIAGNOSIS.leak_doubted
    ]
    best = max((area for *_, area in areas), default=0.5)
    fine = say("trial.leaks.fine", best=best)
    return findings or [CheckVerdict(check=TrialCheck.LEAKS, verdict="fine", what=fine)]


def _events(converted: BoolArray, spent: BoolArray) -> dict[str, BoolArray]:
    """Return what a feature might know, of which there is enough; spend where it says more."""
    events = {"converts": converted}
    if np.any(converted != spent):
        events["spends"] = spent
    return {name: event for name, event in events.items() if _is_enough(event)}


def _is_enough(event: BoolArray) -> bool:
    """Return whether there are so many events, and others, that one can judge by them."""
    return bool(min(event.sum(), (~event).sum()) >= DIAGNOSIS.leak_events)


def telling(column: pd.Series, converted: BoolArray) -> float:
    """Return how well a column tells in which rows something happened, such as a conversion.

    It is an area under the ROC curve, 0.5 to 1. Categories are coded by the rate of every other
    row and judged on the rest.
    """
    missing = column.isna().to_numpy()
    areas = [_area(missing.astype(np.float64), converted)]
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        values = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
        is_finite = np.isfinite(values) & ~missing
        areas.append(_area(values[is_finite], converted[is_finite]))
    else:
        learned = np.arange(len(column)) % 2 == 0
        rate = pd.Series(converted[learned]).groupby(column[learned].to_numpy()).mean()
        coded = column[~learned].map(rate).fillna(converted.mean()).to_numpy(dtype=np.float64)
        areas.append(_area(coded, converted[~learned]))
    return max(max(area, 1 - area) for area in areas)


def _area(values: FloatArray, event: BoolArray) -> float:
    """Return how often an event's value exceeds another's, ties counted half."""
    ones, zeros = values[event], np.sort(values[~event])
    if not _is_enough(event):
        return 0.5
    above = np.searchsorted(zeros, ones, "left").sum()
    not_below = np.searchsorted(zeros, ones, "right").sum()
    return float((above + not_below) / 2 / (len(ones) * len(zeros)))


def _finding(name: str, who: str, area: float, *, refused: bool) -> CheckVerdict:
    return CheckVerdict(
        check=TrialCheck.LEAKS,
        verdict="refusal" if refused else "warning",
        what=say(f"trial.leaks.{who}", feature=name, area=area),
        remedy=say("trial.leaks.deny", feature=name),
    )


def feature_findings(features: pd.DataFrame) -> list[CheckVerdict]:
    """Say which of the features tell nothing, or nearly nothing.

    Parameters
    ----------
    features
        n rows, those columns of the trial's that are learned from.
    """
    encoder = learn_encoder(features)
    encoded = {feature.name for feature in encoder.features}
    idle = [str(name) for name in features if name not in encoded]
    findings = []
    if idle:
        # features that a sentence names; the others are counted
        named = 5
        what = say("trial.features.idle", names=shortened(idle, named))
        remedy = say("trial.features.filled")
        findings.append(
            CheckVerdict(check=TrialCheck.FEATURES, verdict="warning", what=what, remedy=remedy)
        )
    for feature in encoder.features:
        if feature.kind == "category":
            findings += _crowded(feature, features[feature.name])
            findings += _stray(feature, features[feature.name])
    fine = say("trial.features.fine", features=len(encoded))
    return findings or [CheckVerdict(check=TrialCheck.FEATURES, verdict="fine", what=fine)]


def _crowded(feature: Feature, column: pd.Series) -> list[CheckVerdict]:
    """Return a warning where most rows are of levels that share one code."""
    codes = feature.encode(column)
    covered = float(np.mean(codes < len(feature.levels)))
    if covered >= DIAGNOSIS.covered_rows * float(np.mean(~np.isnan(codes))):
        return []
    levels = column.nunique()
    what = say("trial.features.crowded", feature=feature.name, levels=levels, share=covered)
    remedy = say("trial.features.group")
    return [CheckVerdict(check=TrialCheck.FEATURES, verdict="warning", what=what, remedy=remedy)]


def _stray(feature: Feature, column: pd.Series) -> list[CheckVerdict]:
    """Return a warning where a few words make a category of a column of numbers."""
    codes, words = pd.factorize(column)
    present = codes[codes >= 0]
    is_word = pd.to_numeric(pd.Series(words).astype("str"), errors="coerce").isna().to_numpy()
    strays = int(np.count_nonzero(is_word[present]))
    if not 0 < strays <= DIAGNOSIS.strays * len(present):
        return []
    what = say("trial.features.strays", feature=feature.name, strays=strays, values=len(present))
    remedy = say("trial.features.category")
    return [CheckVerdict(check=TrialCheck.FEATURES, verdict="warning", what=what, remedy=remedy)]
