"""Which features a policy's logs can give, and what must not be asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Protocol

from incentive_engine.config.history import ANY, Declaration, History
from incentive_engine.config.policy import Policy
from incentive_engine.config.schedule.durations import DAY
from incentive_engine.data.sources.source import Source
from incentive_engine.errors import ConfigError, DataError, Fault, nearest
from incentive_engine.features.computing.history_columns import HistoryColumn, history_columns
from incentive_engine.features.computing.standard import KINDS, LogContent, standard_declarations
from incentive_engine.features.logs.log import LogCounts
from incentive_engine.features.logs.moments import MomentRows, read_rows
from incentive_engine.features.logs.vocabulary import category_text
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePlan:
    """The features to make.

    Attributes
    ----------
    columns
        In the order in which they are written.
    offer_categories
        Each offer's categories, in the order of the offers.
    delay
        Microseconds.
    """

    LEAST_COVERED: ClassVar = 0.95
    """Share of a window that a log must hold at the earliest moment: its first event says when it
    begins only about."""

    columns: tuple[HistoryColumn, ...]
    offer_categories: Mapping[str, tuple[str, ...]]
    delay: int


class LogContents(Protocol):
    """What the logs of a policy hold."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of all logs."""
        ...

    @property
    def logs(self) -> tuple[LogCounts, ...]:
        """Return what each log holds."""
        ...


def feature_plan(
    policy: Policy, log: LogContents, tables: Mapping[str, MomentRows]
) -> FeaturePlan:
    """Return the features that a policy declares, the same for every table.

    Parameters
    ----------
    tables
        ``users``, ``trial`` or both.

    Raises
    ------
    ConfigError, DataError
        When a kind never occurs, a log is empty before every moment, or a window is longer than
        the log at the earlier moment: such a feature drifts by itself.
    """
    history = history_of(policy)
    earliest = min(rows.span[0] for rows in tables.values())
    latest = max(rows.span[1] for rows in tables.values())
    _refuse_empty(log, latest - history.delay.micros, tables)
    if isinstance(history.features, str):
        declared = _standard(policy, history, log, earliest)
    else:
        declared = history.features
        if faults := [*unknown_kinds(policy, declared, log)]:
            raise ConfigError(*faults)
        if earliest != latest and (faults := [*_long_windows(policy, declared, log, earliest)]):
            raise ConfigError(*faults)
    return FeaturePlan(
        columns=history_columns(declared, policy.offers),
        offer_categories={
            offer.id: tuple(map(category_text, offer.categories)) for offer in policy.offers
        },
        delay=history.delay.micros,
    )


def history_of(policy: Policy) -> History:
    """Return what a policy says of history.

    Raises
    ------
    ConfigError
        When it says nothing.
    """
    if policy.history is None:
        remedy = "name the logs under `history: {events: …}`"
        raise ConfigError(Fault(policy.locate(("history",)), "is missing", remedy=remedy))
    return policy.history


def read_moments(
    policy: Policy, tables: Mapping[str, Source], *, at_most: int | None = None
) -> dict[str, MomentRows]:
    """Return the rows of each table with their moments; so many of them, or all.

    Raises
    ------
    ConfigError, DataError
        When the policy names no moment of a table, or a row has none.
    """
    history = history_of(policy)
    moments = {"users": history.moments.users, "trial": history.moments.trial}
    rows = {}
    for name, table in tables.items():
        key, moment = f"history.moments.{name}", moments[name]
        if moment is None:
            where = policy.locate(("history", "moments"))
            what = say("names no moment of the {name}", name=name)
            raise ConfigError(Fault(where, what, "a time, or the column that holds it"))
        rows[name] = read_rows(table, moment, zone=history.timezone, key=key, at_most=at_most)
    return rows


def _refuse_empty(log: LogContents, until: int, tables: Mapping[str, MomentRows]) -> None:
    first = min(own.first for own in log.logs if own.first is not None)
    if first >= until:
        where = ", ".join(own.where for own in log.logs)
        what = say("holds nothing before any moment of {tables}", tables=" and ".join(tables))
        expected = say(
            "events before {moment}; the first is at {first}",
            moment=_written(until),
            first=_written(first),
        )
        raise DataError(Fault(where, what, expected, "see `history.moments` and time zones"))


def _standard(
    policy: Policy, history: History, log: LogContents, earliest: int
) -> tuple[Declaration, ...]:
    content = LogContent(
        kinds=[kind for kind in KINDS if kind in log.kinds],
        amounts=any(own.amount is not None for own in history.logs),
        categories=any(own.category is not None for own in history.logs),
        offer_categories=any(offer.categories for offer in policy.offers),
        # a window counts as held from that share of its length on
        span=round((earliest - _begins(log, ANY)) / FeaturePlan.LEAST_COVERED),
    )
    if not content.kinds:
        what = say(
            "the standard set is about {kinds}, and no event is of such a kind", kinds=tuple(KINDS)
        )
        remedy = say("list declarations; the logs have {listed}", listed=_listed(log.kinds))
        raise ConfigError(Fault(policy.locate(("history", "features")), what, remedy=remedy))
    return standard_declarations(content)


def unknown_kinds(
    policy: Policy, declared: Sequence[Declaration], log: LogContents
) -> Iterator[Fault]:
    """Yield the kinds that are declared, and that no event has."""
    for index, declaration in enumerate(declared):
        for kind in declaration.kinds:
            if kind not in {ANY, *log.kinds}:
                where = policy.locate(("history", "features", index))
                what = say("no event is of the kind `{kind}`", kind=kind)
                yield Fault(where, what, remedy=nearest(kind, log.kinds[:20]))


def _long_windows(
    policy: Policy, declared: Sequence[Declaration], log: LogContents, earliest: int
) -> Iterator[Fault]:
    for index, declaration in enumerate(declared):
        begins = max(_begins(log, kind) for kind in declaration.kinds)
        covered = earliest - begins
        for window in declaration.within or ():
            if covered < FeaturePlan.LEAST_COVERED * window.micros:
                where = policy.locate(("history", "features", index, "within"))
                what = say(
                    "{window} is longer than the log at the earliest moment ({moment}), "
                    "which begins at {first}",
                    window=window,
                    moment=_written(earliest),
                    first=_written(begins),
                )
                remedy = "the feature would drift by itself; take a shorter window"
                expected = say("at most {days} days", days=max(covered, 0) // DAY)
                yield Fault(where, what, expected, remedy)


def _begins(log: LogContents, kind: str) -> int:
    """Return when the last of the logs that hold a kind begins, microseconds."""
    firsts = [own.first for own in log.logs if own.first is not None and kind in {ANY, *own.kinds}]
    return max(firsts)


def _written(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(kinds[:20]) or "none"
