"""When no plan keeps the limits: which ones conflict, and the cheapest way out.

References
----------
Chinneck, "Feasibility and Infeasibility in Optimization" (2008), ch. 7 (deletion filter).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from incentive_engine.allocation.certificate import RatioReport, ratio_of
from incentive_engine.allocation.dual.core import build_core
from incentive_engine.allocation.dual.lagrangian import Optimum
from incentive_engine.allocation.infeasible.relaxation import AttainableSums, units_of_excess
from incentive_engine.allocation.integer.draft import CandidatePlan
from incentive_engine.allocation.integer.programs.core_program import selection_of
from incentive_engine.allocation.integer.programs.cp_sat import select
from incentive_engine.allocation.integer.rounding import round_prices
from incentive_engine.allocation.limits import LinearLimit
from incentive_engine.allocation.params import PLAN, RelaxationParams, SolveParams
from incentive_engine.allocation.population.explorer_usage import used_by_lots
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.population import Near, Population
from incentive_engine.allocation.population.sweep import tally
from incentive_engine.allocation.population.units import CellTable
from incentive_engine.allocation.problem import Question
from incentive_engine.allocation.solver_report import Status
from incentive_engine.domain import ISSUED, FloatArray, IntArray
from incentive_engine.errors import Fault, InfeasibleError
from incentive_engine.language import Message, Text, say
from incentive_engine.language.wording import joined, named


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relaxation:
    """The least by which limits must give way.

    Attributes
    ----------
    amounts
        (L,) float64, natural units: above `upper` positive, below `lower` negative, else 0.
    suspects
        (s,) int64, the limits that take part in the proof that something must give way.
    table
        What a plan adds up to that needs no more.
    draft
        That plan; None where it splits users.
    sums
        What users can add up to when they may be split; None where none may.
    """

    amounts: FloatArray
    suspects: IntArray
    table: CellTable
    draft: CandidatePlan | None = None
    sums: AttainableSums | None = None

    @property
    def needed(self) -> bool:
        """Whether the limits cannot all hold."""
        return bool(np.any(self.amounts != 0))


def relax(users: Population, rows: LimitRows, params: SolveParams = PLAN) -> Relaxation:
    """Return the cheapest relaxation; amounts count relative to each limit's bound.

    With many users it is the cheapest within a thousandth, and split users count as split.
    """
    if users.n * users.k <= params.relaxation.whole_pairs:
        return _relax_exactly(users, rows, params.relaxation)
    sums = AttainableSums.of(users, rows, params)
    mixture = sums.least_excess(range(len(rows.limits)))
    impossible = mixture.least > params.relaxation.negligible
    return Relaxation(
        amounts=mixture.excess if impossible else np.zeros(len(rows.limits)),
        suspects=np.flatnonzero((mixture.prices != 0) | (mixture.excess != 0)),
        table=sums.table(mixture),
        sums=sums,
    )


def _relax_exactly(users: Population, rows: LimitRows, params: RelaxationParams) -> Relaxation:
    everyone = _everybody(users)
    nobody = CandidatePlan.at(None, tally(everyone.users, np.full(users.n, -1, dtype=np.int16)))
    prices = np.zeros(len(rows.limits))
    return relax_core(everyone, rows, nobody, prices=prices, effort=params.effort)


def _everybody(users: Population) -> Near:
    """Return all of few users, as if none was far from changing the choice."""
    everyone = users.take(np.arange(users.n))
    index = np.argsort(everyone.key, kind="stable").astype(np.int64)
    some, distance = everyone.take(index), np.zeros(users.n, dtype=users.kind)
    return Near(index=index, distance=distance, users=some, count=users.n)


def relax_core(
    near: Near, rows: LimitRows, draft: CandidatePlan, *, prices: FloatArray, effort: float
) -> Relaxation:
    """Return the cheapest relaxation in whole offers when only some users may change.

    Parameters
    ----------
    near
        The users that may change, of all.
    draft
        What the others have.
    prices
        (L,) float64, at which users' best offers are picked.
    effort
        CP-SAT's deterministic seconds.
    """
    few, index = near.users, near.index
    core = build_core(few.worthless(), rows, index, prices=prices, most_pairs=few.k)
    selection = selection_of(
        rows,
        core,
        draft.without(few, index),
        draft.choices(few, index),
        margin=1,
        elastic=1.0 / units_of_excess(rows),
    )
    answer = select(selection, effort=effort)
    if answer.found:
        draft = draft.changed(few, index, core.choice_of(answer.chosen))
    amounts = rows.excess(draft.table)
    suspects = np.flatnonzero(amounts) if len(index) < near.count else np.arange(len(amounts))
    return Relaxation(amounts=amounts, suspects=suspects, table=draft.table, draft=draft)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Limits that cannot hold together, or that no plan was found to keep.

    Attributes
    ----------
    rows
        The limits' places.
    proven
        Whether no plan can keep them.
    """

    rows: tuple[int, ...]
    proven: bool


def conflict(
    users: Population, rows: LimitRows, first: Relaxation, params: SolveParams = PLAN
) -> Conflict:
    """Return a minimal set of limits that cannot hold together (a deletion filter).

    Where only whole offers make the limits impossible and that is not proven, these are the
    limits that would have to give way.

    Parameters
    ----------
    first
        The relaxation of all rows.
    """
    members = [int(i) for i in first.suspects]
    prove = _question(users, rows, first, params)
    proof = prove(members)
    if not proof:
        return Conflict(rows=tuple(np.flatnonzero(first.amounts).tolist()), proven=False)
    members = proof
    for row in list(members):
        # a proof may have dropped the limit on the way; one alone is its own conflict
        if row in members and len(members) > 1:
            members = prove([i for i in members if i != row]) or members
    return Conflict(rows=tuple(members), proven=True)


def _question(
    users: Population, rows: LimitRows, first: Relaxation, params: SolveParams
) -> Callable[[list[int]], list[int]]:
    """Return a function: those of some limits that prove that they cannot all hold, or none."""
    effort, negligible = params.relaxation.effort, params.relaxation.negligible
    if users.n * users.k <= params.relaxation.whole_pairs:
        return lambda keep: keep if _refuted(users, rows.subset(keep), effort=effort) else []
    sums = first.sums or AttainableSums.of(users, rows, params)

    def prove(keep: list[int]) -> list[int]:
        mixture = sums.least_excess(keep, close=np.inf)
        return np.flatnonzero(mixture.prices).tolist() if mixture.least > negligible else []

    return prove


def _refuted(users: Population, rows: LimitRows, *, effort: float) -> bool:
    """Return whether CP-SAT proves that no plan in whole offers keeps the rows."""
    everyone, nobody = _everybody(users), np.full(users.n, -1, dtype=np.int16)
    idle, index = everyone.users.worthless(), everyone.index
    free = np.zeros(len(rows.limits))
    core = build_core(idle, rows, index, prices=free, most_pairs=idle.k)
    program = selection_of(rows, core, tally(idle, nobody), nobody, margin=1)
    return select(program, effort=effort).status is Status.INFEASIBLE


def relax_whole(
    users: Population, rows: LimitRows, optimum: Optimum, params: RelaxationParams
) -> Relaxation:
    """Return the relaxation that whole offers need where split ones would not."""
    # users that may change when only whole offers make the limits impossible
    repair = 2_000
    rounded = round_prices(users, rows, optimum, most=repair)
    # those nearest a tie give way most cheaply
    near, prices = rounded.near.nearest(repair), optimum.point.prices
    near = replace(near, count=users.n)
    return relax_core(near, rows, rounded.draft, prices=prices, effort=params.effort)


def explain(
    question: Question,
    users: Population,
    rows: LimitRows,
    relaxation: Relaxation,
    params: SolveParams = PLAN,
) -> InfeasibleError:
    """Return the error that names the limits in conflict and the cheapest way out."""
    in_conflict = conflict(users, rows, relaxation, params)
    names = [rows.names[i] for i in in_conflict.rows]
    table = relaxation.table
    usage = rows.exact_usage(table)
    ways = [
        _way_out(
            rows,
            int(i),
            relaxation.amounts[i],
            usage=None if relaxation.draft is None else usage[i],
            ratio=ratio_of(question, users.units, rows.limits[i], table),
        )
        for i in np.flatnonzero(relaxation.amounts)
    ]
    faults = []
    for i in in_conflict.rows:
        others = [name for name in names if name != rows.names[i]]
        what = say("conflict.alone", bounds=_bounds(rows, i))
        if not in_conflict.proven:
            what = say("conflict.unfound", bounds=_bounds(rows, i))
        elif others:
            what = say("conflict.together", bounds=_bounds(rows, i), others=tuple(others))
        used = used_by_lots(rows, i)
        if used:
            what = say("explore.uses", what=what, used=used)
        least = rows.limits[i].shares[0]
        follow: Text = "" if least is None else say("conflict.follow", share=100 * least)
        faults.append(Fault(say("conflict.limit", name=rows.names[i]), what, remedy=follow))
    faults.append(Fault(say("conflict.way_out"), joined(ways)))
    return InfeasibleError(*faults)


def _bounds(rows: LimitRows, i: int) -> Message:
    ratio = rows.limits[i].ratio
    least, most = (
        (rows.lower[i] + used_by_lots(rows, i), rows.upper[i] + used_by_lots(rows, i))
        if ratio is None
        else (_known(ratio.at_least, -np.inf), _known(ratio.at_most, np.inf))
    )
    limit = rows.limits[i]
    parts = []
    if np.isfinite(least):
        parts.append(_stated(limit, say("conflict.at_least", least=float(least)), limit.shares[0]))
    if np.isfinite(most):
        parts.append(_stated(limit, say("conflict.at_most", most=float(most)), limit.shares[1]))
    bounds = joined(parts, "and")
    if ratio is None:
        return bounds
    if ratio.of_plan:
        return say("conflict.of_plan", measure=named("measure", ratio.numerator), bounds=bounds)
    return say(
        "conflict.ratio",
        numerator=ratio.numerator,
        denominator=ratio.denominator,
        bounds=bounds,
    )


def _stated(limit: LinearLimit, bound: Message, share: float | None) -> Message:
    """Return a bound with the share that it is of the budget, or of all users."""
    if share is None:
        return bound
    of = "users" if limit.terms[0][0] == ISSUED else "budget"
    return say(f"conflict.of_{of}", bound=bound, share=100 * share)


def _known(bound: float | None, missing: float) -> float:
    return missing if bound is None else bound


def _way_out(
    rows: LimitRows, i: int, amount: float, *, usage: float | None, ratio: RatioReport | None
) -> Message:
    name, below = rows.names[i], amount < 0
    used = used_by_lots(rows, i)
    bound = float(rows.lower[i] if below else rows.upper[i]) + used
    to: float | None = bound + amount if usage is None else usage + used
    if ratio is not None:
        below = ratio.at_least is not None
        bound = _known(ratio.at_least if below else ratio.at_most, np.nan)
        to = None if ratio.usage is None else _outward(ratio.usage, below=below)
        if to is None or (to >= bound if below else to <= bound):
            return say("conflict.drop", name=name)
    way = say(f"conflict.{'lower' if below else 'raise'}", name=name, bound=bound, to=to)
    share = None if ratio else rows.limits[i].shares[0 if below else 1]
    if share is None or to is None or not bound:
        return way
    return _stated(rows.limits[i], way, _whole_share(share * to / bound, below=below))


def _whole_share(share: float, *, below: bool) -> float:
    """Return a share in hundredths of a percent, on the side on which the plan keeps it."""
    hundredths, rounding = 10_000 * share, 1e-6
    whole = np.floor(hundredths + rounding) if below else np.ceil(hundredths - rounding)
    return float(whole) / 10_000


def _outward(ratio: float, *, below: bool) -> float:
    """Return a ratio with five digits, on the side on which the plan keeps it."""
    if not ratio:
        return 0.0
    step = 10.0 ** (np.floor(np.log10(abs(ratio))) - 4)
    return float((np.floor(ratio / step) if below else np.ceil(ratio / step)) * step)
