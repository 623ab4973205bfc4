"""The users' pairs in the form that the compiled loops read."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population import kernels
from incentive_engine.allocation.problem import Problem
from incentive_engine.data.tables.room import is_mapped, let_go
from incentive_engine.domain import COST, MICROS, Columns, FloatArray, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.parallel import go_on

if TYPE_CHECKING:
    from incentive_engine.allocation.population.sharded import Shards

HEADROOM: Final = 2.0**61
"""No sum of fixed-point amounts may exceed this, a quarter of what an int64 holds."""

SERIAL: Final = 60_000
"""Below this many users threads cost more than they save."""

MAPPED: Final = 1 << 20
"""Users of a range where columns are mapped."""

PROBE: Final = 200_000
"""Users with the lowest keys, among whom rows that are alike show if there are many."""


LEAST: Final = 1e-60
MOST: Final = 1e60
"""What the largest value or amount may be: products and sums of such are no overflow."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Users:
    """The pairs in the form that the kernels read; offers are in canonical order.

    Attributes
    ----------
    value, columns, cell, key
        As in `Problem`.
    order
        (k,) int64, the column of the offer at each canonical position; sorted by offer name, so
        that the order in which a planner lists offers changes nothing.
    scale
        (m + 2,) float64, fixed-point units per unit of value, count and each measure.
    largest
        (m + 2,) float64, the largest absolute value, 1, and the largest amount of each measure.
    cost
        The position of `cost` among the measures, −1 for none.
    forced
        Every user who can gets an offer.
    n_cells
        How many cells there are.
    shards
        Where sweeps that only add up run elsewhere; None for here.
    """

    value: Columns
    columns: Columns
    cell: npt.NDArray[Any]
    key: npt.NDArray[np.uint64]
    order: IntArray
    scale: FloatArray
    largest: FloatArray
    cost: int
    forced: bool
    n_cells: int
    shards: Shards | None = None

    @property
    def n(self) -> int:
        """How many users there are."""
        return int(self.value.shape[1])

    @property
    def k(self) -> int:
        """How many offers there are."""
        return len(self.order)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of a table of totals: value, count and measures × cells × offers."""
        return (len(self.columns) + 2, self.n_cells, self.k)

    @property
    def pairs(self) -> kernels.Pairs:
        """The columns as the kernels read them."""
        return kernels.Pairs(
            value=self.value,
            columns=self.columns,
            cell=self.cell,
            order=self.order,
            scale=self.scale,
            cost=self.cost,
            forced=self.forced,
        )

    def take(self, index: IntArray) -> Users:
        """Return some of the users, their columns copied."""
        value = self._taken(self.value, index)
        columns = np.empty((len(self.columns), *value.shape), dtype=value.dtype)
        for m, amounts in enumerate(self.columns):
            columns[m] = self._taken(amounts, index)
        return Users(
            value=value,
            columns=columns,
            cell=self.cell[index],
            key=self.key[index],
            order=np.arange(self.k),
            scale=self.scale,
            largest=self.largest,
            cost=self.cost,
            forced=self.forced,
            n_cells=self.n_cells,
        )

    def in_float64(self) -> Users:
        """Return the users with wider columns, whose scores can be told apart more finely."""
        value, columns = (x.astype(np.float64, copy=False) for x in (self.value, self.columns))
        return replace(self, value=value, columns=columns, shards=None)

    def _taken(self, columns: Columns, index: IntArray) -> Columns:
        taken = np.empty((self.k, len(index)), dtype=columns.dtype)
        in_parts(
            lambda start, stop, out: kernels.take_columns(
                columns, self.order, index, start, stop, out
            ),
            n=len(index),
            make=lambda: taken,
        )
        return taken


def users_of(problem: Problem) -> Users:
    """Return a problem's users with their units of summation.

    Raises
    ------
    DataError
        When an eligible pair has a value or a measure that is not a number, or a sum could
        overflow.
    """
    order = np.array(sorted(range(len(problem.offers)), key=problem.offers.__getitem__))
    cost = problem.measures.index(COST) if COST in problem.measures else -1
    largest = _largest(problem, cost)
    units = HEADROOM / (max(problem.n_users, 1) * np.where(largest > 0, largest, 1.0))
    fine = np.exp2(np.clip(np.floor(np.log2(units)), -1000, 1000))
    scale = np.concatenate([fine[:1], [1.0], fine[1:]])
    if cost >= 0:
        if units[cost + 1] < MICROS:
            raise DataError(
                Fault("scores: cost", "the sum of all costs overflows", remedy="use a larger unit")
            )
        scale[cost + 2] = MICROS
    cell = np.ascontiguousarray(problem.cell)
    cell = cell.astype(np.uint16 if problem.n_cells <= 65_536 else np.uint32, copy=False)
    users = Users(
        value=problem.value,
        columns=problem.columns,
        cell=cell,
        key=np.empty(0, dtype=np.uint64) if problem.key is None else problem.key,
        order=order,
        scale=scale,
        largest=np.concatenate([largest[:1], [1.0], largest[1:]]),
        cost=cost,
        forced=problem.exactly_one,
        n_cells=problem.n_cells,
    )
    return users if problem.key is not None else replace(users, key=_content_keys(users))


def _largest(problem: Problem, cost: int) -> FloatArray:
    size = len(problem.measures) + 1
    parts = in_parts(
        lambda start, stop, out: kernels.ranges(
            problem.value, problem.columns, cost, start, stop, out[0], out[1]
        ),
        n=problem.n_users,
        make=lambda: (np.zeros(size), np.zeros(size, dtype=np.int64)),
    )
    wrong = sum(part[1] for part in parts)
    faults = [
        Fault(
            f"scores: {name}",
            say("{count} eligible pairs have no valid number", count=count),
            "finite numbers",
        )
        for name, count in zip(("value", *problem.measures), wrong, strict=True)
        if count
    ]
    if faults:
        raise DataError(*faults)
    largest = np.asarray(np.max([part[0] for part in parts], axis=0), dtype=np.float64)
    # their pairs are closed to the sweep, and yet are summed in its units
    if (explorers := problem.explorers) is not None:
        amounts = [explorers.value, *map(explorers.amounts, problem.columns)]
        largest = np.maximum(largest, [np.abs(x).max(initial=0.0) for x in amounts])
    faults = [
        Fault(
            f"scores: {name}",
            say("the largest amount is {size:g}", size=size),
            say("0, or {least:g} to {most:g}", least=LEAST, most=MOST),
            "use another unit, in the scores or in what the policy multiplies them by",
        )
        for name, size in zip(("value", *problem.measures), largest.tolist(), strict=True)
        if size and not LEAST <= size <= MOST
    ]
    if faults:
        raise DataError(*faults)
    return largest


def _content_keys(users: Users) -> npt.NDArray[np.uint64]:
    keys = users.cell.astype(np.uint64)
    pairs = users.pairs
    in_parts(
        lambda start, stop, out: kernels.content_keys(pairs, start, stop, out),
        n=users.n,
        make=lambda: keys,
    )
    few = keys[keys <= np.uint64(min(PROBE / max(users.n, 1), 1.0) * (2**64 - 2**11))]
    return keys if len(np.unique(few)) == len(few) else _told_apart(keys)


def _told_apart(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Give rows that are alike keys of their own; which of them gets which does not matter."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    rank = np.arange(len(keys)) - np.repeat(first, np.diff(np.append(first, len(keys))))
    own = keys.copy()
    with np.errstate(over="ignore"):
        own[order] += rank.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return own


def in_parts(
    work: Callable[[int, int, Any], object], *, n: int, make: Callable[[], Any]
) -> list[Any]:
    """Run `work(start, stop, out)` on ranges of the users and return the outputs.

    With mapped columns there are more ranges than threads, so that few pages are held at a time.
    """
    # a stop is heard between passes; a pass itself takes a fraction of a second
    go_on()
    at_once = min(threads(), max(1, n // SERIAL))
    # mapped columns: few pages at a time, however few threads there are
    parts = max(at_once, -(-n // MAPPED)) if is_mapped() else at_once
    edges = [n * part // parts for part in range(parts + 1)]
    outs = [make() for _ in range(parts)]

    def run(start: int, stop: int, out: object) -> None:
        work(start, stop, out)
        let_go()

    if at_once == 1:
        for start, stop, out in zip(edges[:-1], edges[1:], outs, strict=True):
            run(start, stop, out)
        return outs
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(run, edges[:-1], edges[1:], outs))
    return outs


def threads() -> int:
    """Return how many threads a sweep uses: `INCENTIVE_THREADS`, or the cores we may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    asked = os.environ.get("INCENTIVE_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) > 0 else (cores or 1)
