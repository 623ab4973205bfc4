"""From the integers of the pass to features: the one place where anything is divided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.config.schedule.durations import DAY
from incentive_engine.domain import FloatArray
from incentive_engine.features.computing.columns import HistoryColumn
from incentive_engine.features.computing.program import FeatureProgram, slots_of

Values = npt.NDArray[Any]
"""int64, or float64 with NaN where a feature is empty."""
WHOLE_NUMBERS: Final = frozenset({"count", "sum", "distinct", "match", "active_days"})
"""Features that are integers and never empty."""
LEAST: Final = {"gap_mean": 2, "gap_std": 3, "dormancy": 2}
"""Events below which a feature is empty; of the others, 1."""
DIVIDED: Final[Mapping[str, Callable[..., FloatArray]]] = {
    "recency": lambda micros, _: micros / DAY,
    "tenure": lambda micros, _: micros / DAY,
    "mean": lambda total, count: total / count,
    "max": lambda most, _: most.astype(np.float64),
    "min": lambda least, _: least.astype(np.float64),
    "std": lambda squares, count: np.sqrt(squares) / count,
    "entropy": lambda logarithms, count: logarithms / count,
    "top_share": lambda top, count: top / count,
    "gap_mean": lambda span, count: span / ((count - 1) * DAY),
    "gap_std": lambda squares, count: np.sqrt(squares) / ((count - 1) * DAY),
    "ratio": lambda count, other: count / other,
    "recent_share": lambda count, whole: count / whole,
    "dormancy": lambda span, count, since: since * (count - 1.0) / span,
}


def finished(
    program: FeatureProgram, integers: npt.NDArray[np.int64], floats: npt.NDArray[np.float64]
) -> dict[str, Values]:
    """Return every column by its name, (rows,).

    Parameters
    ----------
    integers, floats
        (slots, rows), as `kernel.reckon` fills them.
    """
    slots = {
        slot: (floats if slot.is_float else integers)[place]
        for slot, place in program.slots.items()
    }
    return {
        column.name: _finished(column, *(slots[slot] for slot in slots_of(column, program.offers)))
        for column in program.columns
    }


def _finished(column: HistoryColumn, *parts: Values) -> Values:
    if column.verb in WHOLE_NUMBERS:
        return parts[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = DIVIDED[column.verb](*parts)
    filled = (parts[1] >= LEAST.get(column.verb, 1)) & np.isfinite(value)
    return np.where(filled, value, np.nan)
