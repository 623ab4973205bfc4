"""Prices and the linear program, rounded to whole offers, and the tied users filled in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from incentive_engine.allocation.dual.lagrangian import Optimum
from incentive_engine.allocation.integer.draft import CandidatePlan
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.population import Near, Population, Users
from incentive_engine.allocation.population.sweep import TIED, precision, sweep, tally, total_sizes
from incentive_engine.allocation.population.units import CellTable
from incentive_engine.domain import ChoiceArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rounded:
    """Prices and the linear program, as whole offers.

    Attributes
    ----------
    draft
        Everyone's choice, whether limits hold or not.
    near
        Those nearest a tie, by what their next best choice loses; whom the program split is
        tied by definition.
    tied
        Gives who loses so little at most, ascending, split or not.
    """

    draft: CandidatePlan
    near: Near
    tied: Callable[[float], IntArray]


def round_prices(users: Population, rows: LimitRows, optimum: Optimum, *, most: int) -> Rounded:
    """Return everyone's choice at the prices and the linear program.

    Where the program met the bound, everyone it left out chooses as it took for granted. Else
    users who are tied at the prices choose as if limits were a little dearer, so that thousands
    of them do not break a limit together.

    Parameters
    ----------
    most
        How many users near a tie are wanted.
    """
    # a hair dearer: thousands of tied users must not break a limit together
    dear = rows.prices_of_pairs((1.0 + TIED) * optimum.point.prices, users.shape)
    table, near = users.nearest_tie(dear, most=most)
    draft, tied = CandidatePlan.at(dear, table), partial(_tied, users, dear, near)
    if optimum.step is None:
        return Rounded(draft=draft, near=near, tied=tied)
    # the relative gap between the linear program and the bound at which both are the same
    exact = 1e-9
    if optimum.gap <= exact:
        around = rows.prices_of_pairs(optimum.step.base, users.shape)
        draft = CandidatePlan.at(around, users.usage(around))
    core, shares = optimum.step.core, optimum.step.shares
    # a share of the linear program this far from 0 and 1 is a split user
    fractional = 1e-6
    split = np.unique(core.user[(shares > fractional) & (shares < 1.0 - fractional)])
    few = users.take(core.index)
    return Rounded(
        draft=draft.changed(few, core.index, core.choice_of(shares > 0.5)),
        near=near.with_tied(few.take(split), core.index[split]),
        tied=tied,
    )


def _tied(users: Population, price: FloatArray, near: Near, within: float) -> IntArray:
    """Return who loses so little at most, of those nearest a tie where these are all."""
    inside = near.distance <= within
    if len(near.index) == near.count or not inside.all():
        return np.sort(near.index[inside])
    return users.tied(price, within=within)


def fill(
    users: Population,
    rows: LimitRows,
    base: CandidatePlan,
    prices: FloatArray,
    *,
    tied: Callable[[float], IntArray],
    spared: int,
) -> CandidatePlan:
    """Give tied users their offer, in the order of their keys, where that brings something.

    No limit gets worse by it.

    Where many users are alike, the integer program sees only some of those who are tied; a plan
    that left all others out would be far from the bound.

    Parameters
    ----------
    base
        Choices at the prices.
    prices
        (L,) float64.
    tied
        Gives who loses so little at most by the next best choice, ascending.
    spared
        So many tied users are left to the integer program.

    Returns
    -------
    `base` with tied users added.
    """
    price = rows.prices_of_pairs(prices, users.shape)
    index = tied(precision(users.units, users.kind, price))
    if len(index) <= spared:
        return base
    few = users.take(index)
    current, others = base.choices(few, index), base.without(few, index)
    return base.changed(few, index, _filled(few, rows, current, others, prices, spared=spared))


def _with(choice: ChoiceArray, index: IntArray, to: ChoiceArray) -> ChoiceArray:
    changed = choice.copy()
    changed[index] = to
    return changed


def _filled(
    few: Users,
    rows: LimitRows,
    base: ChoiceArray,
    rest: CellTable,
    prices: FloatArray,
    *,
    spared: int,
) -> ChoiceArray:
    """Return (N,) int16, the choices of users who may be tied, as far as limits leave room.

    Parameters
    ----------
    base
        (N,) int16, their choices so far.
    rest
        What everyone else uses.
    """
    plan, table = base, rest.plus(tally(few, base))
    excess = np.abs(rows.excess(table))
    full = np.zeros(len(prices))
    # passes over the users; each adds a block of tied users, or halves one that did not fit
    attempts = 300
    while attempts > 0:
        eager = _eager(few, rows, prices, full=full)
        tied = np.flatnonzero((eager != base) & (eager >= 0) & (plan == base))
        if len(tied) <= spared:
            break
        # halves by key: who gets the last offers depends on no order of rows
        blocks = [tied[np.argsort(few.key[tied], kind="stable")]]
        while blocks and attempts > 0:
            attempts -= 1
            block = blocks.pop()
            some = few.take(block)
            gone, come = tally(some, plan[block]), tally(some, eager[block])
            trial = table.minus(gone).plus(come)
            left = np.abs(rows.excess(trial))
            better = trial.value > table.value or np.any(left < excess)
            if better and np.all(left <= excess):
                plan, table, excess = _with(plan, block, eager[block]), trial, left
            elif len(block) > 1:
                blocks += [block[len(block) // 2 :], block[: len(block) // 2]]
            else:
                full = np.where(left > excess, np.sign(rows.excess(trial)), full)
                break
        else:
            break
    return plan


def _eager(users: Users, rows: LimitRows, prices: FloatArray, *, full: FloatArray) -> ChoiceArray:
    """Return (n,) int16: choices that take what the prices leave open, but of no full limit.

    Parameters
    ----------
    full
        (L,) float64, 1 where more would pass an upper bound, −1 a lower one, else 0.
    """
    size = np.maximum(np.abs(prices), rows.paid_per_unit(prices))
    size = np.where(size > 0, size, rows.typical_prices(total_sizes(users)))
    tilted = prices * (1.0 - TIED) + 2.0 * TIED * full * size
    eager = np.empty(users.n, dtype=np.int16)
    sweep(users, rows.prices_of_pairs(tilted, users.shape), choice=eager)
    return eager
