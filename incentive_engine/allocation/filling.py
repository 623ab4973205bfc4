"""Users who are tied at the prices: the prices leave open who of them gets an offer."""

from __future__ import annotations

from typing import Final

import numpy as np

from incentive_engine.allocation.rows import Rows
from incentive_engine.allocation.sweep import Choice, sweep, tally
from incentive_engine.allocation.users import Users
from incentive_engine.domain import BoolArray, FloatArray

TIED: Final = 1e-9
"""Relative change of the prices within which a user counts as tied."""

FEW: Final = 250
"""So many tied users are left to the integer program, which does better."""

ATTEMPTS: Final = 300
"""Passes over the users; each adds a block of tied users, or halves one that did not fit."""


def fill(users: Users, rows: Rows, base: Choice, prices: FloatArray) -> Choice:
    """Give tied users their offer, in the order of their keys, as long as no limit gets worse.

    Where many users are alike, the integer program sees only some of those who are tied; a plan
    that left all others out would be far from the bound.

    Parameters
    ----------
    base
        (n,) int16, a choice at the prices.
    prices
        (L,) float64.

    Returns
    -------
    (n,) int16, `base` with tied users added.
    """
    plan, excess = base, np.abs(rows.excess(tally(users, base)))
    full = np.zeros(len(prices), dtype=bool)
    attempts = ATTEMPTS
    while attempts > 0:
        eager = _eager(users, rows, prices, full=full)
        tied = np.flatnonzero((eager != base) & (eager >= 0) & (plan == base))
        if len(tied) <= FEW:
            break
        blocks = [tied[np.argsort(users.key[tied], kind="stable")]]
        while blocks and attempts > 0:
            attempts -= 1
            block = blocks.pop()
            trial = plan.copy()
            trial[block] = eager[block]
            left = np.abs(rows.excess(tally(users, trial)))
            if np.all(left <= excess):
                plan, excess = trial, left
            elif len(block) > 1:
                blocks += [block[len(block) // 2 :], block[: len(block) // 2]]
            else:
                full |= left > excess
                break
        else:
            break
    return plan


def _eager(users: Users, rows: Rows, prices: FloatArray, *, full: BoolArray) -> Choice:
    """Return (n,) int16: choices that take what the prices leave open, but of no full limit."""
    tilted = prices * np.where(full, 1.0 + TIED, 1.0 - TIED)
    eager = np.empty(users.n, dtype=np.int16)
    sweep(users, rows.prices_of_pairs(tilted, users.shape), choice=eager)
    return eager
