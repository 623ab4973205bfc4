"""When no plan keeps the limits: which ones conflict, and the cheapest way out.

References
----------
Chinneck, "Feasibility and Infeasibility in Optimization" (2008), ch. 6 (elastic programs) and
ch. 7 (deletion filter).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from incentive_engine.allocation.core import build_core, nearest, rest_of
from incentive_engine.allocation.integer import round_prices
from incentive_engine.allocation.prices import (
    WIDEST,
    Optimum,
    draw_sample,
    find_prices,
    minimise,
)
from incentive_engine.allocation.program import row_steps, selection_of
from incentive_engine.allocation.rows import Rows
from incentive_engine.allocation.selection import select
from incentive_engine.allocation.sweep import Choice, distances
from incentive_engine.allocation.users import Users
from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.errors import Fault, InfeasibleError

SMALL: Final = 2_000
"""Up to so many pairs relaxations are found by an exact integer program."""

NEGLIGIBLE: Final = 1e-7
"""A relaxation of this share of a bound is rounding."""

CLOSE: Final = 1e-2
"""The relative gap at which the cheapest relaxation is cheap enough."""

SAMPLE: Final = 1_000
"""Users that decide which limits are in conflict, when there are many."""

REPAIR: Final = 2_000
"""Users that may change when only whole offers make the limits impossible."""

EFFORT: Final = 5.0
"""CP-SAT's deterministic seconds for each integer question."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relaxation:
    """The least by which limits must give way.

    Attributes
    ----------
    amounts
        (L,) float64, natural units: above `upper` positive, below `lower` negative, else 0.
    suspects
        (s,) int64, the limits that take part in the proof that something must give way.
    """

    amounts: FloatArray
    suspects: IntArray

    @property
    def needed(self) -> bool:
        """Whether the limits cannot all hold."""
        return bool(np.any(self.amounts != 0))


def relax(users: Users, rows: Rows) -> Relaxation:
    """Return the cheapest relaxation; amounts count relative to each limit's bound.

    With many users it is the cheapest within a hundredth, and split users count as split.
    """
    idle = worthless(users)
    if users.n * users.k <= SMALL:
        return _relax_exactly(idle, rows)
    penalty = 1.0 / size_of_bounds(rows)
    found = find_prices(idle, rows, caps=penalty, tight=CLOSE, least=1e-4)
    return _relaxation(found, penalty)


def worthless(users: Users) -> Users:
    """Return the users with every value 0: only the limits matter."""
    nothing = np.where(users.value > -np.inf, 0, -np.inf).astype(users.value.dtype)
    return replace(users, value=nothing)


def _relaxation(found: Optimum, penalty: FloatArray) -> Relaxation:
    assert found.step is not None
    broken = found.step.broken
    amounts = np.where(np.abs(broken) * penalty > NEGLIGIBLE, broken, 0.0)
    if found.point.dual > -NEGLIGIBLE:
        amounts = np.zeros(len(amounts))
    priced = np.abs(found.point.prices) > 1e-6 * penalty
    return Relaxation(amounts=amounts, suspects=np.flatnonzero(priced | (amounts != 0)))


def size_of_bounds(rows: Rows) -> FloatArray:
    """Return (L,) the size of each limit's bounds, 1 where they are 0."""
    low = np.where(np.isfinite(rows.lower), np.abs(rows.lower), 0.0)
    high = np.where(np.isfinite(rows.upper), np.abs(rows.upper), 0.0)
    size = np.maximum(low, high)
    return np.where(size > 0, size, 1.0)


def _relax_exactly(idle: Users, rows: Rows) -> Relaxation:
    index = np.argsort(idle.key, kind="stable").astype(np.int64)
    nobody = np.full(idle.n, -1, dtype=np.int16)
    return relax_core(idle, rows, index, nobody, prices=np.zeros(len(rows.limits)))


def relax_core(
    users: Users, rows: Rows, index: IntArray, choice: Choice, *, prices: FloatArray
) -> Relaxation:
    """Return the cheapest relaxation in whole offers when only some users may change.

    Parameters
    ----------
    index
        (N,) int64, the users that may change, sorted by key.
    choice
        (n,) int16, what the others have.
    prices
        (L,) float64, at which users' best offers are picked.
    """
    core = build_core(worthless(users), rows, index, prices=prices, most_pairs=users.k)
    selection = selection_of(
        users,
        rows,
        core,
        rest_of(users, choice, core),
        choice,
        margin=1,
        elastic=1.0 / size_of_bounds(rows),
    )
    answer = select(selection, effort=EFFORT)
    amounts = answer.broken / row_steps(rows, core.usage)
    suspects = np.flatnonzero(amounts) if len(index) < users.n else np.arange(len(amounts))
    return Relaxation(amounts=amounts, suspects=suspects)


def conflict(users: Users, rows: Rows, first: Relaxation) -> list[int]:
    """Return a minimal set of limits that cannot hold together (a deletion filter).

    With many users a sample decides which limits belong to it. Where only whole offers make the
    limits impossible, these are the limits that would have to give way.

    Parameters
    ----------
    first
        The relaxation of all rows.
    """
    members = [int(i) for i in first.suspects]
    impossible = _question(users, rows)
    if not impossible(members):
        return np.flatnonzero(first.amounts).tolist()
    for row in list(members):
        fewer = [i for i in members if i != row]
        if fewer and impossible(fewer):
            members = fewer
    return members


def _question(users: Users, rows: Rows) -> Callable[[list[int]], bool]:
    """Return whether some rows alone are impossible, as a function of the rows."""
    if users.n * users.k <= SMALL:
        idle = worthless(users)
        return lambda keep: _relax_exactly(idle, rows.subset(keep)).needed
    index, weight = draw_sample(users, SAMPLE)
    few = worthless(users.take(index))

    def impossible(keep: list[int]) -> bool:
        part = rows.subset(keep)
        penalty = 1.0 / size_of_bounds(part)
        found = minimise(
            few,
            part,
            np.zeros(len(keep)),
            weight=weight,
            radius=WIDEST,
            tight=CLOSE,
            least=1e-4,
            caps=penalty,
        )
        return _relaxation(found, penalty).needed

    return impossible


def relax_whole(users: Users, rows: Rows, optimum: Optimum) -> Relaxation:
    """Return the relaxation that whole offers need where split ones would not."""
    choice, split = round_prices(users, rows, optimum)
    price = rows.prices_of_pairs(optimum.point.prices, users.shape)
    loss = distances(users, price, relative=False)
    loss[split] = 0.0
    index = nearest(loss, users.key, REPAIR)
    return relax_core(users, rows, index, choice, prices=optimum.point.prices)


def explain(users: Users, rows: Rows, relaxation: Relaxation) -> InfeasibleError:
    """Return the error that names the limits in conflict and the cheapest way out."""
    members = conflict(users, rows, relaxation)
    names = [f"`{rows.names[i]}`" for i in members]
    ways = [
        _way_out(rows, int(i), relaxation.amounts[i]) for i in np.flatnonzero(relaxation.amounts)
    ]
    faults = []
    for i in members:
        others = [name for name in names if name != f"`{rows.names[i]}`"]
        what = (
            f"it cannot hold together with {', '.join(others)}" if others else "no plan keeps it"
        )
        faults.append(Fault(f"limit `{rows.names[i]}`", f"{_bounds(rows, i)}: {what}"))
    faults.append(Fault("the cheapest way out", "; ".join(ways)))
    return InfeasibleError(*faults)


def _bounds(rows: Rows, i: int) -> str:
    parts = []
    if np.isfinite(rows.lower[i]):
        parts.append(f"at least {rows.lower[i]:,.10g}")
    if np.isfinite(rows.upper[i]):
        parts.append(f"at most {rows.upper[i]:,.10g}")
    return " and ".join(parts)


def _way_out(rows: Rows, i: int, amount: float) -> str:
    below = amount < 0
    bound = float(rows.lower[i] if below else rows.upper[i])
    word = "lower at_least" if below else "raise at_most"
    return f"{word} of `{rows.names[i]}` from {bound:,.10g} to {bound + amount:,.10g}"
