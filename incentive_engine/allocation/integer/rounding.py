"""Prices and the linear program, rounded to whole offers; whether limits hold is not asked yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from incentive_engine.allocation.dual.lagrangian import Optimum
from incentive_engine.allocation.integer.draft import CandidatePlan
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.population import Population
from incentive_engine.allocation.population.sweep import TIED
from incentive_engine.allocation.population.users import Near
from incentive_engine.domain import FloatArray, IntArray


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
