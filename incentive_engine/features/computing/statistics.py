"""How each statistic of behaviour history is made from the integers of the compiled pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from incentive_engine.config.schedule.durations import DAY
from incentive_engine.domain import FloatArray
from incentive_engine.features.computing import kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One statistic of a user's events.

    Attributes
    ----------
    family
        What it tells of, by which features are judged together.
    needs
        The numbers of the pass that it is made of, such as ``COUNT``.
    divided
        How it is made of them; None where it is the first of them, an integer and never empty.
    least
        Events below which it is empty.
    uses
        What the pass has to keep for it, as bits.
    per_category
        Whether the pass has to count per category.
    """

    family: str
    needs: tuple[int, ...]
    divided: Callable[..., FloatArray] | None = None
    least: int = 1
    uses: int = 0
    per_category: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it is an integer, which is never empty."""
        return self.divided is None


def _in_days(micros: FloatArray, _: FloatArray) -> FloatArray:
    return micros / DAY


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    return numerator / denominator


def _extreme(amount: FloatArray, _: FloatArray) -> FloatArray:
    return amount.astype(np.float64)


STATISTICS: Final[Mapping[str, Statistic]] = {
    "count": Statistic(family="frequency", needs=(kernel.COUNT,)),
    "recency": Statistic(family="recency", needs=(kernel.LAST, kernel.COUNT), divided=_in_days),
    "tenure": Statistic(family="recency", needs=(kernel.FIRST, kernel.COUNT), divided=_in_days),
    "active_days": Statistic(family="frequency", needs=(kernel.ACTIVE,), uses=kernel.USES_DAYS),
    "sum": Statistic(family="money", needs=(kernel.SUM,), uses=kernel.USES_AMOUNT),
    "mean": Statistic(
        family="money",
        needs=(kernel.SUM, kernel.AMOUNTS),
        divided=_ratio,
        uses=kernel.USES_AMOUNT,
    ),
    "max": Statistic(
        family="money",
        needs=(kernel.MOST, kernel.AMOUNTS),
        divided=_extreme,
        uses=kernel.USES_AMOUNT,
    ),
    "min": Statistic(
        family="money",
        needs=(kernel.LEAST, kernel.AMOUNTS),
        divided=_extreme,
        uses=kernel.USES_AMOUNT,
    ),
    "std": Statistic(
        family="money",
        needs=(kernel.AMOUNT_SQUARES, kernel.AMOUNTS),
        divided=lambda squares, count: np.sqrt(squares) / count,
        uses=kernel.USES_AMOUNT | kernel.USES_AMOUNT_SQUARES,
    ),
    "distinct": Statistic(family="categories", needs=(kernel.DISTINCT,), per_category=True),
    "entropy": Statistic(
        family="categories",
        needs=(kernel.LOGARITHMS, kernel.CATEGORIES),
        divided=_ratio,
        per_category=True,
    ),
    "top_share": Statistic(
        family="categories",
        needs=(kernel.TOP, kernel.CATEGORIES),
        divided=_ratio,
        per_category=True,
    ),
    "match": Statistic(family="match", needs=(kernel.MATCH,), uses=kernel.USES_MATCH),
    # n events have n − 1 gaps
    "gap_mean": Statistic(
        family="rhythm",
        needs=(kernel.SPAN, kernel.COUNT),
        divided=lambda span, count: span / ((count - 1) * DAY),
        least=2,
    ),
    "gap_std": Statistic(
        family="rhythm",
        needs=(kernel.GAP_SQUARES, kernel.COUNT),
        divided=lambda squares, count: np.sqrt(squares) / ((count - 1) * DAY),
        least=3,
        uses=kernel.USES_GAP_SQUARES,
    ),
    "ratio": Statistic(family="habits", needs=(kernel.COUNT,), divided=_ratio),
    # days since the last event, in mean gaps
    "dormancy": Statistic(
        family="rhythm",
        needs=(kernel.SPAN, kernel.COUNT, kernel.LAST),
        divided=lambda span, count, since: since * (count - 1.0) / span,
        least=2,
    ),
    # the later half of the window, and all of it
    "recent_share": Statistic(family="rhythm", needs=(kernel.COUNT,), divided=_ratio),
}
"""By the name that a feature's column begins with."""
