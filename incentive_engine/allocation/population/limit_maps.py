"""Limits as sparse linear maps over the table of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from incentive_engine.allocation.limits import LinearLimit, Terms
from incentive_engine.allocation.population.units import CellTable, Units
from incentive_engine.allocation.problem import Question
from incentive_engine.domain import COST, FACE, ISSUED, MICROS, BoolArray, FloatArray, to_micros


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LimitRows:
    """The limits of a question, sorted by name.

    Attributes
    ----------
    limits
        The L limits behind the rows.
    matrix
        (L, (m + 1)·n_cells·k) sparse float64: usage per counted offer and unit of a measure.
    lower, upper
        (L,) float64, bounds in natural units, ∓inf where there is none.
    unit
        (L,) float64: 1 for a count, 1e6 for money, which are summed in integers; 0 otherwise.
    """

    TOLERANCE: ClassVar[float] = 1e-9
    """How far a sum of floats may pass a bound, relative to the amounts that were added; sums of
    money and of issued offers are integers and have none."""

    limits: tuple[LinearLimit, ...]
    matrix: sp.csr_array
    lower: FloatArray
    upper: FloatArray
    unit: FloatArray

    @property
    def names(self) -> tuple[str, ...]:
        """The limits' names, in the order of the rows."""
        return tuple(limit.name for limit in self.limits)

    def without(self, name: str) -> LimitRows:
        """Return the limits without one of them."""
        stays = np.array([limit.name != name for limit in self.limits], dtype=np.bool_)
        return LimitRows(
            limits=tuple(limit for limit in self.limits if limit.name != name),
            matrix=self.matrix[np.flatnonzero(stays)],
            lower=self.lower[stays],
            upper=self.upper[stays],
            unit=self.unit[stays],
        )

    def prices_of_pairs(self, prices: FloatArray, shape: tuple[int, int, int]) -> FloatArray:
        """Return (m + 1, n_cells, k) what each offer and each unit of a measure costs.

        Parameters
        ----------
        prices
            (L,) float64, one per limit.
        shape
            `Population.shape`.
        """
        flat = self.matrix.T @ prices
        return np.asarray(flat, dtype=np.float64).reshape(shape[0] - 1, *shape[1:])

    def widths_of_pairs(self, width: FloatArray, shape: tuple[int, int, int]) -> FloatArray:
        """Return (m + 1, n_cells, k) by how much these change at most within a box of prices.

        Parameters
        ----------
        width
            (L,) float64, half widths of the box.
        """
        flat = abs(self.matrix).T @ width
        return np.asarray(flat, dtype=np.float64).reshape(shape[0] - 1, *shape[1:])

    def counted(self, shape: tuple[int, int, int]) -> BoolArray:
        """Return (m,) bool: the measures that a limit counts.

        Parameters
        ----------
        shape
            `Population.shape`.
        """
        block = np.unique(self.matrix.indices // (shape[1] * shape[2]))
        return np.isin(np.arange(1, shape[0] - 1), block)

    def paid_per_unit(self, prices: FloatArray) -> FloatArray:
        """Return (L,) the most that a unit of each limit costs at prices of all limits."""
        flat = np.abs(self.matrix.T @ prices)
        per_unit = flat[self.matrix.indices] / np.abs(self.matrix.data)
        most = np.zeros(len(prices))
        np.maximum.at(
            most, np.repeat(np.arange(len(prices)), np.diff(self.matrix.indptr)), per_unit
        )
        return most

    def sizes_of_bounds(self) -> FloatArray:
        """Return (L,) the size of each limit's bounds, 1 where they are 0."""
        low = np.where(np.isfinite(self.lower), np.abs(self.lower), 0.0)
        high = np.where(np.isfinite(self.upper), np.abs(self.upper), 0.0)
        size = np.maximum(low, high)
        return np.where(size > 0, size, 1.0)

    def value_of_bounds(self, prices: FloatArray) -> float:
        """Return Σ price · (upper where the price is positive, lower where it is negative)."""
        binding = np.where(prices > 0, self.upper, np.where(prices < 0, self.lower, 0.0))
        return float(prices @ binding)

    def typical_prices(self, sizes: FloatArray) -> FloatArray:
        """Return (L,) the average value per unit of each limit.

        Parameters
        ----------
        sizes
            (m + 2, n_cells, k) float64, absolute amounts added over all pairs.
        """
        touched = sp.csr_array(abs(self.matrix))
        used = touched @ sizes[1:].ravel()
        tiled = np.tile(sizes[0].ravel(), len(sizes) - 1)
        value = (touched > 0).astype(float) @ tiled
        typical = sizes[0].sum() / max(sizes[1].sum(), 1.0) or 1.0
        each = np.where((value > 0) & (used > 0), value / np.maximum(used, 1e-300), typical)
        return np.asarray(each, dtype=np.float64)

    def usage(self, table: CellTable) -> FloatArray:
        """Return (L,) float64 the limits' sums."""
        return np.asarray(self.matrix @ table.amounts[1:].ravel(), dtype=np.float64)

    def exact_usage(self, table: CellTable) -> FloatArray:
        """Return (L,) the sums of a plan; those of money and counts from integers."""
        usage = self.usage(table)
        for i in np.flatnonzero(self.unit).tolist():
            usage[i] = self._whole(table, i) / self.unit[i]
        return usage

    def excess(self, table: CellTable) -> FloatArray:
        """Return (L,) how far a plan passes its bounds, 0 where it keeps them.

        Positive above the upper bound, negative below the lower one; natural units.
        """
        usage = self.usage(table)
        gross = np.asarray(abs(self.matrix) @ np.abs(table.amounts[1:]).ravel())
        slack = self.TOLERANCE * np.maximum(gross, np.minimum(abs(self.lower), abs(self.upper)))
        over = np.where(usage > self.upper + slack, usage - self.upper, 0.0)
        under = np.where(usage < self.lower - slack, usage - self.lower, 0.0)
        excess = over + under
        for i in np.flatnonzero(self.unit).tolist():
            excess[i] = self._whole_excess(table, i)
        return np.asarray(excess, dtype=np.float64)

    def residual(self, rest: CellTable) -> tuple[FloatArray, FloatArray]:
        """Return (L,) the bounds that remain when some users' choices stand; natural units."""
        used = self.usage(rest)
        lower, upper = self.lower - used, self.upper - used
        for i in np.flatnonzero(self.unit).tolist():
            whole, unit = self._whole(rest, i), int(self.unit[i])
            if np.isfinite(upper[i]):
                upper[i] = (_scaled(self.upper[i], unit, ROUND_FLOOR) - whole) / unit
            if np.isfinite(lower[i]):
                lower[i] = (_scaled(self.lower[i], unit, ROUND_CEILING) - whole) / unit
        return lower, upper

    def _whole(self, table: CellTable, row: int) -> int:
        picked = self.matrix[[row]]
        amounts = table.totals[1:].ravel()[picked.indices]
        measure = self.limits[row].terms[0][0]
        if measure == FACE:
            return sum(
                int(face) * int(count)
                for face, count in zip(np.rint(picked.data * MICROS), amounts, strict=True)
            )
        return int(amounts.sum())

    def _whole_excess(self, table: CellTable, row: int) -> float:
        whole, unit = self._whole(table, row), int(self.unit[row])
        if np.isfinite(self.upper[row]):
            most = _scaled(self.upper[row], unit, ROUND_FLOOR)
            if whole > most:
                return (whole - most) / unit
        if np.isfinite(self.lower[row]):
            least = _scaled(self.lower[row], unit, ROUND_CEILING)
            if whole < least:
                return (whole - least) / unit
        return 0.0

    def subset(self, keep: Sequence[int]) -> LimitRows:
        """Return some of the rows."""
        return LimitRows(
            limits=tuple(self.limits[i] for i in keep),
            matrix=self.matrix[list(keep)],
            lower=self.lower[list(keep)],
            upper=self.upper[list(keep)],
            unit=self.unit[list(keep)],
        )

    def with_bounds(self, lower: FloatArray, upper: FloatArray) -> LimitRows:
        """Return the rows with other bounds."""
        return LimitRows(
            limits=self.limits, matrix=self.matrix, lower=lower, upper=upper, unit=self.unit
        )


def _scaled(bound: float, unit: int, rounding: str) -> int:
    """Return a bound in whole units; its shortest decimal form is what the planner meant."""
    return int((Decimal(repr(float(bound))) * unit).to_integral_value(rounding=rounding))


def rows_of(question: Question, units: Units, limits: Sequence[LinearLimit]) -> LimitRows:
    """Return limits of a problem as rows, sorted by name.

    Parameters
    ----------
    limits
        Some of the problem's limits.
    """
    ordered = tuple(sorted(limits, key=lambda limit: limit.name))
    width = (units.shape[0] - 1) * units.n_cells * units.k
    rows = [_coefficients(question, units, limit) for limit in ordered]
    matrix = sp.csr_array(sp.vstack(rows)) if rows else sp.csr_array((0, width))
    inf = np.inf
    return LimitRows(
        limits=ordered,
        matrix=matrix,
        lower=_bounds([-inf if x.at_least is None else x.at_least for x in ordered]),
        upper=_bounds([inf if x.at_most is None else x.at_most for x in ordered]),
        unit=_bounds([_unit(limit) for limit in ordered]),
    )


def _bounds(numbers: list[float]) -> FloatArray:
    return np.array(numbers, dtype=np.float64)


def _unit(limit: LinearLimit) -> float:
    if len(limit.all_terms) != 1 or limit.terms[0][1] != 1.0:
        return 0.0
    return {COST: float(MICROS), FACE: float(MICROS), ISSUED: 1.0}.get(limit.terms[0][0], 0.0)


def _coefficients(question: Question, units: Units, limit: LinearLimit) -> sp.csr_array:
    cells: BoolArray = np.ones(units.n_cells, bool) if limit.cells is None else limit.cells
    offers: BoolArray = np.ones(units.k, bool) if limit.offers is None else limit.offers
    dense = _weights(question, units, limit.terms)
    dense *= cells[:, None] & offers[units.order]
    if limit.everywhere:
        dense += _weights(question, units, limit.everywhere)
    return sp.csr_array(dense.reshape(1, -1))


def _weights(question: Question, units: Units, terms: Terms) -> FloatArray:
    """Return (m + 1, n_cells, k) what each offer and each unit of a measure adds anywhere."""
    dense = np.zeros((units.shape[0] - 1, units.n_cells, units.k))
    for measure, coefficient in terms:
        if measure in question.measures:
            dense[1 + question.measures.index(measure)] += coefficient
        elif measure == FACE:
            assert question.face is not None
            dense[0] += coefficient * (to_micros(question.face) / MICROS)[units.order]
        else:
            dense[0] += coefficient
    return dense
