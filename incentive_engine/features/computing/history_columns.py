"""The columns that declarations make, in the order in which they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from incentive_engine.config.history import Declaration
from incentive_engine.config.offer import Offer
from incentive_engine.config.schedule.durations import Duration
from incentive_engine.domain import score_column


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryColumn:
    """One feature.

    Attributes
    ----------
    verb
        What is made: ``count``, ``sum``, …, ``gap_mean``, ``gap_std``, ``ratio``, ``match``.
    kind
        The kind of events that count; ``any`` is all.
    window
        How far back from the moment; None is the whole log.
    to
        The kind that a ratio divides by.
    offer
        The offer that a match is about.
    """

    name: str
    verb: str
    kind: str
    window: Duration | None = None
    to: str | None = None
    offer: str | None = None


def history_columns(
    declarations: Sequence[Declaration], offers: Sequence[Offer]
) -> tuple[HistoryColumn, ...]:
    """Return the columns of declarations, each once: kinds in order, windows within a kind.

    >>> declared = Declaration.model_validate({"count": ["order", "any"], "within": ["7d"]})
    >>> [column.name for column in history_columns([declared], [])]
    ['count_order_7d', 'count_any_7d']
    """
    columns = (column for each in declarations for column in _columns(each, offers))
    return tuple({column.name: column for column in columns}.values())


def _columns(declared: Declaration, offers: Sequence[Offer]) -> Iterator[HistoryColumn]:
    verb = declared.verb
    if declared.ratio is not None:
        for within in declared.within or ():
            name = f"ratio_{declared.ratio}_{declared.to}_{within}"
            yield HistoryColumn(
                name=name, verb=verb, kind=declared.ratio, window=within, to=declared.to
            )
        return
    for statistic, stem in _stems(declared):
        for kind in declared.kinds:
            for window in declared.within or (None,):
                name = f"{stem}_{kind}" if window is None else f"{stem}_{kind}_{window}"
                column = HistoryColumn(name=name, verb=statistic, kind=kind, window=window)
                yield from _per_offer(column, offers) if verb == "match" else (column,)


def _stems(declared: Declaration) -> list[tuple[str, str]]:
    """Return the statistics of a declaration, each with the beginning of its columns' names."""
    verb = declared.verb
    if declared.gap is not None:
        return [(f"gap_{statistic}", f"gap_{statistic}") for statistic in declared.gap]
    about = Declaration.VERBS[verb]
    return [(verb, verb if about == "kinds" else f"{verb}_{about}")]


def _per_offer(column: HistoryColumn, offers: Sequence[Offer]) -> Iterator[HistoryColumn]:
    for offer in offers:
        name = score_column(column.name, offer.id)
        yield HistoryColumn(
            name=name, verb=column.verb, kind=column.kind, window=column.window, offer=offer.id
        )
