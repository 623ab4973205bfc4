"""The best assignment to bins, with a proof or a bound: plans and bounds take turns.

References
----------
Pisinger and Ropke, "Large neighborhood search", in Handbook of Metaheuristics (2010).
Posta, Ferland and Michelon, "An exact method with variable fixing for solving the generalized
assignment problem", Computational Optimization and Applications 52 (2012), §4 (raising a guess).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from incentive_engine.allocation.integer.assigning import ascend, search, settle
from incentive_engine.allocation.integer.bins import Assignment, assignment_of
from incentive_engine.allocation.integer.cp_sat import Selection, SelectionAnswer, Status
from incentive_engine.allocation.integer.knapsacks import make_scratch
from incentive_engine.domain import BoolArray, FloatArray, IntArray

SPEED: Final = 4.5
"""Billions of table entries that may be filled for each second of effort. With fewer the hardest
published instances end more than a thousandth from their bound."""

QUICK: Final = 10
"""Prices tried per node in a neighbourhood of a plan."""

CAREFUL: Final = 20
"""The same where a bound is raised: more take longer than the nodes that they save."""

ROUNDS: Final = 100
"""Prices tried in a row before the bound to head for is set anew."""

TURNS: Final = 20
"""How often that is."""

FAR: Final = 0.02
"""How far the first one is, as a part of what users' dearest bins cost above their cheapest."""

NEAR: Final = 0.002
"""The same for the ceiling under which a first plan is looked for."""

WIDER: Final = 4.0
"""How much further the next ceiling is, where none was found."""

CEILINGS: Final = 6
"""How many there are."""

SLICE: Final = 0.5
"""Billions of table entries for the first turn of plans and bounds, then twice as many each; the
last turn raises the bound with all that is left."""

LONGEST: Final = 2.0
"""The most of them for plans in one turn: longer searches find little more."""

ONE: Final = 0.2
"""The same for one neighbourhood of a plan."""

STEP: Final = 8
"""Each guess goes up by this part of what is between bound and plan."""

START: Final = 1e-3
"""What each search counts at least, so that they end."""

LARGER: Final = 1.02
"""By how much neighbourhoods grow when one is searched to the end."""

SMALLER: Final = 0.9
"""By how much they shrink when one is not."""

SHARE: Final = 0.6
"""The part of the users in the first neighbourhood."""

SEED: Final = 2
"""Neighbourhoods are drawn by it."""


@dataclass(slots=True, kw_only=True, eq=False)
class Progress:
    """What is known.

    Attributes
    ----------
    form
        The program.
    price
        (n,) float64, prices of the best bound before branching.
    lower
        No assignment costs less; a whole number of steps.
    enough
        What an assignment may cost that is good enough.
    upper
        What the best one known costs, inf without one.
    chosen
        (n,) int64, its bins.
    size
        Users in the next neighbourhood.
    spent
        Billions of table entries.
    """

    form: Assignment
    price: FloatArray
    lower: float
    enough: float
    upper: float = np.inf
    chosen: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    size: float = 0.0
    spent: float = 0.0

    @property
    def done(self) -> bool:
        """Whether there is nothing left to look for."""
        return self.upper <= max(self.lower, self.enough)

    def explore(self, opened: BoolArray, *, ceiling: float, rounds: int, effort: float) -> bool:
        """Look for an assignment up to a ceiling; return whether the search came to its end."""
        chosen = np.zeros(len(self.price), dtype=np.int64)
        cost, complete, spent = search(
            self.form.bins, opened, self.price, ceiling, rounds, effort, chosen
        )
        self.spent += spent + START
        if cost < self.upper:
            self.upper, self.chosen = cost, chosen
        return complete


def assign(selection: Selection, *, effort: float, enough: float = np.inf) -> SelectionAnswer:
    """Solve a selection whose limits share no pair; others stay unknown.

    Parameters
    ----------
    effort
        About the seconds it may take, counted in table entries.
    enough
        The objective at which the search ends.
    """
    form = assignment_of(selection)
    if form is None:
        return SelectionAnswer(status=Status.UNKNOWN)
    step = form.bins.step
    progress = _begin(form, enough=-enough * form.unit * step)
    _find_first(progress)
    _take_hint(progress, selection.hint)
    most, part = SPEED * effort, SLICE
    while progress.spent < most and not progress.done and progress.upper < np.inf:
        _better(progress, until=progress.spent + min(part, LONGEST))
        last = progress.spent + 2.0 * part > most
        _raise(progress, until=most if last else progress.spent + part)
        part *= 2.0
    bound = (form.off - progress.lower / step) / form.unit
    if progress.upper == np.inf:
        return SelectionAnswer(status=Status.UNKNOWN, bound=bound)
    pair = form.pair[progress.chosen, np.arange(len(progress.chosen))]
    chosen = np.zeros(len(selection.group), dtype=bool)
    chosen[pair[pair >= 0]] = True
    proven = progress.upper <= progress.lower
    status = Status.OPTIMAL if proven else Status.FEASIBLE
    return SelectionAnswer(status=status, chosen=chosen, bound=bound)


def _begin(form: Assignment, *, enough: float) -> Progress:
    """Return the bound of good prices."""
    bins, opened = form.bins, form.opened.copy()
    at, n = make_scratch(bins), opened.shape[1]
    settled = settle(bins, opened, at)
    cost = np.sort(np.where(opened, bins.cost, np.inf), axis=0)
    price = np.where(cost[min(1, len(cost) - 1)] < np.inf, cost[min(1, len(cost) - 1)], cost[0])
    if settled == np.inf:
        return Progress(form=form, price=price, lower=-np.inf, enough=enough, size=SHARE * n)
    best, _ = ascend(bins, price, settled, 0.0, np.inf, 1.0, 1, at)
    ahead = FAR * _spread(form)
    for _ in range(TURNS):
        bound, _ = ascend(bins, price, settled, best + ahead, np.inf, 1.0, ROUNDS, at)
        ahead = max(2.0 * (bound - best), 0.5 * ahead)
        best = max(best, bound)
    lower = bins.step * np.ceil(best / bins.step)
    return Progress(
        form=form,
        price=price,
        lower=lower,
        enough=enough,
        size=SHARE * n,
        spent=float(at.spent[0]),
    )


def _spread(form: Assignment) -> float:
    cost, opened = form.bins.cost, form.opened
    most = np.where(opened, cost, -np.inf).max(axis=0)
    return float(np.sum(most - np.where(opened, cost, np.inf).min(axis=0)))


def _take_hint(progress: Progress, hint: BoolArray) -> None:
    """Take a selection if it is a cheaper assignment with room for everyone."""
    form, n = progress.form, len(progress.price)
    held = form.opened & (form.pair >= 0) & hint[form.pair]
    held[-1] |= form.opened[-1] & (form.pair[-1] < 0) & ~held.any(axis=0)
    used = (form.bins.weight * held).sum(axis=1)
    if not (np.all(held.sum(axis=0) == 1) and np.all(used <= form.bins.room)):
        return
    chosen = np.argmax(held, axis=0)
    cost = float(form.bins.cost[chosen, np.arange(n)].sum())
    if cost < progress.upper:
        progress.upper, progress.chosen = cost, chosen


def _find_first(progress: Progress) -> None:
    """Look for an assignment under ever higher ceilings."""
    step = progress.form.bins.step
    above = NEAR * _spread(progress.form)
    for _ in range(CEILINGS):
        if progress.upper < np.inf:
            return
        ceiling = progress.lower + step * np.ceil(above / step)
        if progress.explore(progress.form.opened, ceiling=ceiling, rounds=QUICK, effort=SLICE):
            progress.lower = min(ceiling + step, progress.upper)
        above *= WIDER


def _better(progress: Progress, *, until: float) -> None:
    """Let some users choose anew, others each time."""
    form, n = progress.form, len(progress.price)
    rng = np.random.default_rng([SEED, int(1e9 * progress.spent)])
    while progress.spent < until and not progress.done:
        users = rng.choice(n, min(round(progress.size), n), replace=False)
        opened = np.zeros_like(form.opened)
        opened[progress.chosen, np.arange(n)] = True
        opened[:, users] = form.opened[:, users]
        ceiling = progress.upper - form.bins.step
        complete = progress.explore(opened, ceiling=ceiling, rounds=QUICK, effort=ONE)
        if complete and len(users) == n:
            progress.lower = progress.upper
        progress.size = max(progress.size * (LARGER if complete else SMALLER), 2.0)


def _raise(progress: Progress, *, until: float) -> None:
    """Guess that there is an assignment a little above the bound; raise it where there is none."""
    form = progress.form
    while progress.spent < until and not progress.done:
        between = (progress.upper - progress.lower) / form.bins.step
        ceiling = progress.lower + form.bins.step * max(between // STEP - 1.0, 0.0)
        left = until - progress.spent
        if not progress.explore(form.opened, ceiling=ceiling, rounds=CAREFUL, effort=left):
            break
        progress.lower = min(ceiling + form.bins.step, progress.upper)
