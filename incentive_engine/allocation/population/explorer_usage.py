"""What explorers use of the limits by their lots alone, before anybody else gets an offer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from incentive_engine.allocation.explorers import Explorers
from incentive_engine.allocation.limits import LinearLimit
from incentive_engine.allocation.population.limit_maps import LimitRows, rows_of
from incentive_engine.allocation.population.population import Population
from incentive_engine.allocation.population.units import CellTable, empty_totals, table_of
from incentive_engine.allocation.problem import Question
from incentive_engine.domain import to_micros
from incentive_engine.errors import Fault
from incentive_engine.language import say


def open_rows(
    question: Question, users: Population, limits: Sequence[LinearLimit] | None = None
) -> LimitRows:
    """Return limits, the enforced ones unless told, with what explorers leave of their bounds."""
    rows = rows_of(question, users.units, question.enforced if limits is None else limits)
    if question.explorers is None:
        return rows
    return rows.with_bounds(*rows.residual(tally_explorers(users, question.explorers)))


def tally_explorers(users: Population, explorers: Explorers) -> CellTable:
    """Return what the pairs drawn by lot add up to."""
    user, offer = explorers.pairs
    few, place, at = users.take(user), np.argsort(users.order)[offer], np.arange(len(user))
    totals = empty_totals(few)
    amounts = [explorers.value[explorers.choice >= 0], np.ones(len(user))]
    amounts += [columns[place, at].astype(np.float64) for columns in few.columns]
    for row, amount in enumerate(amounts):
        is_cost = few.cost >= 0 and row == few.cost + 2
        whole = to_micros(amount) if is_cost else np.rint(amount * few.scale[row])
        np.add.at(totals[:, :, row], (few.cell, place), whole.astype(np.int64))
    return table_of(few, totals, None)


def taken_by_lots(rows: LimitRows) -> tuple[Fault, ...]:
    """Return the limits of which explorers use more than there is; none as a rule.

    Parameters
    ----------
    rows
        With what explorers leave.
    """
    # only what is counted or paid cannot be given back by what others get
    taken = np.flatnonzero((rows.unit > 0) & (rows.upper < 0)).tolist()
    most = [limit.at_most or 0.0 for limit in rows.limits]
    return tuple(
        taken_fault(rows.names[i], most[i] - float(rows.upper[i]), most[i]) for i in taken
    )


def used_by_lots(rows: LimitRows, i: int) -> float:
    """Return what explorers use of a limit, in its own unit; 0 for a ratio, and where none do.

    Parameters
    ----------
    rows
        With what explorers leave.
    """
    limit = rows.limits[i]
    if limit.ratio is not None:
        return 0.0
    if limit.at_most is not None:
        return float(limit.at_most - rows.upper[i])
    return 0.0 if limit.at_least is None else float(limit.at_least - rows.lower[i])


def taken_fault(limit: str, used: float, most: float) -> Fault:
    """Return that explorers use more of a limit than there is."""
    return Fault(
        say("explore.limit", limit=limit),
        say("explore.taken", used=used, most=most),
        remedy=say("explore.remedy"),
    )
