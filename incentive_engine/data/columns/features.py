"""The features that a policy names, and which of a trial's a model may learn from."""

from __future__ import annotations

import pandas as pd

from incentive_engine.config.inputs import Features
from incentive_engine.config.policy import Policy
from incentive_engine.data.row_checks import near_column
from incentive_engine.errors import Fault
from incentive_engine.language import say


def learnable(features: pd.DataFrame, chosen: Features) -> list[str]:
    """Return the columns that a model may learn from, in their order."""
    names = [str(name) for name in features.columns]
    allowed = names if chosen.allow is None else chosen.allow
    return [name for name in names if name in allowed and name not in chosen.deny]


def unknown_features(policy: Policy, names: tuple[str, ...], where: str) -> list[Fault]:
    """Return a fault per feature that the policy names and nobody has: a slip leaks a feature."""
    lists = (("allow", policy.features.allow or ()), ("deny", policy.features.deny))
    return [
        Fault(
            policy.locate(("features", key, index)),
            say("column `{column}` is not in {where}", column=column, where=where),
            remedy=near_column(column, names),
        )
        for key, columns in lists
        for index, column in enumerate(columns)
        if column not in names
    ]
