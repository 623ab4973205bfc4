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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp

from incentive_engine.allocation import kernels
from incentive_engine.allocation.model import CORE, Point, Step, evaluate, take_step
from incentive_engine.allocation.rows import Rows
from incentive_engine.allocation.sweep import total_sizes
from incentive_engine.allocation.users import Users, in_parts
from incentive_engine.domain import FloatArray, IntArray

COARSEST: Final = 1_000
"""Users in the first sample: all of them fit into one exact linear program."""

FINER: Final = 12
"""How much larger each next sample is."""

PER_CELL: Final = 20
"""Users of each cell in a sample, so that no limit goes unseen."""

SIZED: Final = 100_000
"""Users by whom the sizes of amounts are judged where there are many more."""

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
    sizes = None
    for size, few, weight in [] if start is not None else draw_samples(users):
        sizes = total_sizes(few, weight=weight)
        found = minimise(
            few,
            rows,
            prices,
            weight=weight,
            sizes=sizes,
            radius=radius,
            tight=max(tight, 1e-5),
            caps=caps,
            least=least,
        )
        prices, radius = found.point.prices, 4.0 / np.sqrt(size)
    return minimise(
        users, rows, prices, sizes=sizes, radius=radius, caps=caps, tight=tight, least=least
    )


def draw_samples(users: Users) -> Iterator[tuple[int, Users, FloatArray]]:
    """Yield ever larger samples: their size, the users, and how many users each stands for.

    All are drawn from the largest one, so that only that is looked for among all users.
    """
    sizes = sample_sizes(users.n)
    if not sizes:
        return
    counts = count_cells(users)
    index, most = draw_sample(users, sizes[-1], counts=counts)
    largest = users.take(index)
    for size in sizes[:-1]:
        index, weight = draw_sample(largest, size, counts=counts)
        yield size, largest.take(index), weight
    yield sizes[-1], largest, most


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


def draw_sample(
    users: Users, size: int, *, counts: IntArray | None = None
) -> tuple[IntArray, FloatArray]:
    """Return users whose key is low in their cell, and how many users each stands for.

    Parameters
    ----------
    counts
        (n_cells,) int64, the sizes of the cells that `users`, a larger sample, was drawn from;
        None when they are everybody.

    Returns
    -------
    index
        (s,) int64, sorted by key.
    weight
        (n_cells,) float64.
    """
    counts = count_cells(users) if counts is None else counts
    share = np.maximum(size / max(counts.sum(), 1), PER_CELL / np.maximum(counts, 1))
    below = (np.minimum(share, 1.0) * 2.0**53).astype(np.uint64)
    parts = in_parts(
        lambda start, stop, out: kernels.draw(users.cell, users.key, below, start, stop, out),
        n=users.n,
        make=lambda: np.empty(users.n + 1, dtype=np.int64),
    )
    index = np.concatenate([part[: part[-1]] for part in parts])
    drawn = np.bincount(users.cell[index], minlength=users.n_cells)
    weight = np.where(drawn > 0, counts / np.maximum(drawn, 1), 0.0)
    return index[np.argsort(users.key[index], kind="stable")], weight


def count_cells(users: Users) -> IntArray:
    """Return (n_cells,) int64, how many users each cell has."""
    parts = in_parts(
        lambda start, stop, counts: kernels.count_cells(users.cell, start, stop, counts),
        n=users.n,
        make=lambda: np.zeros(users.n_cells, dtype=np.int64),
    )
    return np.asarray(sum(parts), dtype=np.int64)


def sizes_of(users: Users) -> FloatArray:
    """Return (m + 2, n_cells, k) float64, absolute amounts over all pairs, by a sample of many."""
    if users.n <= 2 * SIZED:
        return total_sizes(users)
    index, weight = draw_sample(users, SIZED)
    return total_sizes(users.take(index), weight=weight)


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
    sizes: FloatArray | None = None,
    radius: float,
    tight: float = TIGHT,
    least: float = 1e-300,
    caps: FloatArray | None = None,
) -> Optimum:
    """Return the minimum of the dual over these users, from given prices.

    Parameters
    ----------
    sizes
        (m + 2, n_cells, k) float64, absolute amounts over all pairs; None to add them up.
    radius
        Half the box's width relative to the prices (and a share of the average price).
    tight
        The relative gap between model and dual at which to stop.
    least
        The size that the gap is at least compared with.
    caps
        (L,) float64, the largest absolute prices; None for a generous multiple of the average.
    """
    sizes = sizes_of(users) if sizes is None else sizes
    scale, lowest = typical_prices(rows, sizes), -2.0 * float(sizes[0].sum())
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
