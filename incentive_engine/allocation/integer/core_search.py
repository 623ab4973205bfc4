"""The best plan that differs from a given one in a core only, and what is proven about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from incentive_engine.allocation.dual.core import Core
from incentive_engine.allocation.integer.draft import CandidatePlan
from incentive_engine.allocation.integer.exchanges.exact_fit import fit
from incentive_engine.allocation.integer.exchanges.local_search import trade
from incentive_engine.allocation.integer.programs.core_program import selection_of
from incentive_engine.allocation.integer.programs.cp_sat import (
    Selection,
    SelectionAnswer,
    is_tiny,
    select,
)
from incentive_engine.allocation.integer.programs.scip import branch
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.sweep import tally
from incentive_engine.allocation.population.units import CellTable
from incentive_engine.allocation.solver_report import Status
from incentive_engine.domain import FloatArray

Solver = Callable[[Selection], SelectionAnswer]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Incumbent:
    """The best plan that a search knows, and what is proven about it.

    Attributes
    ----------
    plan
        None when no plan was found.
    value
        What the whole plan is worth, −inf without one.
    status
        `optimal` and `infeasible` are proven for plans that differ in the core only; of a search
        with several cores for all plans.
    bound
        The solver's bound on the value of such plans.
    core
        How many users the last program had.
    """

    plan: CandidatePlan | None = None
    value: float = -np.inf
    status: Status = Status.UNKNOWN
    bound: float = np.inf
    core: int = 0


def solve_core(
    rows: LimitRows,
    core: Core,
    start: CandidatePlan,
    *,
    enough: float,
    whole: bool,
    times: float = 1.0,
) -> Incumbent:
    """Return the best plan that differs from `start` in the core only.

    SCIP is asked first, and CP-SAT, which is exact, where SCIP finds nothing or its tolerance
    lets a sum pass its bound. Where the core has all users, CP-SAT is asked first, and SCIP
    unless that ends with a proof; a tiny program is solved by both in any case, so that neither
    is taken at its word.

    Parameters
    ----------
    start
        The choices of everyone outside the core.
    enough
        The plan's value at which the search ends.
    whole
        The core has all users who have a choice.
    times
        How many times the usual effort may be spent.
    """
    others = start.without(core.few, core.index)
    missing, current = enough - others.value, start.choices(core.few, core.index)
    # CP-SAT's deterministic seconds per program
    exact = partial(select, effort=times * 0.1, enough=missing)
    # SCIP's nodes per program
    nodes = 30
    branching = partial(branch, nodes=max(round(times * nodes), 1), enough=missing)

    def attempt(solver: Solver) -> Incumbent:
        def ask(margin: int) -> SelectionAnswer:
            return solver(selection_of(rows, core, others, current, margin=margin))

        return replace(_checked(rows, core, start, others, ask), core=len(core.index))

    if not whole and len(core.user):
        # SCIP is faster on hundreds of users, CP-SAT exact where tolerances matter
        branched = attempt(branching)
        return attempt(exact) if branched.plan is None else branched
    proven = attempt(exact)
    if proven.status is Status.OPTIMAL and not (len(core.user) and is_tiny(len(core.user))):
        return proven
    return _agreed(proven, attempt(branching))


def exchange_core(
    rows: LimitRows,
    core: Core,
    start: CandidatePlan,
    *,
    prices: FloatArray,
    bound: float,
    enough: float,
    times: float,
    seed: int,
) -> Incumbent:
    """Return a plan that exchanges between the core's users lead to from `start`.

    Parameters
    ----------
    start
        Everyone's choices, which may break limits.
    prices
        (L,) float64, one per limit.
    bound
        No plan is worth more.
    enough
        The plan's value at which the search ends.
    times
        How many times the usual effort may be spent.
    seed
        Of the changes that are made at random.
    """
    others, current = start.without(core.few, core.index), start.choices(core.few, core.index)
    score = core.value - prices @ core.usage
    penalty = _penalties(rows, core, prices)

    def ask(margin: int) -> SelectionAnswer:
        selection = selection_of(rows, core, others, current, margin=margin, elastic=penalty)
        missing, most = enough - others.value, bound - others.value
        return trade(selection, score, bound=most, enough=missing, times=times, seed=seed)

    return replace(_checked(rows, core, start, others, ask), core=len(core.index))


def fit_core(
    rows: LimitRows, core: Core, start: CandidatePlan, *, prices: FloatArray, most: int
) -> Incumbent:
    """Return a plan for which a few of the core's users change so that narrow bounds hold.

    Arguments are those of `exchange_core`, but for `most`: changes that are put together.
    """
    others, current = start.without(core.few, core.index), start.choices(core.few, core.index)
    score = core.value - prices @ core.usage

    def ask(margin: int) -> SelectionAnswer:
        return fit(selection_of(rows, core, others, current, margin=margin), score, most=most)

    return replace(_checked(rows, core, start, others, ask), core=len(core.index))


def _penalties(rows: LimitRows, core: Core, prices: FloatArray) -> FloatArray:
    """Return (L,) float64: what passing a limit costs per unit, more than it can bring."""
    used = np.asarray(abs(core.usage).sum(axis=1)).ravel()
    typical = np.abs(core.value).sum() / np.where(used > 0, used, np.inf)
    # how much more than its price the passing of a limit costs, where a plan is repaired
    dearer = 2.0
    paid = np.maximum(np.abs(prices), dearer / 10.0 * rows.paid_per_unit(prices))
    return np.asarray(dearer * np.maximum(paid, typical / 100.0), dtype=np.float64)


def _agreed(exact: Incumbent, other: Incumbent) -> Incumbent:
    """Return the better of two answers to one program; only CP-SAT's proofs count."""
    bound = min(exact.bound, other.bound)
    if other.value <= exact.value:
        return replace(exact, bound=bound)
    near = other.value - exact.value <= 1e-9 * abs(other.value)
    # SCIP's tolerance may let it beat a proven optimum by rounding alone
    proven = near and exact.status is Status.OPTIMAL
    return replace(other, status=Status.OPTIMAL if proven else Status.FEASIBLE, bound=other.bound)


def _checked(
    rows: LimitRows,
    core: Core,
    start: CandidatePlan,
    rest: CellTable,
    ask: Callable[[int], SelectionAnswer],
) -> Incumbent:
    """Ask with bounds let out by rounding, and where that breaks a limit, with bounds taken in.

    Parameters
    ----------
    rest
        What everyone outside the core uses.
    """
    first = ask(1)
    bound = first.bound + rest.value
    if not first.found:
        return Incumbent(status=first.status, bound=bound)
    # let out, so that rounding hides no plan; taken in where a sum then does break a bound
    for margin in (1, -1):
        answer = first if margin == 1 else ask(margin)
        if not answer.found:
            continue
        to = core.choice_of(answer.chosen)
        table = rest.plus(tally(core.few, to))
        if not rows.excess(table).any():
            return Incumbent(
                plan=start.changed(core.few, core.index, to),
                value=table.value,
                status=first.status if answer is first else Status.FEASIBLE,
                bound=bound,
            )
    return Incumbent(bound=bound)
