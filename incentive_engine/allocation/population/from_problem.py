"""A problem's users as a population: units in which all add up, and keys that break ties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.kernels import pair_kernels
from incentive_engine.allocation.population.passes import in_parts
from incentive_engine.allocation.population.population import Users
from incentive_engine.allocation.population.sweep import shared_fields
from incentive_engine.allocation.population.units import Units
from incentive_engine.allocation.problem import Problem, Question
from incentive_engine.domain import COST, MICROS, FloatArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say


def users_of(problem: Problem) -> Users:
    """Return a problem's users with their units of summation.

    Raises
    ------
    DataError
        When an eligible pair has a value or a measure that is not a number, or a sum could
        overflow.
    """
    cost = problem.measures.index(COST) if COST in problem.measures else -1
    units = units_of(problem, _largest(problem, cost), problem.n_users)
    cell = np.ascontiguousarray(problem.cell)
    cell = cell.astype(np.uint16 if problem.n_cells <= 65_536 else np.uint32, copy=False)
    users = Users(
        value=problem.value,
        columns=problem.columns,
        cell=cell,
        key=np.empty(0, dtype=np.uint64) if problem.key is None else problem.key,
        **shared_fields(units),
    )
    return users if problem.key is not None else replace(users, key=_content_keys(users))


def units_of(question: Question, largest: FloatArray, n: int) -> Units:
    """Return the units in which n users are added up.

    Parameters
    ----------
    largest
        (m + 1,) float64, the largest absolute value, and the largest amount of each measure.

    Raises
    ------
    DataError
        When the sum of all costs could overflow.
    """
    order = np.array(sorted(range(len(question.offers)), key=question.offers.__getitem__))
    cost = question.measures.index(COST) if COST in question.measures else -1
    units = Units.HEADROOM / (max(n, 1) * np.where(largest > 0, largest, 1.0))
    fine = np.exp2(np.clip(np.floor(np.log2(units)), -1000, 1000))
    scale = np.concatenate([fine[:1], [1.0], fine[1:]])
    if cost >= 0:
        if units[cost + 1] < MICROS:
            raise DataError(
                Fault("scores: cost", "the sum of all costs overflows", remedy="use a larger unit")
            )
        scale[cost + 2] = MICROS
    return Units(
        order=order,
        scale=scale,
        largest=np.concatenate([largest[:1], [1.0], largest[1:]]),
        cost=cost,
        forced=question.exactly_one,
        n_cells=question.n_cells,
    )


def _largest(problem: Problem, cost: int) -> FloatArray:
    size = len(problem.measures) + 1
    parts = in_parts(
        lambda start, stop, out: pair_kernels.ranges(
            problem.value, problem.columns, cost, start, stop, out[0], out[1]
        ),
        n=problem.n_users,
        make=lambda: (np.zeros(size), np.zeros(size, dtype=np.int64)),
    )
    wrong = sum(totals[1] for totals in parts)
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
    largest = np.asarray(np.max([totals[0] for totals in parts], axis=0), dtype=np.float64)
    # their pairs are closed to the sweep, and yet are summed in its units
    if (explorers := problem.explorers) is not None:
        amounts = [explorers.value, *map(explorers.amounts, problem.columns)]
        largest = np.maximum(largest, [np.abs(x).max(initial=0.0) for x in amounts])
    least = 1e-60
    # what the largest value or amount may be: products and sums of such are no overflow
    most = 1e60
    faults = [
        Fault(
            f"scores: {name}",
            say("the largest amount is {size:g}", size=size),
            say("0, or {least:g} to {most:g}", least=least, most=most),
            "use another unit, in the scores or in what the policy multiplies them by",
        )
        for name, size in zip(("value", *problem.measures), largest.tolist(), strict=True)
        if size and not least <= size <= most
    ]
    if faults:
        raise DataError(*faults)
    return largest


def _content_keys(users: Users) -> npt.NDArray[np.uint64]:
    keys = users.cell.astype(np.uint64)
    pairs = users.pairs
    in_parts(
        lambda start, stop, out: pair_kernels.content_keys(pairs, start, stop, out),
        n=users.n,
        make=lambda: keys,
    )
    # 200_000: users with the lowest keys, among whom rows that are alike show if there are many
    few = keys[keys <= np.uint64(min(200_000 / max(users.n, 1), 1.0) * (2**64 - 2**11))]
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
