"""The integer program over a core, in coefficients that are exact or safely rounded."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from incentive_engine.allocation.core import Core
from incentive_engine.allocation.rows import Rows
from incentive_engine.allocation.selection import LARGEST, Selection
from incentive_engine.allocation.sweep import Choice, Table
from incentive_engine.allocation.users import Users
from incentive_engine.domain import FloatArray


def selection_of(
    users: Users,
    rows: Rows,
    core: Core,
    rest: Table,
    start: Choice,
    *,
    margin: int,
    elastic: FloatArray | None = None,
) -> Selection:
    """Return the integer program over a core.

    Parameters
    ----------
    rest
        What everyone outside the core uses.
    margin
        Sums that are not exact in integers are rounded: 1 lets their bounds out by what the
        rounding can amount to, −1 takes them in.
    elastic
        (L,) float64, penalties per natural unit by which limits may be broken; None for none.
    """
    lower, upper = rows.residual(rest)
    steps = row_steps(rows, core.usage)
    exact = steps == rows.unit
    play = np.where(exact, 0, margin * len(core.index))
    matrix = core.usage.multiply(steps[:, None]).tocsr()
    matrix.data = np.rint(matrix.data)
    return Selection(
        objective=core.value,
        group=core.user,
        forced=users.forced,
        matrix=sp.csr_array(matrix.astype(np.int64)),
        lower=_whole(np.where(exact, np.rint(lower * steps), np.ceil(lower * steps)) - play),
        upper=_whole(np.where(exact, np.rint(upper * steps), np.floor(upper * steps)) + play),
        hint=core.pairs_of(start[core.index]),
        elastic=np.empty(0) if elastic is None else elastic / steps,
    )


def row_steps(rows: Rows, usage: sp.csr_array) -> FloatArray:
    """Return (L,) the integer steps per natural unit of each limit.

    Money and counts are taken in their own integers as long as these are small enough for the
    solver; other sums, and larger money, are rounded to steps of the largest coefficient.
    """
    largest = np.zeros(len(rows.limits))
    if usage.shape[1]:
        largest = np.asarray(abs(usage).max(axis=1).todense(), dtype=np.float64).ravel()
    steps = LARGEST / np.where(largest > 0, largest, 1.0)
    return np.where((rows.unit > 0) & (rows.unit <= steps), rows.unit, steps)


def _whole(bounds: FloatArray) -> tuple[int | None, ...]:
    return tuple(int(bound) if np.isfinite(bound) else None for bound in bounds)
