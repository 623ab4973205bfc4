"""The integer program over a core, in coefficients that are exact or safely rounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from incentive_engine.allocation.dual.core import Core
from incentive_engine.allocation.integer.programs.cp_sat import Selection
from incentive_engine.allocation.integer.programs.decimals import decimals_of
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.units import CellTable
from incentive_engine.domain import ChoiceArray, FloatArray


def selection_of(
    rows: LimitRows,
    core: Core,
    rest: CellTable,
    current: ChoiceArray,
    *,
    margin: int,
    elastic: FloatArray | None = None,
) -> Selection:
    """Return the integer program over a core.

    Parameters
    ----------
    rest
        What everyone outside the core uses.
    current
        (N,) int16, the choices of the core's users to start from.
    margin
        Sums that are not exact in integers are rounded: 1 lets their bounds out by what the
        rounding can amount to, −1 takes them in.
    elastic
        (L,) float64, penalties per natural unit by which limits may be broken; None for none.
    """
    lower, upper = rows.residual(rest)
    steps = [
        _step(rows, core.usage[[row]].data, row, common=elastic is None)
        for row in range(len(rows.limits))
    ]
    # each pair's amount is rounded by at most one half, bounds by one
    play = margin * 2 * len(core.index)
    size = np.array([step.size for step in steps], dtype=np.float64)
    matrix = core.usage.multiply(size[:, None]).tocsr()
    matrix.data = np.rint(matrix.data)
    return Selection(
        objective=core.value,
        group=core.user,
        forced=core.few.forced,
        matrix=sp.csr_array(matrix.astype(np.int64)),
        lower=tuple(
            None if bound == -np.inf else -step.floor(-bound, play)
            for step, bound in zip(steps, lower.tolist(), strict=True)
        ),
        upper=tuple(
            None if bound == np.inf else step.floor(bound, play)
            for step, bound in zip(steps, upper.tolist(), strict=True)
        ),
        hint=core.pairs_of(current),
        elastic=np.empty(0) if elastic is None else elastic / size,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerScale:
    """The integers in which a row is counted.

    Attributes
    ----------
    unit
        Decimal units per natural unit, 0 where sums are rounded.
    common
        The decimal units in one step.
    size
        Steps per natural unit.
    whole
        Bounds are whole decimal units already.
    """

    unit: float
    common: int
    size: float
    whole: bool

    def floor(self, bound: float, play: int) -> int:
        """Return an upper bound in steps, let out by `play` where sums are rounded."""
        if not self.unit:
            return int(np.floor(bound * self.size)) + play
        scaled = bound * self.unit
        # a bound of a decimal sum this close to a step is meant to be on it
        close = 1e-9
        near = 0.0 if self.whole else close * max(abs(scaled), 1.0)
        units = round(scaled) if self.whole else int(np.floor(scaled + near))
        return units // self.common


def _step(rows: LimitRows, data: FloatArray, row: int, *, common: bool) -> IntegerScale:
    """Return the largest step that all amounts of a row are multiples of, if it is large enough.

    Money and counts have integers of their own; other amounts may be decimals. What is neither
    is rounded to a small part of the row's largest amount. With `common` false a step is a unit,
    so that breaking a bound is counted in units.
    """
    exact_unit = float(rows.unit[row])
    units = (exact_unit,) if exact_unit else None
    decimals = decimals_of(data, largest=Selection.LARGEST, units=units, common=common)
    if decimals is None:
        largest = float(np.max(np.abs(data), initial=0.0))
        return IntegerScale(
            unit=0.0, common=1, size=Selection.LARGEST / (largest or 1.0), whole=False
        )
    return IntegerScale(
        unit=decimals.unit,
        common=decimals.common,
        size=decimals.size,
        whole=bool(exact_unit),
    )
