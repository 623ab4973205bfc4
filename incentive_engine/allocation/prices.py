"""The prices of the limits: the minimum of the Lagrangian dual, coarse to fine.

The dual is convex and piecewise linear. Around the current prices it is modelled by a linear
program in which the users nearest a tie choose freely and everyone else keeps the present
choice. That model never exceeds the dual, and is exact for the users in it; its minimum within a
box of prices is the next point. Where the box does not bind and the model meets the dual, the
prices are optimal.

References
----------
Geoffrion, "Lagrangean relaxation for integer programming", Math. Prog. Study 2 (1974), §3.
Hiriart-Urruty and Lemaréchal, "Convex Analysis and Minimization Algorithms II" (1993), ch. XV
(box-stabilised bundle methods).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp

from incentive_engine.allocation.model import CORE, Point, Step, evaluate, take_step
from incentive_engine.allocation.rows import Rows
from incentive_engine.allocation.sweep import total_sizes
from incentive_engine.allocation.users import Users
from incentive_engine.domain import FloatArray, IntArray

COARSEST: Final = 1_000
"""Users in the first sample: all of them fit into one exact linear program."""

FINER: Final = 12
"""How much larger each next sample is."""

PER_CELL: Final = 20
"""Users of each cell in a sample, so that no limit goes unseen."""

LARGEST_CORE: Final = 6_000

STEEPEST: Final = 1e6
"""Prices end at this multiple of the average value per unit of a limit: one that would be
higher belongs to a limit that cannot hold."""

WIDEST: Final = 10.0
"""Half the first box's width, in tenths of the average value per unit of each limit."""

PATIENCE: Final = 6
"""Steps that may fail before a box that still binds is taken for the last."""

ROUNDS: Final = 40
"""Steps per sample."""

TIGHT: Final = 1e-10
"""The relative gap between the model and the dual at which prices are optimal."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Optimum:
    """Prices and what is known about them.

    Attributes
    ----------
    point
        The best prices found.
    step
        The last model, None when there are no limits.
    gap
        (dual − model) / |dual| of that model, 0 for optimal prices.
    sweeps
        How many passes over all users were made.
    impossible
        The dual is below what the worst plan is worth, so there is no plan.
    """

    point: Point
    step: Step | None
    gap: float
    sweeps: int
    impossible: bool = False


def find_prices(
    users: Users,
    rows: Rows,
    *,
    start: FloatArray | None = None,
    radius: float = 0.3,
    caps: FloatArray | None = None,
    tight: float = TIGHT,
    least: float = 1e-300,
) -> Optimum:
    """Return the prices that minimise the dual.

    Parameters
    ----------
    start
        (L,) float64, prices to start from; None begins with a small sample.
    radius
        How far, relative to them, the prices may lie from `start`.
    caps, tight, least
        As in `minimise`.
    """
    prices = np.zeros(len(rows.limits)) if start is None else start
    if not len(prices):
        return Optimum(point=evaluate(users, rows, prices), step=None, gap=0.0, sweeps=1)
    radius = WIDEST if start is None else radius
    for size in [] if start is not None else sample_sizes(users.n):
        index, weight = draw_sample(users, size)
        few = users.take(index)
        found = minimise(
            few,
            rows,
            prices,
            weight=weight,
            radius=radius,
            tight=max(tight, 1e-5),
            caps=caps,
            least=least,
        )
        prices, radius = found.point.prices, 4.0 / np.sqrt(size)
    return minimise(users, rows, prices, radius=radius, caps=caps, tight=tight, least=least)


def sample_sizes(n: int) -> list[int]:
    """Return the sizes of the samples that come before all n users.

    >>> sample_sizes(1_000), sample_sizes(100_000)
    ([], [1000, 12000])
    """
    sizes = []
    size = COARSEST
    while size * 3 <= n:
        sizes.append(size)
        size *= FINER
    return sizes


def draw_sample(users: Users, size: int) -> tuple[IntArray, FloatArray]:
    """Return users whose key is low in their cell, and how many users each stands for.

    Returns
    -------
    index
        (s,) int64, sorted by key.
    weight
        (n_cells,) float64.
    """
    counts = np.bincount(users.cell, minlength=users.n_cells)
    share = np.maximum(size / users.n, PER_CELL / np.maximum(counts, 1))
    uniform = users.key * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(11)
    index = np.flatnonzero(uniform < np.minimum(share, 1.0)[users.cell] * 2.0**53)
    drawn = np.bincount(users.cell[index], minlength=users.n_cells)
    weight = np.where(drawn > 0, counts / np.maximum(drawn, 1), 0.0)
    index = index[np.argsort(users.key[index], kind="stable")]
    return index.astype(np.int64), weight


def typical_prices(rows: Rows, sizes: FloatArray) -> FloatArray:
    """Return (L,) the average value per unit of each limit.

    Parameters
    ----------
    sizes
        (m + 2, n_cells, k) float64, absolute amounts added over all pairs.
    """
    touched = sp.csr_array(abs(rows.matrix))
    used = touched @ sizes[1:].ravel()
    tiled = np.tile(sizes[0].ravel(), len(sizes) - 1)
    value = (touched > 0).astype(float) @ tiled
    typical = sizes[0].sum() / max(sizes[1].sum(), 1.0) or 1.0
    each = np.where((value > 0) & (used > 0), value / np.maximum(used, 1e-300), typical)
    return np.asarray(each, dtype=np.float64)


def minimise(
    users: Users,
    rows: Rows,
    start: FloatArray,
    *,
    weight: FloatArray | None = None,
    radius: float,
    tight: float = TIGHT,
    least: float = 1e-300,
    caps: FloatArray | None = None,
) -> Optimum:
    """Return the minimum of the dual over these users, from given prices.

    Parameters
    ----------
    radius
        Half the box's width relative to the prices (and a share of the average price).
    tight
        The relative gap between model and dual at which to stop.
    least
        The size that the gap is at least compared with.
    caps
        (L,) float64, the largest absolute prices; None for a generous multiple of the average.
    """
    sizes = total_sizes(users, weight=weight)
    scale, lowest = typical_prices(rows, sizes), -float(sizes[0].sum())
    caps = STEEPEST * scale if caps is None else caps
    best = evaluate(users, rows, start, weight=weight)
    size, sweeps, failed, step, gap = CORE, 1, 0, None, np.inf
    impossible = False
    for _ in range(ROUNDS):
        box = _box(best.prices, scale, radius, rows, caps)
        step = take_step(users, rows, best, box=box, caps=caps, weight=weight, size=size)
        floor = max(abs(best.dual), abs(best.table.value), least)
        predicted = (best.dual - step.model) / floor
        if step.inside:
            gap = max(predicted, 0.0)
        impossible = best.dual < lowest - least
        if impossible:
            break
        if predicted <= tight:
            if step.inside or failed > PATIENCE:
                break
            radius *= 8.0
            continue
        trial = evaluate(users, rows, step.prices, weight=weight)
        sweeps += 1
        gained = (best.dual - trial.dual) / (best.dual - step.model)
        if gained > 0:
            best = trial
        if step.inside and trial.dual - step.model <= tight * floor:
            gap = max((trial.dual - step.model) / floor, 0.0)
            break
        if gained > 0.5:
            radius *= 1.0 if step.inside else 3.0
        elif gained < 0.1:
            radius, failed = min(radius, 1.0) / 4.0, failed + 1
            size = min(2 * size, LARGEST_CORE)
    return Optimum(point=best, step=step, gap=gap, sweeps=sweeps, impossible=impossible)


def _box(
    prices: FloatArray, scale: FloatArray, radius: float, rows: Rows, caps: FloatArray
) -> tuple[FloatArray, FloatArray]:
    width = radius * np.maximum(np.abs(prices), 0.1 * scale)
    least = np.where(np.isfinite(rows.lower), -caps, 0.0)
    most = np.where(np.isfinite(rows.upper), caps, 0.0)
    return np.clip(prices - width, least, most), np.clip(prices + width, least, most)
