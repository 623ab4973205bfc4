"""Every user's efficient steps, added up by price.

A user's efficient steps lead from no offer along the upper concave hull of (money, value) at a
falling value per money. At a price, the user takes all steps that bring at least that much, so
the sum of all steps above a price is the best plan for the money that they take together.
"""

# ruff: noqa: PLR0917, FBT001 - numba takes no keyword-only arguments

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from incentive_engine import knobs
from incentive_engine.allocation.population.passes import in_parts
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import COST, Columns, FloatArray, IntArray
from incentive_engine.jit import compiled


class PriceGrid(NamedTuple):
    """Fine bins of prices, so many per doubling.

    Attributes
    ----------
    lowest
        log2 of the lowest price that has a bin of its own.
    per_octave
        Bins per doubling of the price.
    bins
        How many there are; what lies beyond shares the outermost ones.
    """

    lowest: float
    per_octave: int
    bins: int


GRID: Final = PriceGrid(lowest=-48.0, per_octave=256, bins=64 * 256)
"""64 doublings of the price are told apart, each bin being 0.27 % wide."""

VALUE, MONEY, TREATED, PEOPLE, FIRST_AMOUNT = range(5)
"""Positions in a row of sums: value, money, users with an offer, a lower bound on the number of
different users whose steps are in it, then the further amounts."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Breakdown:
    """What is added up, and for whom apart.

    Attributes
    ----------
    group
        (n,) uint8, the user's group.
    groups
        How many groups there are.
    amounts
        Further measures to add up, (k, n) each.
    """

    group: npt.NDArray[np.uint8]
    groups: int
    amounts: tuple[Columns, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of one row of sums per group."""
        return self.groups, FIRST_AMOUNT + len(self.amounts)


def steps_by_price(problem: Problem, split: Breakdown) -> FloatArray:
    """Return (bins, groups, 4 + a) float64: the sums of all steps by price, whatever the limits.

    Bin b of `GRID` holds prices from 2^(`lowest` + b / `per_octave`) on; the last one what is
    free.

    Parameters
    ----------
    problem
        Its value per pair, and its money: face values where the budget counts those, else the
        expected cost.
    """
    size = (GRID.bins + 1, *split.shape)
    total: FloatArray = np.zeros(size)
    for start in range(0, problem.n_users, knobs.MEMORY.gathered_users):
        stop = min(start + knobs.MEMORY.gathered_users, problem.n_users)
        for sums in _of_block(problem, split, start, stop, size):
            total += sums
    return total


def _of_block(
    problem: Problem, split: Breakdown, start: int, stop: int, size: tuple[int, ...]
) -> list[FloatArray]:
    value, money, amounts = block_of(problem, split, start, stop)
    mine, forced = split.group[start:stop], problem.exactly_one
    return in_parts(
        lambda first, last, sums: add_steps(
            value, money, amounts, mine, forced, first, last, sums
        ),
        n=stop - start,
        make=lambda: np.zeros(size),
    )


def block_of(
    problem: Problem, split: Breakdown, start: int, stop: int
) -> tuple[npt.NDArray[Any], FloatArray, FloatArray]:
    """Return the value (k, b), money (k, b) and amounts (a, k, b) of a block of users."""
    value = problem.value[:, start:stop]
    more = np.empty((len(split.amounts), *value.shape))
    for i, columns in enumerate(split.amounts):
        more[i] = columns[:, start:stop]
    return value, money_of(problem, start, stop), more


def money_of(problem: Problem, start: int, stop: int) -> FloatArray:
    """Return (k, b) what each pair of a block takes of the budget, currency units."""
    if problem.face is not None and problem.pool is not None and problem.pool.basis == "face":
        return np.repeat(problem.face[:, None], stop - start, axis=1)
    return problem.columns[problem.measures.index(COST), :, start:stop].astype(np.float64)


@compiled
def add_steps(
    value: npt.NDArray[Any],
    money: FloatArray,
    amounts: FloatArray,
    group: npt.NDArray[np.uint8],
    forced: bool,
    start: int,
    stop: int,
    sums: FloatArray,
) -> None:
    """Add the steps of some users to the sums of their prices' bins, the last bin being free."""
    k, count = value.shape[0], amounts.shape[0]
    path = np.empty(k + 1, dtype=np.int64)
    slopes = np.empty(k + 1)
    for user in range(start, stop):
        steps = walk(value, money, user, forced, path, slopes)
        before = -1
        for step in range(steps):
            now = path[step]
            row = sums[_bin_of(slopes[step], sums.shape[0]), group[user]]
            row[VALUE] += value[now, user] - (value[before, user] if before >= 0 else 0.0)
            row[MONEY] += money[now, user] - (money[before, user] if before >= 0 else 0.0)
            row[TREATED] += 1.0 if before < 0 else 0.0
            # a user's steps fall into several bins: each has its part of the person
            row[PEOPLE] += 1.0 / steps
            for i in range(count):
                gone = amounts[i, before, user] if before >= 0 else 0.0
                row[FIRST_AMOUNT + i] += amounts[i, now, user] - gone
            before = now


@compiled
def _bin_of(slope: float, bins: int) -> int:
    """Return the bin of a price; the last one is for what is free."""
    if slope == np.inf:
        return bins - 1
    place = int(np.floor((np.log2(slope) - GRID.lowest) * GRID.per_octave))
    return min(max(place, 0), bins - 2)


@compiled
def walk(
    value: npt.NDArray[Any],
    money: FloatArray,
    user: int,
    forced: bool,
    path: IntArray,
    slopes: FloatArray,
) -> int:
    """Write a user's efficient steps, the offers and their value per money; return how many.

    What is free comes first, at an infinite slope. From where a user stands, the next step is the
    one of most value per money; of equal ones the longest.
    """
    at, steps = first_choice(value, money, user, forced), 0
    if at >= 0:
        path[0], slopes[0], steps = at, np.inf, 1
    while True:
        here_value = value[at, user] if at >= 0 else 0.0
        here_money = money[at, user] if at >= 0 else 0.0
        best, steepest = -1, 0.0
        for j in range(value.shape[0]):
            more, dearer = value[j, user] - here_value, money[j, user] - here_money
            if more > 0.0 and dearer > 0.0:
                slope = more / dearer
                # of equal slopes the longest, so that a straight stretch is one step
                if slope > steepest or (slope == steepest and money[j, user] > money[best, user]):
                    best, steepest = j, slope
        if best < 0:
            return steps
        path[steps], slopes[steps] = best, steepest
        steps, at = steps + 1, best


@compiled
def first_choice(value: npt.NDArray[Any], money: FloatArray, user: int, forced: bool) -> int:
    """Return where a user stands before any money is paid for value: an offer, or −1 for none.

    The cheapest offer where every user gets one, else the best of those that are free and help.
    """
    at, least, most = -1, np.inf if forced else 0.0, -np.inf if forced else 0.0
    for j in range(value.shape[0]):
        if value[j, user] == -np.inf or money[j, user] > least:
            continue
        if money[j, user] < least or value[j, user] > most:
            at, least, most = j, money[j, user], value[j, user]
    return at
