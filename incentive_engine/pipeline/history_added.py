"""What history features are called, and what each window and family of them adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from incentive_engine.data.trials.trial import Trial
from incentive_engine.features.computing.history_columns import HistoryColumn
from incentive_engine.features.computing.words import feature_words, groups_of
from incentive_engine.language import say
from incentive_engine.uplift.evaluation.additions import additions
from incentive_engine.uplift.model import EffectModel


def history_added(
    model: EffectModel, trial: Trial, columns: Sequence[HistoryColumn]
) -> dict[str, Any] | None:
    """Return what a report says of history features, as JSON; None where there are none.

    ``features`` has the words of each, ``added`` what groups of them add out of fold: nothing
    first, then each family, windows up to each length, and all.
    """
    if not columns:
        return None
    groups = groups_of(columns)
    gains = additions(model, trial, [names for _, names in groups])
    words = [say("added.ready"), *(words for words, _ in groups)]
    return {
        "features": {column.name: feature_words(column).to_dict() for column in columns},
        "added": [
            {"group": group.to_dict(), **addition.to_dict()}
            for group, addition in zip(words, gains, strict=True)
        ],
    }
