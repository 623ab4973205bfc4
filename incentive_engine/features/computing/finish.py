"""From the integers of the pass to features: the one place where anything is divided."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.features.computing.history_columns import HistoryColumn
from incentive_engine.features.computing.program import FeatureProgram, slots_of
from incentive_engine.features.computing.statistics import STATISTICS

Values = npt.NDArray[Any]
"""int64, or float64 with NaN where a feature is empty."""


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
    statistic = STATISTICS[column.verb]
    if statistic.divided is None:
        return parts[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = statistic.divided(*parts)
    filled = (parts[1] >= statistic.least) & np.isfinite(value)
    return np.where(filled, value, np.nan)
