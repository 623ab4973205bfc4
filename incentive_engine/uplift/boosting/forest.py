"""Predicting with LightGBM's trees, many rows at a time.

A tree of at most eight leaves is a byte per row: a split that sends a row right clears the leaves
on its left, and the lowest bit that stays is the row's leaf. So every split is one comparison of a
column, which the processor does for many rows at once, and no row waits for its own way down. A
split of a category looks its byte up in a table by the row's code.
"""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numba
import numpy as np
import numpy.typing as npt

from incentive_engine.domain import FloatArray, IntArray, Matrix
from incentive_engine.uplift.boosting.tree import MOST_CODES, Tree, pairs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """The trees of one model, as flat arrays.

    Attributes
    ----------
    first : (trees + 1,) int64
        Position of each tree's first split, and the end.
    column : (splits,) int64
        What each split looks at.
    threshold : (splits,) float32
        A value up to this one goes left.
    missing_left : (splits,) bool
        Whether a missing value does.
    stays : (splits,) uint8
        The leaves that remain possible for a row that goes right.
    table : (splits,) int64
        Of a category's split, which table it is; -1 of a number's.
    by_code : (tables, 257) uint8
        The leaves that remain possible for each code of a category; the last is any other.
    value : (trees, 256) float64
        The value of the leaf that each byte of possible leaves stands for.
    objective
        LightGBM's name; says how sums of leaves become predictions.

    References
    ----------
    Lucchese and others: QuickScorer, SIGIR 2015, section 3: the bit vectors.
    """

    LOWEST_BIT: ClassVar = np.array(
        [(m & -m).bit_length() - 1 for m in range(256)], dtype=np.int64
    )
    """The position of a byte's lowest bit that is set; of 0, which no row keeps, -1."""

    first: IntArray
    column: IntArray
    threshold: npt.NDArray[np.float32]
    missing_left: npt.NDArray[np.bool_]
    stays: npt.NDArray[np.uint8]
    table: IntArray
    by_code: npt.NDArray[np.uint8]
    value: FloatArray
    objective: str

    @classmethod
    def of_text(cls, text: str) -> Forest | None:
        """Read the trees of a model file of LightGBM.

        None where a tree has too many leaves, or a category too many codes.
        """
        head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
        trees = [Tree.of(dict(pairs(block))) for block in blocks]
        # bits of a byte; larger trees are LightGBM's own business
        most_leaves = 8
        if any(len(tree.leaf) > most_leaves or tree.by_code is None for tree in trees):
            return None
        leaf = np.zeros((len(trees), most_leaves))
        for at, tree in enumerate(trees):
            leaf[at, : len(tree.leaf)] = tree.leaf[tree.order]
        return cls(
            first=np.cumsum([0, *(len(tree.column) for tree in trees)]),
            column=np.concatenate([tree.column for tree in trees]),
            threshold=np.concatenate([_down(tree.threshold) for tree in trees]),
            missing_left=np.concatenate([tree.missing_left for tree in trees]),
            stays=np.concatenate([tree.stays for tree in trees]),
            **_joined_tables([(tree.table, tree.by_code) for tree in trees]),
            value=leaf[:, cls.LOWEST_BIT],
            objective=dict(pairs(head))["objective"].split()[0],
        )

    @property
    def adds_up(self) -> bool:
        """Whether predictions are sums of leaves themselves."""
        return self.objective not in {"binary", "gamma"}

    @classmethod
    def mean(cls, forests: Sequence[Forest]) -> Forest:
        """Return the trees whose sums of leaves are the mean of several forests' sums."""
        splits = np.cumsum([0, *(forest.first[-1] for forest in forests)])
        starts = [forest.first[:-1] + at for forest, at in zip(forests, splits, strict=False)]
        return cls(
            first=np.concatenate([*starts, splits[-1:]]),
            column=np.concatenate([forest.column for forest in forests]),
            threshold=np.concatenate([forest.threshold for forest in forests]),
            missing_left=np.concatenate([forest.missing_left for forest in forests]),
            stays=np.concatenate([forest.stays for forest in forests]),
            **_joined_tables([(forest.table, forest.by_code) for forest in forests]),
            value=np.concatenate([forest.value for forest in forests]) / len(forests),
            objective=forests[0].objective,
        )

    def predict(
        self,
        matrix: Matrix,
        further: Matrix,
        *,
        rows: IntArray | None = None,
        raw: bool = False,
    ) -> FloatArray:
        """Return the predictions for (n, p) features with each of (k, e) further ones, (n, k).

        With `rows`, for these rows of the features alone. They are LightGBM's own to the last bit:
        leaves are added in the order of the trees, and exponentials are those of the C library.
        """
        total: FloatArray = _sums(
            np.ascontiguousarray(matrix),
            np.arange(len(matrix)) if rows is None else rows,
            further,
            self.first,
            self.column,
            self.threshold,
            self.missing_left,
            self.stays,
            self.table,
            self.by_code,
            self.value,
        )
        if not raw:
            _transform(total, self.objective)
        return total


def _joined_tables(
    parts: Sequence[tuple[IntArray, npt.NDArray[np.uint8] | None]],
) -> dict[str, Any]:
    """Return `table` and `by_code` of several parts, one after the other."""
    coded = [by_code for _, by_code in parts if by_code is not None]
    starts, tables = np.cumsum([0, *map(len, coded)]), [table for table, _ in parts]
    moved = [np.where(t < 0, -1, t + at) for t, at in zip(tables, starts, strict=False)]
    return {"table": np.concatenate(moved), "by_code": np.concatenate(coded)}


def _down(threshold: FloatArray) -> npt.NDArray[np.float32]:
    """Return the largest float32 up to each number: no float32 lies between the two."""
    with np.errstate(over="ignore"):
        near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)


@numba.njit(cache=True, nogil=True)
def _sums(
    matrix: Matrix,
    asked: IntArray,
    further: Matrix,
    first: IntArray,
    column: IntArray,
    threshold: npt.NDArray[np.float32],
    missing_left: npt.NDArray[np.bool_],
    stays: npt.NDArray[np.uint8],
    table: IntArray,
    by_code: npt.NDArray[np.uint8],
    leaf: FloatArray,
) -> FloatArray:
    """Return the sums of each asked row's leaves, (n, k) float64.

    Where a tree does not look at the further features, the k sums have its leaf in common.
    """
    n, p, k = len(asked), matrix.shape[1], len(further)
    # rows at a time: their columns stay in the processor's nearest memory
    block = min(512, n)
    total = np.empty((n, k))
    allowed = _allowed(p, further, first, column, threshold, stays, table, by_code)
    # numbers between the starts of two columns: at a power of two they would push each other out
    # of that memory, which made predictions half as fast
    values = np.empty((p, block + 16), np.float32)
    possible = np.empty(block, np.uint8)
    common, sums = np.empty(block), np.empty((k, block))
    for start in range(0, n, block):
        rows = min(block, n - start)
        for row in range(rows):
            for at in range(p):
                values[at, row] = matrix[asked[start + row], at]
        sums[:] = 0.0
        for tree in range(len(leaf)):
            possible[:] = 255
            _narrow(
                possible[:rows],
                values,
                first[tree],
                first[tree + 1],
                column,
                threshold,
                missing_left,
                stays,
                table,
                by_code,
            )
            if k > 1 and (allowed[tree] == allowed[tree, 0]).all():
                common[:] = 0.0
                _add(common, leaf[tree], possible, allowed[tree, 0])
                for each in range(k):
                    sums[each] += common
            else:
                for each in range(k):
                    _add(sums[each], leaf[tree], possible, allowed[tree, each])
        for each in range(k):
            total[start : start + rows, each] = sums[each, :rows]
    return total


@numba.njit(cache=True, nogil=True)
def _narrow(
    possible: npt.NDArray[np.uint8],
    values: npt.NDArray[np.float32],
    begin: int,
    end: int,
    column: IntArray,
    threshold: npt.NDArray[np.float32],
    missing_left: npt.NDArray[np.bool_],
    stays: npt.NDArray[np.uint8],
    table: IntArray,
    by_code: npt.NDArray[np.uint8],
) -> None:
    """Clear the leaves that a tree's splits of the rows' own features, (p, rows or more), take."""
    for split in range(begin, end):
        if column[split] >= len(values):
            continue
        # a slice of one row of `values` stays contiguous, as comparing many at once needs it
        value = values[column[split], : len(possible)]
        if table[split] >= 0:
            _look_up(possible, value, by_code[table[split]])
        else:
            _send_right(possible, value, threshold[split], stays[split], missing_left[split])


@numba.njit(cache=True, nogil=True)
def _look_up(
    possible: npt.NDArray[np.uint8],
    value: npt.NDArray[np.float32],
    by_code: npt.NDArray[np.uint8],
) -> None:
    """Clear the leaves that the split of a category takes from each row's code."""
    for row in range(len(value)):
        possible[row] &= by_code[_code(value[row])]


@numba.njit(cache=True, nogil=True)
def _code(value: np.float32) -> int:
    # a missing value is neither at least 0 nor below
    # where a table has what holds for missing values and for codes beyond
    return int(value) if 0 <= value < MOST_CODES else MOST_CODES


@numba.njit(cache=True, nogil=True)
def _send_right(
    possible: npt.NDArray[np.uint8],
    value: npt.NDArray[np.float32],
    limit: np.float32,
    stays: np.uint8,
    missing_left: bool,  # noqa: FBT001 - as above
) -> None:
    """Clear the leaves that one split takes from the rows that it sends right."""
    if missing_left:
        for row in range(len(value)):
            leaves = possible[row]
            possible[row] = leaves & stays if value[row] > limit else leaves
    else:
        for row in range(len(value)):
            leaves = possible[row]
            possible[row] = leaves if value[row] <= limit else leaves & stays


@numba.njit(cache=True, nogil=True)
def _add(
    total: FloatArray, leaf: FloatArray, possible: npt.NDArray[np.uint8], allowed: np.uint8
) -> None:
    for row in range(len(total)):
        total[row] += leaf[possible[row] & allowed]


def _transform(total: FloatArray, objective: str) -> None:
    """Make predictions of sums of leaves (n, k), in place."""
    if objective == "binary":
        _chances(total)
    elif objective == "gamma":
        _exponentials(total)


@numba.njit(cache=True, nogil=True)
def _chances(log_odds: FloatArray) -> None:
    """Replace log-odds (n, k) by chances."""
    for row in range(len(log_odds)):
        for each in range(log_odds.shape[1]):
            log_odds[row, each] = 1.0 / (1.0 + math.exp(-log_odds[row, each]))


@numba.njit(cache=True, nogil=True)
def _exponentials(logarithms: FloatArray) -> None:
    """Replace logarithms (n, k) by what they are of."""
    for row in range(len(logarithms)):
        for each in range(logarithms.shape[1]):
            logarithms[row, each] = math.exp(logarithms[row, each])


@numba.njit(cache=True, nogil=True)
def _allowed(
    p: int,
    further: Matrix,
    first: IntArray,
    column: IntArray,
    threshold: npt.NDArray[np.float32],
    stays: npt.NDArray[np.uint8],
    table: IntArray,
    by_code: npt.NDArray[np.uint8],
) -> npt.NDArray[np.uint8]:
    """Return the leaves that each of (k, e) further features leaves possible, (trees, k)."""
    out = np.full((len(first) - 1, len(further)), 255, np.uint8)
    for tree in range(len(out)):
        for split in range(first[tree], first[tree + 1]):
            if column[split] < p:
                continue
            for each in range(len(further)):
                value = further[each, column[split] - p]
                if table[split] >= 0:
                    out[tree, each] &= by_code[table[split], _code(value)]
                elif value > threshold[split]:
                    out[tree, each] &= stays[split]
    return out
