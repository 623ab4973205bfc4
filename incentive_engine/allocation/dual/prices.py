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

from dataclasses import replace

import numpy as np

from incentive_engine.allocation.dual.lagrangian import (
    Box,
    BoxMinimum,
    Frame,
    LagrangianDual,
    Optimum,
    Point,
)
from incentive_engine.allocation.dual.near_tie_model import take_step
from incentive_engine.allocation.dual.newton import Approach, approach
from incentive_engine.allocation.params import PLAN, SolveParams
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.allocation.population.population import Population
from incentive_engine.allocation.population.samples import UserSample, draw_samples, sizes_of
from incentive_engine.domain import FloatArray
from incentive_engine.errors import SolverError


def find_prices(
    users: Population,
    rows: LimitRows,
    *,
    start: FloatArray | None = None,
    radius: float = 0.3,
    hint: FloatArray | None = None,
    samples: tuple[UserSample, ...] | None = None,
    params: SolveParams = PLAN,
) -> Optimum:
    """Return the prices that minimise the dual.

    Parameters
    ----------
    start
        (L,) float64, prices to start from; None begins with a small sample.
    radius
        How far, relative to them, the prices may lie from `start`.
    hint
        (L,) float64, prices of a problem that is somewhat like this one, for the small sample to
        begin with.
    samples
        What `draw_samples` gives for the users, where it is known.
    """
    prices = start if start is not None else hint
    prices = np.zeros(len(rows.limits)) if prices is None else prices
    everyone = LagrangianDual(users=users, rows=rows, params=params)
    if not len(prices):
        return Optimum(point=everyone.at(prices), step=None, gap=0.0, sweeps=1)
    if start is None:
        samples = draw_samples(users, params) if samples is None else samples
        # half the first box's width, in tenths of the average value per unit of each limit
        widest = 10.0
        # the same around the prices of a problem that is somewhat like this one
        hinted = 1.0
        radius = widest if hint is None else hinted
        rough = max(params.price_gap, params.sample_price_gap)
        for sample in samples:
            some = replace(everyone, users=sample.users, weight=sample.weight)
            frame = frame_of(rows, sample.sizes)
            prices = about_lowest(some, prices, frame=frame, radius=radius, tight=rough)
            # how far prices of a sample may be off, relative to themselves, times the root of its
            # size
            radius = 15.0 / np.sqrt(sample.size)
    frame = frame_of(rows, samples[-1].sizes if samples else sizes_of(users))
    return minimise_among_open(everyone, prices, frame=frame, radius=radius)


def minimise_among_open(
    dual: LagrangianDual, start: FloatArray, *, frame: Frame, radius: float
) -> Optimum:
    """Return the minimum of the dual, found among the users whose choice is open near `start`.

    Everyone else is added up once. Where the minimum lies at an edge of the box in which they
    are settled, a wider box is put there.
    """
    users, passes, tight = dual.users, 0, dual.params.price_gap
    # how often that box may be moved before everybody is looked at in each step
    moves = 3
    # how much wider that box then is
    wider = 2.0
    # 50_000: from so many users on, those whose choice is settled are added up once
    for _ in range(moves if users.n >= 50_000 else 0):
        point, box = dual.at(start), frame.around(start, radius)
        price, width = dual.around(point, box)
        open_part = users.open_part(price, width, most=users.n // 3)
        passes += 2
        if open_part is None:
            break
        # what is added up apart must be what float64 would choose, so that both parts agree
        undecided, places = open_part
        settled = point.table.totals - undecided.usage(price).totals
        open_dual = replace(dual, users=undecided, settled=settled)
        inner = replace(frame, bounds=box)
        optimum = minimise(open_dual, start, frame=inner, radius=radius, tight=tight)
        passes += optimum.sweeps * undecided.n // users.n
        start = optimum.point.prices
        radius *= wider
        if not box.meets(start, frame.bounds):
            assert optimum.step is not None
            core = replace(optimum.step.core, index=places(optimum.step.core.index))
            return replace(optimum, step=replace(optimum.step, core=core), sweeps=passes)
    optimum = minimise(dual, start, frame=frame, radius=radius, tight=tight)
    return replace(optimum, sweeps=optimum.sweeps + passes)


def frame_of(rows: LimitRows, sizes: FloatArray) -> Frame:
    """Return the frame in which a price has the sign that its limit's bounds allow.

    Parameters
    ----------
    sizes
        (m + 2, n_cells, k) float64, absolute amounts added over all pairs.
    """
    scale = rows.typical_prices(sizes)
    # prices end at this multiple of the average value per unit of a limit: one that would be
    # higher belongs to a limit that cannot hold
    steepest = 1e6
    caps = steepest * scale
    bounds = Box(
        least=np.where(np.isfinite(rows.lower), -caps, 0.0),
        most=np.where(np.isfinite(rows.upper), caps, 0.0),
    )
    return Frame(scale=scale, caps=caps, bounds=bounds, total=float(sizes[0].sum()), rows=rows)


def about_lowest(
    dual: LagrangianDual, start: FloatArray, *, frame: Frame, radius: float, tight: float
) -> FloatArray:
    """Return (L,) prices near the minimum of the dual; arguments are those of `minimise`."""
    near = approach(dual, start, frame, radius, tight=tight)
    if near.enough:
        return near.point.prices
    optimum = minimise_by_programs(dual, near, frame=frame, tight=tight)
    return optimum.point.prices


def minimise(
    dual: LagrangianDual, start: FloatArray, *, frame: Frame, radius: float, tight: float
) -> Optimum:
    """Return the minimum of the dual, from given prices.

    Parameters
    ----------
    radius
        Half the first box's width, as for `Frame.around`.
    tight
        The relative gap between model and dual at which to stop.
    """
    near = approach(dual, start, frame, radius, tight=tight)
    return minimise_by_programs(dual, near, frame=frame, tight=tight)


def minimise_by_programs(
    dual: LagrangianDual, near: Approach, *, frame: Frame, tight: float
) -> Optimum:
    """Return the minimum of the dual, found by linear programs of open users."""
    lowest = -2.0 * frame.total
    best, radius, sweeps = near.point, near.radius, near.sweeps
    size, failed, step, gap = dual.params.core_users, 0, None, np.inf
    impossible = False
    # steps that may fail before a box that still binds is taken for the last
    patience = 6
    # gaps are relative to at least this, where nothing is worth anything
    tiniest = 1e-300
    for _ in range(dual.params.price_steps):
        box = frame.around(best.prices, radius)
        step = _step_that_ends(dual, best, box=box, caps=frame.caps, size=size)
        floor = max(abs(best.dual), abs(best.table.value), tiniest)
        predicted = (best.dual - step.model) / floor
        # a box that binds says nothing about prices beyond it
        if step.inside:
            gap = max(predicted, 0.0)
        # no plan is worth so little: a bound below the worst plan leaves no plan at all
        impossible = best.dual < lowest
        if impossible:
            break
        if predicted <= tight:
            if step.inside or failed > patience or box.equals(frame.bounds):
                break
            # nothing to gain inside, so the minimum may lie beyond the box
            radius *= 8.0
            continue
        trial = dual.at(step.prices)
        sweeps += 1
        gained = (best.dual - trial.dual) / (best.dual - step.model)
        if gained > 0:
            best = trial
        if step.inside and trial.dual - step.model <= tight * floor:
            gap = max((trial.dual - step.model) / floor, 0.0)
            break
        if gained > 0.5:
            # the model foretold most of the gain: trust it further out
            radius *= 1.0 if step.inside else 3.0
        elif gained < 0.1:
            # users outside the core changed their choice: look nearer, with more of them
            radius, failed = min(radius, 1.0) / 4.0, failed + 1
            size = min(2 * size, dual.params.largest_core_users)
    return Optimum(point=best, step=step, gap=gap, sweeps=sweeps, impossible=impossible)


def _step_that_ends(
    dual: LagrangianDual,
    at: Point,
    *,
    box: Box,
    caps: FloatArray,
    size: int,
) -> BoxMinimum:
    """Return the model's minimum, of fewer users where GLOP cannot solve that of many.

    Arguments are those of `take_step`. Whoever is left out keeps the present choice, so that the
    model stays below the dual.
    """
    # users of the smallest linear program that is tried where GLOP cannot solve larger ones
    fewest = 100
    while True:
        try:
            return take_step(dual, at, box=box, caps=caps, size=size)
        except SolverError:
            if size <= fewest:
                raise
            size //= 4
