"""For each user: the smallest budget that reaches the user, while money alone is scarce."""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine import knobs
from incentive_engine.allocation.budgets.efficient_steps import (
    GRID,
    money_of,
    walk,
)
from incentive_engine.allocation.population.passes import in_parts
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import BUDGET, MICROS, FloatArray, IntArray, to_micros
from incentive_engine.jit import compiled


def smallest_budgets(problem: Problem) -> FloatArray | None:
    """Return (n,) float64 the smallest budget at which each user gets an offer, currency units.

    None unless the budget is the only limit, counts expected costs or face values, and nobody
    has to get an offer or explores. NaN for users whom no budget reaches: those whom no eligible
    offer helps.

    Notes
    -----
    With money as the only limit, a budget is best spent on the users' efficient steps (see
    `steps`) by falling value per money, a last step in part. A user gets an offer with the first
    of the own steps, so that the smallest budget which pays for it is the money of all steps of
    all users that bring more per money, and that of the cheapest offer which brings as much per
    money as the step: for any less, every best plan leaves the user without a whole offer; steps
    that bring exactly as much can wait. Money is counted in millionths, each offer's rounded up.
    What is free and helps needs no budget.
    """
    pool = problem.pool
    names = [limit.name for limit in problem.enforced]
    alone = names == [BUDGET] and problem.explorers is None and not problem.exactly_one
    if pool is None or pool.basis == "at-risk" or not alone:
        return None
    # a place per step in its bin, so that all steps are sorted without a second copy
    counts = _counts(problem)
    ends = np.cumsum(counts)
    slope, money = np.empty(ends[-1]), np.empty(ends[-1], dtype=np.int64)
    first = np.empty((2, problem.n_users))
    _fill(problem, np.concatenate([[0], ends[:-1]]), slope, money, first)
    in_parts(
        lambda start, stop, _: _sort_bins(slope, money, ends, start, stop),
        n=GRID.bins,
        make=lambda: None,
    )
    before = _running_totals(money)
    reached: FloatArray = np.empty(problem.n_users)
    in_parts(
        lambda start, stop, out: _reach(slope, before, ends, first, start, stop, out),
        n=problem.n_users,
        make=lambda: reached,
    )
    return reached


def _running_totals(money: IntArray) -> IntArray | FloatArray:
    """Return (s + 1,) the money of the steps before each, int64; float64 where it would wrap.

    The latter are sums of upper and of lower halves, so that each is rounded once or twice.

    >>> _running_totals(np.full(3, 2**62))[-1] == 3 * 2.0**62
    np.True_
    """
    # millionths whose sum may leave int64, with room for the rounding of the sum that asks
    wraps = 2.0**62
    if money.sum(dtype=np.float64) < wraps:
        return np.concatenate([[0], np.cumsum(money)])
    # bits of the lower half of an amount
    half = 32
    upper, lower = np.cumsum(money >> half), np.cumsum(money & ((1 << half) - 1))
    return np.concatenate([[0.0], upper.astype(np.float64) * 2.0**half + lower])


def _counts(problem: Problem) -> IntArray:
    """Return (bins,) how many steps of all users have a slope in each bin, the steepest first."""
    total = np.zeros(GRID.bins, dtype=np.int64)
    for start in range(0, problem.n_users, knobs.MEMORY.gathered_users):
        total += _counts_of(*_block(problem, start))
    return total


def _counts_of(value: npt.NDArray[Any], money: FloatArray) -> IntArray:
    parts = in_parts(
        lambda start, stop, out: _count_steps(value, money, start, stop, out),
        n=value.shape[1],
        make=lambda: np.zeros(GRID.bins, dtype=np.int64),
    )
    return np.asarray(sum(parts), dtype=np.int64)


def _fill(
    problem: Problem, free: IntArray, slope: FloatArray, money: IntArray, first: FloatArray
) -> None:
    """Write every step at its bin's next free place, and what each user's first step is."""
    block = knobs.MEMORY.gathered_users
    for start in range(0, problem.n_users, block):
        value, cost = _block(problem, start)
        _write_steps(value, cost, free, slope, money, first[:, start : start + block])


def _block(problem: Problem, start: int) -> tuple[npt.NDArray[Any], FloatArray]:
    """Return the value and the money, (k, b), of a block of users; money in whole millionths."""
    stop = min(start + knobs.MEMORY.gathered_users, problem.n_users)
    value = problem.value[:, start:stop]
    money = np.where(value > -np.inf, money_of(problem, start, stop), 0.0)
    return value, to_micros(money).astype(np.float64)


@compiled
def bin_of(slope: float) -> int:
    """Return the bin of a value per millionth, 0 for the steepest."""
    place = int(np.floor((np.log2(slope * MICROS) - GRID.lowest) * GRID.per_octave))
    return GRID.bins - 1 - min(max(place, 0), GRID.bins - 1)


@compiled
def _count_steps(
    value: npt.NDArray[Any], money: FloatArray, start: int, stop: int, counts: IntArray
) -> None:
    path = np.empty(value.shape[0] + 1, dtype=np.int64)
    slopes = np.empty(value.shape[0] + 1)
    for user in range(start, stop):
        for step in range(walk(value, money, user, False, path, slopes)):
            if slopes[step] < np.inf:
                counts[bin_of(slopes[step])] += 1


@compiled
def _write_steps(
    value: npt.NDArray[Any],
    money: FloatArray,
    free: IntArray,
    slope: FloatArray,
    paid: IntArray,
    first: FloatArray,
) -> None:
    path = np.empty(value.shape[0] + 1, dtype=np.int64)
    slopes = np.empty(value.shape[0] + 1)
    for user in range(value.shape[1]):
        steps = walk(value, money, user, False, path, slopes)
        first[0, user] = slopes[0] if steps else np.nan
        first[1, user] = _cheapest(value, money, user, slopes[0]) if steps else 0.0
        before = 0.0
        for step in range(steps):
            now = money[path[step], user]
            if slopes[step] < np.inf:
                place = bin_of(slopes[step])
                slope[free[place]] = slopes[step]
                paid[free[place]] = np.int64(now - before)
                free[place] += 1
            before = now


@compiled
def _cheapest(value: npt.NDArray[Any], money: FloatArray, user: int, slope: float) -> float:
    """Return the least money of an offer that brings so much per money."""
    least = np.inf
    for j in range(value.shape[0]):
        if 0.0 < money[j, user] < least and np.float64(value[j, user]) / money[j, user] >= slope:
            least = money[j, user]
    return least if least < np.inf else 0.0


@compiled
def _sort_bins(slope: FloatArray, money: IntArray, ends: IntArray, start: int, stop: int) -> None:
    for place in range(start, stop):
        low = ends[place - 1] if place else 0
        order = np.argsort(-slope[low : ends[place]])
        slope[low : ends[place]] = slope[low : ends[place]][order]
        money[low : ends[place]] = money[low : ends[place]][order]


@compiled
def _reach(
    slope: FloatArray,
    before: IntArray | FloatArray,
    ends: IntArray,
    first: FloatArray,
    start: int,
    stop: int,
    reached: FloatArray,
) -> None:
    """Write the money of all steeper steps and of the user's first one."""
    for user in range(start, stop):
        own = first[0, user]
        if not own < np.inf:
            reached[user] = 0.0 if own == np.inf else np.nan
            continue
        place = bin_of(own)
        low, high = (ends[place - 1] if place else 0), ends[place]
        while low < high:
            middle = (low + high) // 2
            if slope[middle] > own:
                low = middle + 1
            else:
                high = middle
        reached[user] = (before[low] + np.int64(first[1, user])) / MICROS
