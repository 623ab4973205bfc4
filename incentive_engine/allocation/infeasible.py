"""When no plan keeps the limits: which ones conflict, and the cheapest way out.

References
----------
Chinneck, "Feasibility and Infeasibility in Optimization" (2008), ch. 6 (elastic programs) and
ch. 7 (deletion filter).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from incentive_engine.allocation.core import build_core, rest_of
from incentive_engine.allocation.integer import row_steps, selection_of
from incentive_engine.allocation.prices import find_prices
from incentive_engine.allocation.rows import Rows
from incentive_engine.allocation.selection import select
from incentive_engine.allocation.users import Users
from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.errors import Fault, InfeasibleError

SMALL: Final = 2_000
"""Up to so many pairs relaxations are found by an exact integer program."""

NEGLIGIBLE: Final = 1e-7
"""A relaxation of this share of a bound is rounding."""

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
    """Return the cheapest relaxation; amounts count relative to each limit's bound."""
    idle = replace(
        users, value=np.where(users.value > -np.inf, 0, -np.inf).astype(users.value.dtype)
    )
    penalty = 1.0 / size_of_bounds(rows)
    if users.n * users.k <= SMALL:
        return _relax_exactly(idle, rows, penalty)
    found = find_prices(idle, rows, caps=penalty)
    assert found.step is not None
    relative = found.step.broken * penalty
    amounts = np.where(np.abs(relative) > NEGLIGIBLE, found.step.broken, 0.0)
    suspects = np.flatnonzero((amounts != 0) | (np.abs(found.point.prices) > 1e-9 * penalty))
    if found.point.dual > -NEGLIGIBLE:
        amounts = np.zeros(len(amounts))
    return Relaxation(amounts=amounts, suspects=suspects)


def size_of_bounds(rows: Rows) -> FloatArray:
    """Return (L,) the size of each limit's bounds, 1 where they are 0."""
    low = np.where(np.isfinite(rows.lower), np.abs(rows.lower), 0.0)
    high = np.where(np.isfinite(rows.upper), np.abs(rows.upper), 0.0)
    size = np.maximum(low, high)
    return np.where(size > 0, size, 1.0)


def _relax_exactly(idle: Users, rows: Rows, penalty: FloatArray) -> Relaxation:
    index = np.argsort(idle.key, kind="stable").astype(np.int64)
    zero = np.zeros(len(rows.limits))
    core = build_core(idle, rows, index, prices=zero, most_pairs=idle.k)
    nobody = np.full(idle.n, -1, dtype=np.int16)
    rest = rest_of(idle, nobody, core)
    selection = selection_of(idle, rows, core, rest, nobody, margin=1, elastic=penalty)
    answer = select(selection, effort=EFFORT)
    amounts = answer.broken / row_steps(rows, core.usage)
    return Relaxation(amounts=amounts, suspects=np.arange(len(rows.limits)))


def conflict(users: Users, rows: Rows, first: Relaxation) -> list[int]:
    """Return a minimal set of limits that cannot hold together (a deletion filter).

    Parameters
    ----------
    first
        The relaxation of all rows.
    """
    members = [int(i) for i in first.suspects]
    for row in list(members):
        fewer = [i for i in members if i != row]
        if not fewer or not relax(users, rows.subset(fewer)).needed:
            continue
        members = fewer
    return members


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
