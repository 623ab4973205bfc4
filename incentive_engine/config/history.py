"""What a policy says of behaviour history: its logs, the moments, and the features to make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from incentive_engine.config.access.location import DataPath
from incentive_engine.config.document.models import Model
from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.document.words import Words
from incentive_engine.config.fields import Column, Name
from incentive_engine.config.schedule.durations import Duration, DurationField, Window
from incentive_engine.config.schedule.moments import TimeZone
from incentive_engine.language import say

ANY: Final = "any"
"""The kind that every event is of."""


def is_dated(text: str) -> bool:
    """Return whether a text begins as a point in time does, and a column's name does not."""
    return re.match(r"\d{4}-?\d{2}", text) is not None


def _as_tuple(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    return value if isinstance(value, tuple) or value is None else (value,)


def _moment_or_column(value: object) -> object:
    if isinstance(value, datetime):
        value = str(value)
    if isinstance(value, str) and is_dated(value):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            reject(
                FieldProblem(
                    (),
                    say("{value} is not a time", value=repr(value)),
                    "such as 2026-11-10 20:00, or a column",
                )
            )
    return value


def _as_kinds(value: object) -> object:
    values = _as_tuple(value)
    if not isinstance(values, tuple):
        return values
    # kinds of events are often numbered, and YAML reads numbers
    return tuple(str(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in values)


Kinds = Annotated[
    tuple[Name, ...],
    BeforeValidator(_as_kinds),
    Field(min_length=1, strict=False),
    Words("a list of kinds of events; `any` is all"),
]
Windows = Annotated[
    tuple[Window, ...],
    BeforeValidator(_as_tuple),
    Field(min_length=1, strict=False),
    Words("a list of lengths of time such as 7d"),
]
OfCategory = Annotated[Literal["category"], Words("`category`")]
OfAmount = Annotated[Literal["amount"], Words("`amount`")]
MomentOrColumn = Annotated[
    str,
    BeforeValidator(_moment_or_column),
    Words("a time such as 2026-11-10 20:00, or the column that holds it"),
]


class Constant(Model):
    """The same value for every row of a log."""

    constant: Name
    """The value."""


def _mapping_or_text(value: object) -> str:
    return "constant" if isinstance(value, Mapping | Constant) else "column"


KindColumn = Annotated[
    Annotated[Constant, Tag("constant")] | Annotated[Column, Tag("column")],
    Discriminator(_mapping_or_text),
    Words("a column, or `{constant: KIND}`"),
]


class EventLog(Model):
    """One log of what users did: one row per thing that happened."""

    source: DataPath
    """Where the rows are."""
    user: Column = "user_id"
    """The column with the user's id."""
    time: Column
    """The column that says when it happened."""
    kind: KindColumn
    """What kind of thing it was, such as order or visit."""
    category: Column | None = None
    """The column with the category that it was about."""
    amount: Column | None = None
    """The column with the amount, in whole minor units such as cents."""
    known: Column | None = None
    """The column that says when the row arrived; one that arrived after the moment is unseen."""
    campaign: Column | None = None
    """The column with the campaign that it belongs to; see `own_campaigns`."""


class Moments(Model):
    """The moments before which history counts: an event at the moment itself is unseen."""

    trial: MomentOrColumn | None = None
    """When each row of the trial was dealt its arm: a column of the trial, or one time."""
    users: MomentOrColumn | None = None
    """When the users are decided on: one time, or a column of the users."""


class Declaration(Model):
    """Features of one sort, for each kind, statistic and window that it lists."""

    VERBS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            ("count", "recency", "tenure", "active_days", "dormancy", "recent_share"), "kinds"
        ),
        **dict.fromkeys(("sum", "mean", "max", "min", "std"), "amount"),
        **dict.fromkeys(("distinct", "entropy", "top_share", "match"), "category"),
        "gap": "statistics",
        "ratio": "kind",
    }
    """What a declaration may ask for, and what is written behind it: kinds of events, or `amount`
    or `category`, the column that it is about."""

    count: Kinds | None = None
    """Number of events of these kinds."""
    sum: OfAmount | None = None
    """Sum of the amounts; 0 without any."""
    mean: OfAmount | None = None
    """Mean amount; empty without any."""
    max: OfAmount | None = None
    """Largest amount; empty without any."""
    min: OfAmount | None = None
    """Smallest amount; empty without any."""
    std: OfAmount | None = None
    """Population standard deviation of the amounts; empty without any."""
    recency: Kinds | None = None
    """Days since the last event; empty without any."""
    tenure: Kinds | None = None
    """Days since the first event; empty without any."""
    active_days: Kinds | None = None
    """Number of days before the moment, counted back from it, that hold an event."""
    dormancy: Kinds | None = None
    """Days since the last event, in mean gaps between events of the window; empty with fewer than
    two events."""
    recent_share: Kinds | None = None
    """Share of the window's events that are in its later half; empty without any."""
    distinct: OfCategory | None = None
    """Number of different categories."""
    entropy: OfCategory | None = None
    """Entropy of the categories, natural logarithm; empty without any."""
    top_share: OfCategory | None = None
    """Share of the most frequent category; empty without any."""
    match: OfCategory | None = None
    """For each offer, the number of events whose category is among the offer's `categories`."""
    gap: (
        Annotated[
            tuple[Literal["mean", "std"], ...],
            BeforeValidator(_as_tuple),
            Field(min_length=1, strict=False),
            Words("a list of `mean` and `std`"),
        ]
        | None
    ) = None
    """Days between successive events: mean, and population standard deviation."""
    ratio: Name | None = None
    """The kind whose events are divided by those of `to`; empty where there are none of these."""
    to: Name | None = None
    """With `ratio`: the kind to divide by."""
    of: Kinds | None = None
    """The kinds of events that count; one feature for each."""
    within: Windows | None = None
    """How far back from the moment; one feature for each."""

    @property
    def verb(self) -> str:
        """What the declaration asks for."""
        return next(verb for verb in Declaration.VERBS if getattr(self, verb) is not None)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that the declaration names, each once."""
        if self.ratio is not None and self.to is not None:
            return tuple(dict.fromkeys((self.ratio, self.to)))
        listed = getattr(self, self.verb) if Declaration.VERBS[self.verb] == "kinds" else self.of
        return tuple(dict.fromkeys(listed or ()))

    @model_validator(mode="after")
    def _complete(self) -> Self:
        written = [verb for verb in Declaration.VERBS if getattr(self, verb) is not None]
        if len(written) != 1:
            what = (
                say("asks for {written}", written=tuple(written))
                if written
                else "asks for nothing"
            )
            reject(FieldProblem((), what, say("one of {verbs}", verbs=tuple(Declaration.VERBS))))
        verb = written[0]
        needs = {
            # what looks at all that was before the moment, and takes no window
            "within": verb not in {"recency", "tenure"},
            "of": Declaration.VERBS[verb] not in {"kinds", "kind"},
            "to": verb == "ratio",
        }
        problems = []
        for key, needed in needs.items():
            given = getattr(self, key) is not None
            if needed and not given:
                problems.append(
                    FieldProblem(
                        (key,), say("is missing beside `{verb}`", verb=verb), _example(key)
                    )
                )
            if given and not needed:
                why = say("`{verb}` takes no `{name}`", verb=verb, name=key)
                problems.append(FieldProblem((key,), why, remedy="leave it out"))
        if problems:
            reject(*problems)
        return self


def _example(key: str) -> str:
    return {"within": "such as [7d, 90d]", "of": "such as [order]", "to": "a kind"}[key]


def _as_logs(value: object) -> object:
    return value if isinstance(value, str) else _as_tuple(value)


def _list_or_text(value: object) -> str:
    return "list" if isinstance(value, list | tuple) else "set"


Logs = Annotated[
    Annotated[tuple[EventLog, ...], Field(min_length=1, strict=False), Tag("list")]
    | Annotated[Literal["sample"], Tag("set")],
    Discriminator(_list_or_text),
    BeforeValidator(_as_logs),
    Words("a list of logs, or `sample`"),
]
Declared = Annotated[
    Annotated[tuple[Declaration, ...], Field(strict=False), Tag("list")]
    | Annotated[Literal["standard"], Tag("set")],
    Discriminator(_list_or_text),
    Words("`standard`, or a list of declarations"),
]


class History(Model):
    """Behaviour history: event logs, and the features made of them at each row's moment."""

    events: Logs
    """The logs; `sample` is the one that a sample campaign makes itself."""
    timezone: TimeZone = "UTC"
    """The zone of times that name none."""
    delay: DurationField = Duration("0s", 0)
    """What the pipeline needs: events later than this before the moment are unseen."""
    moments: Moments = Moments()
    """When each row is decided on; a sample's log brings its own."""
    features: Declared = "standard"
    """What to make of the logs."""
    own_campaigns: tuple[Name, ...] = Field(default=(), strict=False)
    """Campaigns of the logs' `campaign` columns that are left out, such as the trial's own: its
    coupons may be stamped before the moment at which their users were drawn."""

    @property
    def logs(self) -> tuple[EventLog, ...]:
        """The logs; none yet where they are the sample's."""
        return () if isinstance(self.events, str) else self.events

    @model_validator(mode="after")
    def _as_a_whole(self) -> Self:
        if isinstance(self.events, str):
            return self
        problems = [
            *self._logs_named_twice(),
            *self._features_named_twice(),
            *self._features_of_missing_columns(),
        ]
        if self.moments.trial is None and self.moments.users is None:
            problems.append(FieldProblem(("moments",), "names no moment", "trial, users, or both"))
        if self.own_campaigns and all(log.campaign is None for log in self.logs):
            what = "no log says which campaign its rows belong to"
            problems.append(
                FieldProblem(("own_campaigns",), what, "a log with `campaign: COLUMN`")
            )
        if problems:
            reject(*problems)
        return self

    def _logs_named_twice(self) -> list[FieldProblem]:
        logs = [(log.source, log.time, log.kind) for log in self.logs]
        return [
            FieldProblem(
                ("events", index, "source"),
                "the same log stands here twice, and each of its rows would count twice",
                remedy="take one out",
                other=("history", "events", logs.index(log), "source"),
            )
            for index, log in enumerate(logs)
            if log in logs[:index]
        ]

    def _features_named_twice(self) -> list[FieldProblem]:
        if isinstance(self.features, str):
            return []
        if not self.features:
            return [
                FieldProblem(("features",), "is empty", "`standard`, or a list of declarations")
            ]
        return [
            FieldProblem(("features", index), "is there already", remedy="take one out")
            for index, declaration in enumerate(self.features)
            if declaration in self.features[:index]
        ]

    def _features_of_missing_columns(self) -> list[FieldProblem]:
        if isinstance(self.features, str):
            return []
        problems = []
        for column in ("amount", "category"):
            if any(getattr(log, column) is not None for log in self.logs):
                continue
            what, expected = (
                say("no log has an `{column}`", column=column),
                say("`{column}: COLUMN` in a log", column=column),
            )
            problems += [
                FieldProblem(("features", index), what, expected)
                for index, declaration in enumerate(self.features)
                if Declaration.VERBS[declaration.verb] == column
            ]
        return problems
