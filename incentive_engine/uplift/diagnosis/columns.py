"""Features from which nothing can be learned."""

from __future__ import annotations

import numpy as np
import pandas as pd

from incentive_engine.language import say, shortened
from incentive_engine.uplift.boosting.features import Feature, learn_encoder
from incentive_engine.uplift.diagnosis.findings import CheckVerdict, TrialCheck


def feature_findings(features: pd.DataFrame) -> list[CheckVerdict]:
    """Say which of the features tell nothing, or nearly nothing.

    Parameters
    ----------
    features
        n rows, those columns of the trial's that are learned from.
    """
    encoder = learn_encoder(features)
    kept = {feature.name for feature in encoder.features}
    idle = [str(name) for name in features if name not in kept]
    found = []
    if idle:
        # features that a sentence names; the others are counted
        named = 5
        what = say("trial.features.idle", names=shortened(idle, named))
        remedy = say("trial.features.filled")
        found.append(
            CheckVerdict(check=TrialCheck.FEATURES, verdict="warning", what=what, remedy=remedy)
        )
    for feature in encoder.features:
        if feature.kind == "category":
            found += _crowded(feature, features[feature.name])
            found += _stray(feature, features[feature.name])
    fine = say("trial.features.fine", features=len(kept))
    return found or [CheckVerdict(check=TrialCheck.FEATURES, verdict="fine", what=fine)]


def _crowded(feature: Feature, column: pd.Series) -> list[CheckVerdict]:
    """Return a warning where most rows are of levels that share one code."""
    codes = feature.encode(column)
    covered = float(np.mean(codes < len(feature.levels)))
    # share of the rows that should be of a level with a code of its own
    fewest_covered = 0.5
    if covered >= fewest_covered * float(np.mean(~np.isnan(codes))):
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
    # share of values that are no numbers up to which the others are taken to be meant
    most_strays = 0.05
    if not 0 < strays <= most_strays * len(present):
        return []
    what = say("trial.features.strays", feature=feature.name, strays=strays, values=len(present))
    remedy = say("trial.features.category")
    return [CheckVerdict(check=TrialCheck.FEATURES, verdict="warning", what=what, remedy=remedy)]
