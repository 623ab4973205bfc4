"""One tree of LightGBM, as its model file has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import FloatArray, IntArray

NAN_IS_MISSING: Final = 8
"""Bits of LightGBM's ``decision_type``."""

NEEDED: Final = frozenset(
    [
        "objective",
        "split_feature",
        "decision_type",
        "left_child",
        "right_child",
        "threshold",
        "leaf_value",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tree:
    """One tree: its s splits in LightGBM's order, and its s + 1 leaves.

    Attributes
    ----------
    column, threshold, missing_left, stays
        As of `Forest`, but the thresholds are float64.
    leaf : (s + 1,) float64
        In LightGBM's order.
    order : (s + 1,) int64
        Of the leaves from left to right.
    """

    column: IntArray
    threshold: FloatArray
    missing_left: npt.NDArray[np.bool_]
    stays: npt.NDArray[np.uint8]
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
        missing_type = 12
        nan_is_missing = kind & missing_type == NAN_IS_MISSING
        default_left = 2
        return cls(
            column=_ints(fields, "split_feature"),
            threshold=threshold,
            # where no value was missing while learning, LightGBM takes a missing one for 0
            missing_left=np.where(nan_is_missing, kind & default_left != 0, threshold >= 0),
            stays=np.array([~bits & 255 for bits in cleared], dtype=np.uint8),
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


def pairs(text: str) -> list[tuple[str, str]]:
    """Return the lines of a model file that are needed, as names and values."""
    cut = (line.partition("=") for line in text.splitlines())
    return [(name, value) for name, _, value in cut if name in NEEDED]


def _ints(fields: Mapping[str, str], name: str) -> IntArray:
    return np.array(fields.get(name, "").split(), dtype=np.int64)


def _floats(fields: Mapping[str, str], name: str) -> FloatArray:
    return np.array(fields.get(name, "").split(), dtype=np.float64)
