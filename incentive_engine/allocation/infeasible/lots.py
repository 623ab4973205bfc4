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


def taken_fault(limit: str, used: float, most: float) -> Fault:
    """Return that explorers use more of a limit than there is."""
    return Fault(
        say("explore.limit", limit=limit),
        say("explore.taken", used=used, most=most),
        remedy=say("explore.remedy"),
    )
