"""The log of a past randomised campaign."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandas.api.types import is_numeric_dtype

from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.attributes import (
    missing_attributes,
    misused_attributes,
    reserved_attributes,
)
from incentive_engine.data.columns.dates import with_dates
from incentive_engine.data.columns.features import unknown_features
from incentive_engine.data.columns.frame_rows import places
from incentive_engine.data.row_checks import RowChecks, as_id, missing_columns
from incentive_engine.data.sources.source import Source
from incentive_engine.data.tables.any_frame import arrow_table
from incentive_engine.data.tables.frames import to_frame
from incentive_engine.data.trials.arms import read_arms
from incentive_engine.data.trials.campaigns import RESERVED, Campaigns, TrialColumn, read_campaigns
from incentive_engine.data.trials.outcomes import checked_outcomes
from incentive_engine.data.users import UserFile
from incentive_engine.domain import OUTCOMES, USER_ID, BoolArray, FloatArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import Message, say

Array = TypeVar("Array", FloatArray, npt.NDArray[np.int16])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """A randomised trial; rows of arms that the policy does not offer are left out.

    Attributes
    ----------
    offers
        The k offers in the policy's order.
    user_id
        (n,) int64 or str, unique, in the order of the file; with several campaigns a text that
        names the campaign, too.
    features
        n rows; everything known before the offer, attributes included.
    arm
        (n,) int16; 0 is control, j is the offer j - 1.
    conversion
        (n,) float64; 0 or 1.
    spend
        (n,) float64, currency units; negative after refunds.
    cost
        (n,) float64, subsidy paid, currency units, at least 0.
    propensity
        (n,) float64 in (0, 1]; probability of the arm that the row got. Where it is unknown, it
        is the arm's share of all rows where it is unknown.
    ignored_rows
        Arm to number of rows, for arms that the policy does not offer. Propensities stay right,
        because they are probabilities in the trial as it was.
    counts
        What a report should mention: ``negative_spend``, ``unknown_propensity``,
        ``spend_without_conversion``, ``cost_in_control`` to number of rows, where there are any.
    warnings
        What a planner should know and what does not stop the run.
    campaigns
        Which campaign each row is of; None for one alone.
    """

    offers: tuple[str, ...]
    user_id: pd.Series
    features: pd.DataFrame
    arm: npt.NDArray[np.int16]
    conversion: FloatArray
    spend: FloatArray
    cost: FloatArray
    propensity: FloatArray
    ignored_rows: Mapping[str, int]
    counts: Mapping[str, int]
    warnings: tuple[Message, ...]
    campaigns: Campaigns | None = None

    @classmethod
    def from_frame(cls, frame: object, policy: Policy, *, where: str = "trial") -> Trial:
        """Check a frame in memory as `read_trial` checks a file; its features stand in it.

        Parameters
        ----------
        frame
            Of pandas, polars or Arrow; an index is not looked at.

        Raises
        ------
        DataError
            With everything that is wrong with it, `where` in front.
        """
        return _checked(arrow_table(frame, where=where), policy, None, where=where)

    @property
    def person(self) -> pd.Series:
        """Who each row is about, (n,)."""
        return self.user_id if self.campaigns is None else self.campaigns.person

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return len(self.arm)

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], Trial], tuple[dict[str, Any]]]:
        """Return what another process makes the same trial from; views of mappings stay here."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        mappings = {"ignored_rows": dict(self.ignored_rows), "counts": dict(self.counts)}
        return _trial, ({**content, **mappings},)

    def digest(self) -> str:
        """Return the sha256 of the rows: ids, features, arms, outcomes and propensities."""
        digest = hashlib.sha256()
        rows = pd.concat([self.user_id.rename("user_id"), self.features], axis=1)
        digest.update("\n".join([*self.offers, *map(str, rows.columns)]).encode())
        digest.update(pd.util.hash_pandas_object(rows, index=False).to_numpy().tobytes())
        if self.campaigns is not None:
            digest.update("\n".join(self.campaigns.names).encode())
            digest.update(self.campaigns.code.tobytes() + self.campaigns.reach.tobytes())
        for values in (self.arm, self.conversion, self.spend, self.cost, self.propensity):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        arms = ", ".join(("control", *self.offers))
        return f"Trial({self.n_rows:,} rows × {self.features.shape[1]} features; arms {arms})"


def read_trial(source: Source, policy: Policy, users: UserFile | None) -> Trial:
    """Read a trial.

    Parameters
    ----------
    source
        user_id, offer, conversion, spend, cost, and if known propensity and features.
    policy
        Says which offers there are and which attributes are needed.
    users
        The users to decide on. Only features that they have are kept, and those that the trial
        lacks are taken from them by user_id.

    Raises
    ------
    DataError
        With everything that is wrong: columns missing or of the wrong kind, user_id missing or
        repeated, no control rows, an offer without rows, an arm's name misspelt, outcomes that
        are missing, infinite or impossible, propensities outside (0, 1], features that cannot be
        joined.
    """
    return _checked(source.table(), policy, users, where=source.where)


def _checked(table: pa.Table, policy: Policy, users: UserFile | None, *, where: str) -> Trial:
    """Return the trial of a table as it was read."""
    lacking = missing_columns(
        [USER_ID, TrialColumn.OFFER, *OUTCOMES], table.column_names, where=where
    )
    if lacking:
        raise DataError(*lacking)
    checks = RowChecks(where=where, user_id=table.column(USER_ID))
    frame = to_frame(table)
    if TrialColumn.CAMPAIGN not in frame:
        checks.unique_ids()
    arms = read_arms(frame[TrialColumn.OFFER], policy, checks)
    campaigns = read_campaigns(frame, policy.offer_ids, arms.code, checks)
    outcomes = checked_outcomes(table, checks)
    conversion, spend, cost = (outcomes[name] for name in OUTCOMES)
    logged = known_propensity(table, checks)
    joined = _joined_features(frame, policy, users, checks)
    numeric = {str(name): is_numeric_dtype(kind) for name, kind in joined.features.dtypes.items()}
    checks.faults.extend(misused_attributes(policy, numeric, where=where))
    checks.done()
    user_id = as_id(table.column(USER_ID)).to_pandas()
    if campaigns is not None:
        # one person may have a row in each campaign; both names together tell rows apart
        user_id = user_id.astype(str) + " · " + frame[TrialColumn.CAMPAIGN].astype(str)
    is_offered = arms.code >= 0
    arm = arms.code[is_offered]
    conversion, spend, cost = conversion[is_offered], spend[is_offered], cost[is_offered]
    return Trial(
        offers=policy.offer_ids,
        user_id=user_id[is_offered].reset_index(drop=True),
        features=joined.features[is_offered].reset_index(drop=True),
        arm=_frozen(arm),
        conversion=_frozen(conversion),
        spend=_frozen(spend),
        cost=_frozen(cost),
        propensity=_frozen(_propensity(logged, frame[TrialColumn.OFFER], campaigns)[is_offered]),
        ignored_rows=arms.ignored,
        counts=_counts(
            negative_spend=spend < 0,
            unknown_propensity=np.isnan(logged[is_offered]),
            spend_without_conversion=(spend > 0) & (conversion == 0),
            cost_in_control=(cost > 0) & (arm == 0),
        ),
        warnings=joined.warnings,
        campaigns=None if campaigns is None else campaigns.take(is_offered),
    )


def known_propensity(table: pa.Table, checks: RowChecks) -> FloatArray:
    """Return the logged propensity, (n,) float64, NaN where there is none."""
    if TrialColumn.PROPENSITY not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table.column(TrialColumn.PROPENSITY)
    logged = checks.numbers(TrialColumn.PROPENSITY, column).astype(np.float64, copy=False)
    outside = (logged <= 0) | (logged > 1)
    remedy = "log the probability of the arm that the row got"
    checks.refuse(
        outside,
        say("`{propensity}` is outside (0, 1]", propensity=TrialColumn.PROPENSITY),
        expected="above 0 and at most 1",
        remedy=remedy,
    )
    # the smallest probability of an arm: a row counts as its inverse
    rarest = 1e-6
    rare = (logged > 0) & (logged < rarest)
    expected = say("at least {rarest:.0e}", rarest=rarest)
    what = say(
        "`{propensity}` is so small that one row would count as a million",
        propensity=TrialColumn.PROPENSITY,
    )
    checks.refuse(rare, what, expected=expected, remedy=remedy)
    return logged


def _propensity(known: FloatArray, offer: pd.Series, campaigns: Campaigns | None) -> FloatArray:
    """Return `known` with arm shares where it is NaN, of its campaign's rows where it is NaN."""
    filled = known.copy()
    code = np.zeros(len(known), np.int16) if campaigns is None else campaigns.code
    for campaign in np.unique(code[np.isnan(known)]):
        unknown = np.isnan(known) & (code == campaign)
        arms = offer[unknown]
        filled[unknown] = arms.map(arms.value_counts(normalize=True)).to_numpy(dtype=np.float64)
    return filled


def _trial(content: dict[str, Any]) -> Trial:
    for name in ("ignored_rows", "counts"):
        content[name] = MappingProxyType(content[name])
    return Trial(**content)


def _counts(**rows: BoolArray) -> Mapping[str, int]:
    counts = {name: int(mask.sum()) for name, mask in rows.items()}
    return MappingProxyType({name: count for name, count in counts.items() if count})


def _frozen(array: Array) -> Array:
    view = array.view()
    view.setflags(write=False)
    return view


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Joined:
    """Features of a trial's rows, and what was left out on the way."""

    features: pd.DataFrame
    warnings: tuple[Message, ...] = ()


def _joined_features(
    frame: pd.DataFrame, policy: Policy, users: UserFile | None, checks: RowChecks
) -> _Joined:
    """Return the features of a trial; what is wrong with them goes to `checks`.

    Without `users`, every column that is not reserved is a feature. With them, only what they
    have too, in their order; columns that the trial lacks are joined by user_id. They must be
    joined when the policy names one, or when the trial has no feature of its own; otherwise they
    are left out if the trial's people are not among the users. Text that says dates becomes dates,
    but for columns that the policy names.
    """
    own = [str(name) for name in frame.columns if name not in RESERVED]
    if users is None:
        joined = _Joined(features=frame[own])
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


def _with_users(
    frame: pd.DataFrame, own: list[str], policy: Policy, users: UserFile, checks: RowChecks
) -> _Joined:
    shared = [name for name in users.features if name in own]
    lacking = [name for name in users.features if name not in own]
    _check_kinds(frame[shared], users, checks)
    unused = [name for name in own if name not in users.features]
    warnings = _left_out(unused, "not_in_users", checks.where)
    if not lacking:
        return _Joined(features=frame[shared], warnings=warnings)
    place = places(frame[USER_ID], users.user_id.to_pandas())
    if np.all(place >= 0):
        theirs = users.take(place).features[lacking].set_axis(frame.index, axis=0)
        both = pd.concat([frame[shared], theirs], axis=1)
        return _Joined(features=both[list(users.features)], warnings=warnings)
    if not shared or set(lacking) & set(policy.attribute_columns):
        what = say(
            "`{user_id}` is not among the users, so its features cannot be joined,",
            user_id=USER_ID,
        )
        remedy = say("add columns to the trial: {lacking}", lacking=tuple(lacking))
        checks.refuse(place < 0, what, remedy=remedy)
    more = _left_out(lacking, "not_in_trial", checks.where)
    return _Joined(features=frame[shared], warnings=(*warnings, *more))


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
