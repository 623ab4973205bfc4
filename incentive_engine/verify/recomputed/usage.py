"""What chosen pairs add up to in every part of every limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import (
    COST,
    FACE,
    BoolArray,
    FloatArray,
    IntArray,
)

from .arithmetic import halves
from .limits import LimitGroup
from .pairs import OfferedPairs
from .rules import Rules


def empty_sums(rules: Rules) -> tuple[list[list[npt.NDArray[Any]]], list[list[FloatArray]]]:
    """Return zeros per group of limits, measure and part: of sums and of absolute values."""
    totals = [
        [
            np.zeros((2, len(group.names)), np.int64) if group.is_exact
            else np.zeros(len(group.names))
            for _ in group.measures
        ]
        for group in rules.groups
    ]  # fmt: skip
    return totals, [[np.zeros(len(group.names)) for _ in group.measures] for group in rules.groups]


def form_size(group: LimitGroup, *amounts: FloatArray) -> FloatArray:
    """Return (b,) the sum of the absolute values of the terms of a linear form."""
    if not group.is_ratio:
        return np.abs(amounts[0])
    top, bottom = map(np.abs, amounts)
    bound = group.at_least if group.at_least is not None else group.at_most
    return np.asarray(top + abs(float(bound or 0)) * bottom)


def linear_form(group: LimitGroup, *amounts: Any) -> Any:  # noqa: ANN401 - arrays or sums
    """Return what a price is put on: the measure, or r·b - a (a - r·b) of a ratio a / b."""
    if not group.is_ratio:
        return amounts[0]
    top, bottom = amounts
    if group.at_least is not None:
        return float(group.at_least) * bottom - top
    return top - float(group.at_most or 0) * bottom


def add_usage(
    group: LimitGroup,
    totals: list[npt.NDArray[Any]],
    scales: list[FloatArray],
    pairs: OfferedPairs,
    chosen: BoolArray,
) -> None:
    """Add what the chosen pairs count in each part of a limit."""
    rows = np.flatnonzero(chosen)
    part = None
    if group.part is not None:
        own = group.part[pairs.rows][rows]
        rows, part = rows[own >= 0], own[own >= 0]
    for position, name in enumerate(group.measures[:1] if group.of_plan else group.measures):
        if group.is_exact:
            _add(totals[position], halves(_whole_amounts(pairs, name, rows)), part)
            continue
        amounts = np.nan_to_num(pairs.measures[name][rows])
        _add(totals[position], amounts, part)
        _add(scales[position], np.abs(amounts), part)


def add_whole(
    group: LimitGroup,
    totals: npt.NDArray[Any],
    scales: FloatArray,
    pairs: OfferedPairs,
    chosen: BoolArray,
) -> None:
    """Add what the chosen pairs of any user are to the denominator of every part."""
    amounts = np.nan_to_num(pairs.measures[group.measures[1]][chosen])
    totals += amounts.sum()
    scales += np.abs(amounts).sum()


def _whole_amounts(pairs: OfferedPairs, name: str, rows: IntArray) -> IntArray:
    """Return a measure of the counted pairs, (m,) int64: millionths, or users."""
    if name == COST:
        return pairs.cost_micros[rows]
    return np.full(len(rows), pairs.face_micros if name == FACE else 1, dtype=np.int64)


def _add(sums: npt.NDArray[Any], amounts: npt.NDArray[Any], part: npt.NDArray[Any] | None) -> None:
    """Add amounts, (…, m), to the sum of each part, (…, parts)."""
    for target, values in zip(np.atleast_2d(sums), np.atleast_2d(amounts), strict=True):
        if part is None:
            target[0] += values.sum()
        else:
            np.add.at(target, part, values)
