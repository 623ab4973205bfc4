"""Limits that explorers break by their lots alone, before anybody else gets an offer."""

from __future__ import annotations

import numpy as np

from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.errors import Fault
from incentive_engine.language import say


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
