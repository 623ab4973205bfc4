"""Offers that bring nothing and that no limit needs."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from incentive_engine.allocation.dual.core import usage_of
from incentive_engine.allocation.integer.draft import CandidatePlan
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.population import Population, Users
from incentive_engine.allocation.population.sweep import tally
from incentive_engine.allocation.population.units import CellTable
from incentive_engine.domain import BoolArray, ChoiceArray, FloatArray, IntArray


def drop_useless(users: Population, rows: LimitRows, plan: CandidatePlan) -> CandidatePlan:
    """Return the plan without offers of no value that no limit needs, most harmful ones first."""
    if users.forced:
        return plan
    useless, givable, given = _useless(users, plan)
    if not len(useless):
        return plan
    left, table = np.arange(givable.n), plan.table
    used = usage_of(givable, rows, left, given.astype(np.int64), width=givable.n).tocsc()
    # each round drops as many offers as can go together; what limits need ends the rounds long
    # before, unless thousands of offers of different sizes compete for the same room
    rounds = 300
    for _ in range(rounds):
        left = left[_could_go(rows, table, used[:, left])]
        if not len(left):
            break
        count = _how_many(givable, rows, table, given, left)
        gone = left[:count]
        table = _without(givable, table, given, gone)
        given[gone] = -1
        # the one that could not go with the others is needed from now on
        left = left[count + 1 :]
    return plan.changed(givable, useless, given)


def _useless(users: Population, plan: CandidatePlan) -> tuple[IntArray, Users, ChoiceArray]:
    """Return who has an offer that brings nothing, most harmful first: rows, columns, offers."""
    index = plan.index
    if plan.price is not None and _may_give(users, plan.price):
        index = np.union1d(index, users.unhelped(plan.price))
    some = users.take(index)
    given = plan.choices(some, index)
    worth = some.value[given, np.arange(some.n)]
    useless = np.flatnonzero((given >= 0) & (worth <= 0))
    useless = useless[np.lexsort((some.key[useless], worth[useless]))]
    return index[useless], some.take(useless), given[useless]


def _may_give(users: Population, price: FloatArray) -> bool:
    """Return whether prices may pay somebody for an offer, as floors do."""
    others = np.delete(price[1:], users.cost, axis=0) if users.cost >= 0 else price[1:]
    # counts and costs are never negative; other measures may be
    return bool((price < 0).any() or others.any())


def _could_go(rows: LimitRows, table: CellTable, used: sp.csc_array) -> BoolArray:
    """Return (N,) whether limits hold without each of these pairs alone, but for rounding."""
    usage, entries = rows.usage(table), used.tocoo()
    row, column = entries.coords
    after = usage[row] - entries.data
    room = rows.TOLERANCE * (np.abs(usage[row]) + np.abs(entries.data))
    needed = (after < rows.lower[row] - room) | (after > rows.upper[row] + room)
    return np.asarray(np.bincount(column[needed], minlength=used.shape[1]) == 0, dtype=bool)


def _how_many(
    few: Users, rows: LimitRows, table: CellTable, given: ChoiceArray, left: IntArray
) -> int:
    """Return how many of the first of these offers can go together."""
    low, high = 0, len(left) + 1
    count = len(left)
    while high - low > 1:
        if rows.excess(_without(few, table, given, left[:count])).any():
            high = count
        else:
            low = count
        count = (low + high) // 2
    return low


def _without(few: Users, table: CellTable, given: ChoiceArray, gone: IntArray) -> CellTable:
    return table.minus(tally(few.take(gone), given[gone]))
