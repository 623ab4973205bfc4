"""What a campaign's tables lack for its policy, told from metadata and some of their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine import knobs
from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.attributes import (
    missing_attributes,
    misused_attributes,
    named_attributes,
    reserved_attributes,
    unseen_values,
)
from incentive_engine.data.columns.features import unknown_features
from incentive_engine.data.row_checks import RowChecks, missing_columns
from incentive_engine.data.sources.source import Source
from incentive_engine.data.tables.arrow import is_number
from incentive_engine.data.trials.arms import check_arms
from incentive_engine.data.trials.campaigns import RESERVED, TrialColumn
from incentive_engine.data.trials.outcomes import checked_outcomes
from incentive_engine.data.trials.trial import known_propensity
from incentive_engine.domain import CONTROL, OUTCOMES, USER_ID
from incentive_engine.errors import Fault
from incentive_engine.language import Message, say


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCheck:
    """What was found of one table.

    Attributes
    ----------
    name
        `users` or `trial`.
    rows
        How many there are, None where only a sample of a CSV file was read.
    columns
        How many there are.
    faults
        What stops a run.
    warnings
        What a planner should know.
    arms
        Of a trial: how many of the rows that were looked at got which arm.
    """

    name: str
    rows: int | None
    columns: int
    faults: tuple[Fault, ...]
    warnings: tuple[Message, ...]
    arms: tuple[tuple[str, int], ...] = ()

    def message(self) -> Message:
        """Return the table in a line."""
        table = say(
            "checked.table",
            name=say(f"checked.{self.name}"),
            rows=say("checked.many_rows")
            if self.rows is None
            else say("checked.rows", rows=self.rows),
            columns=self.columns,
        )
        if not self.arms:
            return table
        arms = tuple(f"{name} {count:,}" for name, count in self.arms)
        return say("checked.arms", table=table, arms=arms)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Look:
    """The rows of a table that are looked at.

    Attributes
    ----------
    source
        The table.
    rows
        Some of its rows or all, and only the columns that matter.
    whole
        Whether these are all.
    """

    source: Source
    rows: pa.Table
    whole: bool

    @classmethod
    def at(cls, source: Source, names: set[str]) -> _Look:
        rows, whole = source.sample(names, knobs.MEMORY.checked_rows)
        return cls(source=source, rows=rows, whole=whole)

    @property
    def where(self) -> str:
        sampled = "" if self.whole else f" (a sample of {self.rows.num_rows:,} rows)"
        return f"{self.source.where}{sampled}"

    @property
    def count(self) -> int | None:
        return self.rows.num_rows if self.whole else self.source.rows()

    def checks(self) -> RowChecks:
        """Return checks of the rows, the ids of a whole table checked already."""
        has_ids = USER_ID in self.rows.column_names
        ids = self.rows.column(USER_ID) if has_ids else pa.nulls(self.rows.num_rows)
        checks = RowChecks(where=self.where, user_id=ids)
        if has_ids and self.whole and TrialColumn.CAMPAIGN not in self.source.columns:
            checks.unique_ids()
        return checks


def check_users(policy: Policy, source: Source) -> TableCheck:
    """Look at the users to decide on."""
    names, where = source.columns, source.where
    faults = missing_columns([USER_ID], names, where=where)
    faults += missing_attributes(policy, names, where=where)
    faults += reserved_attributes(policy, RESERVED)
    look = _Look.at(source, {USER_ID, *policy.attribute_columns})
    numeric = {field.name: is_number(field.type) for field in look.rows.schema}
    faults += misused_attributes(policy, numeric, where=where)
    attributes = named_attributes(policy, look.rows)
    unseen = unseen_values(policy, attributes, where=look.where)
    return TableCheck(
        name="users",
        rows=look.count,
        columns=len(names),
        faults=(*faults, *look.checks().found()),
        warnings=tuple(unseen),
    )


def check_trial(policy: Policy, source: Source, users: Source | None) -> TableCheck:
    """Look at the log of the randomised trial."""
    names, where = source.columns, source.where
    faults = missing_columns([USER_ID, TrialColumn.OFFER, *OUTCOMES], names, where=where)
    theirs = () if users is None else users.columns
    faults += unknown_features(policy, (*names, *theirs), where)
    if users is None:
        faults += missing_attributes(policy, names, where=where)
    look = _Look.at(source, {USER_ID, TrialColumn.OFFER, *OUTCOMES, TrialColumn.PROPENSITY})
    checks = look.checks()
    checked_outcomes(look.rows, checks)
    known_propensity(look.rows, checks)
    arms: Counter[str] = Counter()
    if TrialColumn.OFFER in names:
        arms = Counter(dict(_values(look.rows.column(TrialColumn.OFFER))))
        check_arms(arms, policy, checks, whole=look.whole)
    order = [name for name in (CONTROL, *policy.offer_ids) if name in arms]
    others = [name for name, _ in arms.most_common() if name not in order]
    return TableCheck(
        name="trial",
        rows=look.count,
        columns=len(names),
        faults=(*faults, *checks.found()),
        warnings=(),
        arms=tuple((name, arms[name]) for name in (*order, *others[: len(order) + 3])),
    )


def check_campaign(
    policy: Policy, users: Source | None, trial: Source | None
) -> Iterator[TableCheck]:
    """Yield what was found of the tables that a campaign has."""
    if users is not None:
        yield check_users(policy, users)
    if trial is not None:
        yield check_trial(policy, trial, users)


def _values(column: pa.ChunkedArray) -> Iterator[tuple[str, int]]:
    """Yield the values of a column as text, and how often each occurs; missing ones are none."""
    for row in pc.value_counts(column).to_pylist():
        if row["values"] is not None:
            yield str(row["values"]), row["counts"]
