"""What was known of the trial's people before they got an offer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from incentive_engine.config.inputs import Features
from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.attributes import missing_attributes, reserved_attributes
from incentive_engine.data.columns.dates import with_dates
from incentive_engine.data.columns.frame_rows import places
from incentive_engine.data.row_checks import RowChecks, near_column
from incentive_engine.data.trials.campaigns import RESERVED
from incentive_engine.data.users import UserFile
from incentive_engine.domain import USER_ID
from incentive_engine.errors import Fault
from incentive_engine.language import Message, say


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joined:
    """Features of a trial's rows, and what was left out on the way."""

    features: pd.DataFrame
    warnings: tuple[Message, ...] = ()


def joined_features(
    frame: pd.DataFrame, policy: Policy, users: UserFile | None, checks: RowChecks
) -> Joined:
    """Return the features of a trial; what is wrong with them goes to `checks`.

    Without `users`, every column that is not reserved is a feature. With them, only what they
    have too, in their order; columns that the trial lacks are joined by user_id. They must be
    joined when the policy names one, or when the trial has no feature of its own; otherwise they
    are left out if the trial's people are not among the users. Text that says dates becomes dates,
    but for columns that the policy names.
    """
    own = [str(name) for name in frame.columns if name not in RESERVED]
    if users is None:
        joined = Joined(features=frame[own])
    else:
        joined = _with_users(frame, own, policy, users, checks)
    attributes = policy.attribute_columns
    joined = replace(joined, features=with_dates(joined.features, besides=attributes))
    names = tuple(joined.features.columns)
    checks.faults.extend(reserved_attributes(policy, RESERVED))
    checks.faults.extend(missing_attributes(policy, (*names, *RESERVED), where=checks.where))
    theirs = () if users is None else tuple(users.features)
    checks.faults.extend(unknown_features(policy, (*own, *theirs), checks.where))
    return joined


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


def _with_users(
    frame: pd.DataFrame, own: list[str], policy: Policy, users: UserFile, checks: RowChecks
) -> Joined:
    shared = [name for name in users.features if name in own]
    lacking = [name for name in users.features if name not in own]
    _check_kinds(frame[shared], users, checks)
    unused = [name for name in own if name not in users.features]
    warnings = _left_out(unused, "not_in_users", checks.where)
    if not lacking:
        return Joined(features=frame[shared], warnings=warnings)
    place = places(frame[USER_ID], users.user_id.to_pandas())
    if np.all(place >= 0):
        theirs = users.take(place).features[lacking].set_axis(frame.index, axis=0)
        both = pd.concat([frame[shared], theirs], axis=1)
        return Joined(features=both[list(users.features)], warnings=warnings)
    if not shared or set(lacking) & set(policy.attribute_columns):
        what = say(
            "`{user_id}` is not among the users, so its features cannot be joined,",
            user_id=USER_ID,
        )
        remedy = say("add columns to the trial: {lacking}", lacking=tuple(lacking))
        checks.refuse(place < 0, what, remedy=remedy)
    more = _left_out(lacking, "not_in_trial", checks.where)
    return Joined(features=frame[shared], warnings=(*warnings, *more))


def _check_kinds(frame: pd.DataFrame, users: UserFile, checks: RowChecks) -> None:
    for name in frame.columns:
        trial, wholly_missing = frame[name], users.gaps.get(name, 0) == users.n_users
        if trial.isna().all() or wholly_missing:
            continue
        if is_numeric_dtype(trial) != users.features[name]:
            kinds = ("text or dates", "numbers")
            mine, theirs = kinds[is_numeric_dtype(trial)], kinds[users.features[name]]
            what = say(
                "`{name}` holds {mine} in the trial and {theirs} among the users",
                name=name,
                mine=mine,
                theirs=theirs,
            )
            checks.faults.append(Fault(checks.where, what, "the same type in both"))


def _left_out(names: list[str], why: str, where: str) -> tuple[Message, ...]:
    if not names:
        return ()
    return (say(f"trial.features.{why}", where=where, names=tuple(names)),)
