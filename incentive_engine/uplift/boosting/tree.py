"""One tree of LightGBM, as its model file has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import FloatArray, IntArray

MOST_CODES: Final = 256
"""Codes of a category from 0 on; models with larger ones are LightGBM's own business."""


class DecisionType(IntFlag):
    """Bits of LightGBM's ``decision_type``."""

    CATEGORICAL = 1
    DEFAULT_LEFT = 2
    NAN_IS_MISSING = 8
    MISSING_TYPE = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tree:
    """One tree: its s splits in LightGBM's order, and its s + 1 leaves.

    Attributes
    ----------
    column, threshold, missing_left, stays, table, by_code
        As of `Forest`, but the thresholds are float64, and the last is None with too many codes.
    leaf : (s + 1,) float64
        In LightGBM's order.
    order : (s + 1,) int64
        Of the leaves from left to right.
    """

    column: IntArray
    threshold: FloatArray
    missing_left: npt.NDArray[np.bool_]
    stays: npt.NDArray[np.uint8]
    table: IntArray
    by_code: npt.NDArray[np.uint8] | None
    leaf: FloatArray
    order: IntArray

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Tree:
        """Read a tree's fields; a tree with too many leaves has no use for `stays`."""
        left, right = _ints(fields, "left_child"), _ints(fields, "right_child")
        threshold, kind = _floats(fields, "threshold"), _ints(fields, "decision_type")
        leaf = _floats(fields, "leaf_value")
        order = list(_leaves(0 if len(left) else ~0, left, right))
        place = {which: at for at, which in enumerate(order)}
        cleared = [sum(1 << place[each] for each in _leaves(c, left, right)) for c in left]
        nan_is_missing = kind & DecisionType.MISSING_TYPE == DecisionType.NAN_IS_MISSING
        stays = np.array([~bits & 255 for bits in cleared], dtype=np.uint8)
        categorical = kind & DecisionType.CATEGORICAL != 0
        default_left = kind & DecisionType.DEFAULT_LEFT != 0
        return cls(
            column=_ints(fields, "split_feature"),
            threshold=threshold,
            # where no value was missing while learning, LightGBM takes a missing one for 0
            missing_left=np.where(nan_is_missing, default_left, threshold >= 0),
            stays=stays,
            table=np.where(categorical, np.cumsum(categorical) - 1, -1),
            by_code=_by_code(fields, threshold[categorical].astype(np.int64), stays[categorical]),
            leaf=leaf,
            order=np.array(order, dtype=np.int64),
        )


def _leaves(node: int, left: IntArray, right: IntArray) -> Iterator[int]:
    """Yield the leaves below a node from left to right; a negative number ``~i`` is leaf i."""
    waiting = [int(node)]
    while waiting:
        node = waiting.pop()
        if node < 0:
            yield ~node
        else:
            waiting += [int(right[node]), int(left[node])]


def _by_code(
    fields: Mapping[str, str], which: IntArray, stays: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8] | None:
    """Return what codes leave possible in a tree's c splits of categories, (c, 257).

    Parameters
    ----------
    which
        (c,) each split's place in the file's list of sets of codes: words of 32 bits, of which a
        code that is set goes left. Missing values and codes that no set knows go right.
    stays
        (c,) what remains possible on the right.
    """
    ends, words = _ints(fields, "cat_boundaries"), _ints(fields, "cat_threshold")
    out = np.tile(stays[:, None], (1, MOST_CODES + 1))
    for at, place in enumerate(which):
        bits = words[ends[place] : ends[place + 1]].astype("<u4").view(np.uint8)
        goes_left = np.flatnonzero(np.unpackbits(bits, bitorder="little"))
        if len(goes_left) and goes_left[-1] >= MOST_CODES:
            return None
        out[at, goes_left] = 255
    return out


def pairs(text: str) -> list[tuple[str, str]]:
    """Return the lines of a model file that are needed, as names and values."""
    cut = (line.partition("=") for line in text.splitlines())
    needed = {
        "objective", "split_feature", "decision_type", "left_child", "right_child", "threshold",
        "cat_boundaries", "cat_threshold", "leaf_value",
    }  # fmt: skip
    return [(name, value) for name, _, value in cut if name in needed]


def _ints(fields: Mapping[str, str], name: str) -> IntArray:
    return np.array(fields.get(name, "").split(), dtype=np.int64)


def _floats(fields: Mapping[str, str], name: str) -> FloatArray:
    return np.array(fields.get(name, "").split(), dtype=np.float64)
