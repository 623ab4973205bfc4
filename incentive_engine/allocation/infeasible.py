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

from incentive_engine.allocation.certificate import RatioReport, ratio_of
from incentive_engine.allocation.core import build_core, nearest
from incentive_engine.allocation.draft import draft_of
from incentive_engine.allocation.integer import round_prices
from incentive_engine.allocation.model import Crowd
from incentive_engine.allocation.prices import (
    WIDEST,
    Optimum,
    find_prices,
    frame_of,
    minimise,
)
from incentive_engine.allocation.problem import Problem
from incentive_engine.allocation.program import selection_of
from incentive_engine.allocation.rows import Rows
from incentive_engine.allocation.samples import draw_sample
from incentive_engine.allocation.selection import Status, select
from incentive_engine.allocation.sweep import Choice, tally, total_sizes
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
    choice
        (n,) int16, a plan that needs no more, split users rounded.
    whole
        Whether the plan had no split users.
    """

    amounts: FloatArray
    suspects: IntArray
    choice: Choice
    whole: bool

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
    return _relaxation(idle, rows, found, penalty)


def worthless(users: Users) -> Users:
    """Return the users with every value 0: only the limits matter."""
    nothing = np.where(users.value > -np.inf, 0, -np.inf).astype(users.value.dtype)
    return replace(users, value=nothing)


def _relaxation(idle: Users, rows: Rows, found: Optimum, penalty: FloatArray) -> Relaxation:
    assert found.step is not None
    broken = found.step.broken
    amounts = np.where(np.abs(broken) * penalty > NEGLIGIBLE, broken, 0.0)
    if found.point.dual > -NEGLIGIBLE:
        amounts = np.zeros(len(amounts))
    priced = np.abs(found.point.prices) > 1e-6 * penalty
    suspects = np.flatnonzero(priced | (amounts != 0))
    choice = round_prices(idle, rows, found).draft.choice
    return Relaxation(amounts=amounts, suspects=suspects, choice=choice, whole=False)


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
        draft_of(users, choice).without(core.few, core.index),
        choice[core.index],
        margin=1,
        elastic=1.0 / size_of_bounds(rows),
    )
    answer = select(selection, effort=EFFORT)
    plan = choice.copy()
    if answer.found:
        plan[core.index] = core.choice_of(answer.chosen)
    amounts = rows.excess(tally(users, plan))
    suspects = np.flatnonzero(amounts) if len(index) < users.n else np.arange(len(amounts))
    return Relaxation(amounts=amounts, suspects=suspects, choice=plan, whole=True)


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
        return lambda keep: _refuted(worthless(users), rows.subset(keep))
    index, weight = draw_sample(users, SAMPLE)
    few = worthless(users.take(index))

    def impossible(keep: list[int]) -> bool:
        part = rows.subset(keep)
        penalty = 1.0 / size_of_bounds(part)
        crowd = Crowd(users=few, rows=part, weight=weight)
        frame = frame_of(part, total_sizes(few, weight=weight), penalty)
        start = np.zeros(len(keep))
        found = minimise(crowd, start, frame=frame, radius=WIDEST, tight=CLOSE, least=1e-4)
        return _relaxation(few, part, found, penalty).needed

    return impossible


def _refuted(idle: Users, rows: Rows) -> bool:
    """Return whether CP-SAT proves that no plan in whole offers keeps the rows."""
    index = np.argsort(idle.key, kind="stable").astype(np.int64)
    nobody = np.full(idle.n, -1, dtype=np.int16)
    free = np.zeros(len(rows.limits))
    core = build_core(idle, rows, index, prices=free, most_pairs=idle.k)
    program = selection_of(idle, rows, core, tally(idle, nobody), nobody, margin=1)
    return select(program, effort=EFFORT).status is Status.INFEASIBLE


def relax_whole(users: Users, rows: Rows, optimum: Optimum) -> Relaxation:
    """Return the relaxation that whole offers need where split ones would not."""
    rounded = round_prices(users, rows, optimum)
    rounded.loss[rounded.split] = 0.0
    index = nearest(rounded.loss, users.key, REPAIR)
    return relax_core(users, rows, index, rounded.draft.choice, prices=optimum.point.prices)


def explain(problem: Problem, users: Users, rows: Rows, relaxation: Relaxation) -> InfeasibleError:
    """Return the error that names the limits in conflict and the cheapest way out."""
    members = conflict(users, rows, relaxation)
    names = [f"`{rows.names[i]}`" for i in members]
    table = tally(users, relaxation.choice)
    usage = rows.exact_usage(table)
    ways = [
        _way_out(
            rows,
            int(i),
            relaxation.amounts[i],
            usage=usage[i] if relaxation.whole else None,
            ratio=ratio_of(problem, users, rows.limits[i], table),
        )
        for i in np.flatnonzero(relaxation.amounts)
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
    ratio = rows.limits[i].ratio
    least, most = (
        (rows.lower[i], rows.upper[i])
        if ratio is None
        else (_known(ratio.at_least, -np.inf), _known(ratio.at_most, np.inf))
    )
    parts = [] if ratio is None else [f"{ratio.numerator} / {ratio.denominator}"]
    if np.isfinite(least):
        parts.append(f"at least {least:,.10g}")
    if np.isfinite(most):
        parts.append(f"at most {most:,.10g}")
    return " ".join(parts) if ratio else " and ".join(parts)


def _known(bound: float | None, missing: float) -> float:
    return missing if bound is None else bound


def _way_out(
    rows: Rows, i: int, amount: float, *, usage: float | None, ratio: RatioReport | None
) -> str:
    name, below = rows.names[i], amount < 0
    bound = float(rows.lower[i] if below else rows.upper[i])
    to: float | None = bound + amount if usage is None else usage
    if ratio is not None:
        below = ratio.at_least is not None
        bound = _known(ratio.at_least if below else ratio.at_most, np.nan)
        to = None if ratio.usage is None else _outward(ratio.usage, below=below)
        if to is None or (to >= bound if below else to <= bound):
            return f"drop `{name}`"
    word = "lower at_least" if below else "raise at_most"
    return f"{word} of `{name}` from {bound:,.10g} to {to:,.10g}"


def _outward(ratio: float, *, below: bool) -> float:
    """Return a ratio with five digits, on the side on which the plan keeps it."""
    if not ratio:
        return 0.0
    step = 10.0 ** (np.floor(np.log10(abs(ratio))) - 4)
    return float((np.floor(ratio / step) if below else np.ceil(ratio / step)) * step)
