"""The standard set: about sixty features that are good for coupons."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Self

from incentive_engine.config.history import Declaration
from incentive_engine.config.schedule.durations import parse_duration

KINDS: Final = ("order", "visit", "issue", "redeem")
"""The kinds that the standard set is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogContent:
    """What the logs of a policy have.

    Attributes
    ----------
    kinds
        The kinds of events that occur.
    span
        Microseconds that every log reaches back from the earliest moment.
    """

    kinds: Collection[str]
    amounts: bool
    categories: bool
    offer_categories: bool
    span: int

    @classmethod
    def everything(cls) -> Self:
        """Return what a log has that can answer all of the standard set."""
        return cls(kinds=KINDS, amounts=True, categories=True, offer_categories=True, span=1 << 62)


def standard_declarations(content: LogContent) -> tuple[Declaration, ...]:
    """Return the declarations of the standard set that the logs of a policy can answer.

    Kinds that do not occur, windows that the logs do not reach back, and what needs an amount or
    a category that no log has, are left out.
    """
    standard = (
        # recency, frequency, money
        {"recency": list(KINDS)},
        {"tenure": ["any", "order"]},
        {"count": list(KINDS), "within": ["7d", "30d", "90d", "365d"]},
        {"sum": "amount", "of": ["order"], "within": ["30d", "90d", "365d"]},
        {"mean": "amount", "of": ["order"], "within": ["90d", "365d"]},
        {"max": "amount", "of": ["order"], "within": ["365d"]},
        {"std": "amount", "of": ["order"], "within": ["365d"]},
        # rhythm, its change, and how long the user sleeps by it
        {"gap": ["mean", "std"], "of": ["order"], "within": ["90d", "365d"]},
        {"gap": ["mean"], "of": ["visit"], "within": ["90d"]},
        {"dormancy": ["order"], "within": ["90d", "365d"]},
        {"dormancy": ["visit"], "within": ["90d"]},
        {"recent_share": ["order"], "within": ["90d", "365d"]},
        {"recent_share": ["visit"], "within": ["30d"]},
        {"active_days": ["any"], "within": ["30d", "90d"]},
        # breadth of categories, and what each offer can be spent on
        {"distinct": "category", "of": ["order"], "within": ["90d", "365d"]},
        {"entropy": "category", "of": ["order"], "within": ["365d"]},
        {"top_share": "category", "of": ["order"], "within": ["365d"]},
        {"match": "category", "of": ["order"], "within": ["90d", "365d"]},
        {"match": "category", "of": ["visit"], "within": ["30d"]},
        # coupons: what is redeemed of what is issued, and of what is bought
        {"ratio": "redeem", "to": "issue", "within": ["90d", "365d"]},
        {"ratio": "redeem", "to": "order", "within": ["90d", "365d"]},
        {"ratio": "order", "to": "visit", "within": ["30d", "90d"]},
    )
    declared = (_answered(dict(written), content) for written in standard)
    return tuple(Declaration.model_validate(written) for written in declared if written)


def _answered(written: dict[str, Any], content: LogContent) -> dict[str, Any]:
    """Return what of a declaration can be answered; nothing where nothing can."""
    lacking = (
        ("match" in written and not content.offer_categories)
        or ("amount" in written.values() and not content.amounts)
        or ("category" in written.values() and not content.categories)
        or ("ratio" in written and not {written["ratio"], written["to"]} <= {*content.kinds})
    )
    if lacking:
        return {}
    for key in ("recency", "tenure", "count", "dormancy", "recent_share", "active_days", "of"):
        if key in written:
            written[key] = [kind for kind in written[key] if kind in {*content.kinds, "any"}]
            if not written[key]:
                return {}
    if "within" in written:
        windows = [w for w in written["within"] if parse_duration(w).micros <= content.span]
        written["within"] = windows
        if not windows:
            return {}
    return written
