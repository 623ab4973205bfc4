"""Steps towards the optimal prices that need no linear program.

Close to its minimum the dual of many users is nearly smooth: as prices move, users change their
choice one after the other, and how many of them do so per unit of price shows in those who are
near a tie. That gives the second derivatives; the first ones are exact. The minimum of the
quadratic function within a box of prices is the next point.

References
----------
Bertsekas, "Projected Newton methods for optimization problems with simple constraints", SIAM J.
Control Optim. 20 (1982).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from incentive_engine.allocation.dual.core import changes_of, scores_of, usage_of
from incentive_engine.allocation.dual.lagrangian import Box, Frame, LagrangianDual, Point
from incentive_engine.allocation.population.population import Near, Users
from incentive_engine.domain import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Approach:
    """Where the steps ended.

    Attributes
    ----------
    point
        The best prices.
    radius
        Half the width of a box around them in which the minimum is looked for next.
    enough
        Whether a further step promised too little; else so few users are open within the box
        that a linear program has all of them, or steps failed.
    sweeps
        How many passes over all users were made.
    """

    point: Point
    radius: float
    enough: bool
    sweeps: int


def approach(
    dual: LagrangianDual, start: FloatArray, frame: Frame, radius: float, *, tight: float
) -> Approach:
    """Return a point near the minimum of the dual.

    Parameters
    ----------
    radius
        Half the first box's width, as for `Frame.around`.
    tight
        The relative improvement below which steps are not worth while.
    """
    best, first, failed, enough, sweeps = dual.at(start), radius, 0, False, 1
    params, most_free = dual.params, dual.params.core_users
    bound = dual.users.n > most_free  # the minimum may lie outside the box
    # a box is at least this part of the one before
    narrowest = 0.1
    # steps that may fail before these steps are given up
    failures = 2
    for _ in range(params.newton_steps):
        box = frame.around(best.prices, radius)
        near = dual.users.open_within(*dual.around(best, box), most=params.curvature_users)
        # a linear program takes all of these, and exactly
        if near.count <= most_free and not bound:
            break
        step, promised = _lowest_within(dual, best, box, near)
        enough = promised <= tight * abs(best.dual)
        if enough:
            break
        trial, sweeps = dual.at(best.prices + step), sweeps + 1
        if trial.dual < best.dual:
            # 1 is a step to the edge of the box, beyond which it might have gone on
            moved = float(np.max(np.abs(step) / np.maximum(box.width(best.prices), 1e-300)))
            bound = moved > 0.99
            radius *= 2.0 if bound else max(0.5 * moved, narrowest)
            best = trial
        elif failed < failures:
            radius, failed = radius / 4.0, failed + 1
        else:
            radius = first
            break
    return Approach(point=best, radius=radius, enough=enough, sweeps=sweeps)


def _lowest_within(
    dual: LagrangianDual, at: Point, box: Box, near: Near
) -> tuple[FloatArray, float]:
    """Return the step to the minimum of the quadratic function, and the decrease that it predicts.

    Parameters
    ----------
    near
        Some of the users whose choice may change within the box.
    """
    slope, low, high = _slopes(dual, at, box)
    curvature = _curvature(dual, at, box, near)
    step = lowest(slope, curvature, low, high)
    return step, -float(slope @ step + 0.5 * step @ curvature @ step)


def _slopes(
    dual: LagrangianDual, at: Point, box: Box
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the dual's first derivatives, and between which steps they hold.

    A price keeps its sign, because another bound applies beyond 0; at 0 the bound that the sum
    passes or is nearer to applies.
    """
    rows, prices = dual.rows, at.prices
    usage = rows.usage(at.table)
    over = (prices > 0) | ((prices == 0) & (rows.upper - usage <= usage - rows.lower))
    slope = np.where(over, rows.upper, rows.lower) - usage
    least = np.where(over, np.maximum(box.least, 0.0), box.least)
    most = np.where(over, box.most, np.minimum(box.most, 0.0))
    return slope, least - prices, most - prices


def _curvature(dual: LagrangianDual, at: Point, box: Box, near: Near) -> FloatArray:
    """Return (L, L) the second derivatives of the dual, from users near a tie.

    A user's change between two choices that use u and v of the limits, at a difference of scores
    that lies anywhere within ±h, adds (u − v)(u − v)ᵀ / 2h on average.
    """
    # second derivatives only shape the step; the first ones, which decide, stay exact
    few, share = near.users, max(near.count / dual.params.curvature_users, 1.0)
    price, width = dual.around(at, box)
    chosen, rival, play = _rivals(few, price, width)
    own, other = (_used(few, dual, choice) for choice in (chosen, rival))
    weight = share / (2.0 * play)
    if dual.weight is not None:
        weight *= dual.weight[few.cell]
    change = own - other
    return np.asarray((change.multiply(weight[None, :]) @ change.T).todense(), dtype=np.float64)


def _rivals(
    few: Users, price: FloatArray, width: FloatArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return each user's best choice and nearest other one, −1 for none, and their play."""
    nothing = np.full((1, few.n), -np.inf if few.forced else 0.0)
    score = np.vstack([nothing, scores_of(few, price)])
    play = np.vstack([np.zeros((1, few.n)), changes_of(few, width)])
    everyone = np.arange(few.n)
    chosen = score.argmax(axis=0)
    both = play + play[chosen, everyone] + np.finfo(np.float64).tiny
    with np.errstate(over="ignore"):  # prices that do not move either of two choices
        share = np.where(np.isfinite(score), (score[chosen, everyone] - score) / both, np.inf)
    # the choice is no rival of its own
    share[chosen, everyone] = np.inf
    rival = share.argmin(axis=0)
    return chosen - 1, rival - 1, both[rival, everyone]


def _used(few: Users, dual: LagrangianDual, choice: IntArray) -> Any:  # noqa: ANN401 - a sparse matrix
    """Return (L, N) sparse, what the users' choices use of each limit."""
    taken = np.flatnonzero(choice >= 0)
    return usage_of(few, dual.rows, taken, choice[taken], width=few.n)


def lowest(
    slope: FloatArray, curvature: FloatArray, low: FloatArray, high: FloatArray
) -> FloatArray:
    """Return the d within bounds that minimises slope·d + d·curvature·d / 2, nearly.

    A small ridge keeps limits apart that move together, so d is short of the minimum by about a
    millionth of the bounds' width.

    Parameters
    ----------
    slope
        (L,) float64.
    curvature
        (L, L) float64, positive semidefinite.
    low, high
        (L,) float64, around 0.

    >>> two = np.diag([2.0, 2.0])
    >>> step = lowest(np.array([-2.0, 8.0]), two, np.array([-3.0] * 2), np.array([3.0] * 2))
    >>> np.round(step, 3).tolist()
    [1.0, -3.0]
    """
    size = np.maximum(high - low, np.finfo(np.float64).tiny)
    ridge = np.diag(1e-9 * np.diag(curvature) + 1e-6 * np.abs(slope) / size)
    whole = curvature + ridge + np.eye(len(slope)) * np.finfo(np.float64).tiny
    step = np.zeros(len(slope))
    # limits join and leave the bounds about once each
    for _ in range(3 * len(slope) + 10):
        rate = slope + whole @ step
        free = ~(((step <= low) & (rate > 0)) | ((step >= high) & (rate < 0)))
        if not np.any(np.abs(rate[free]) > 1e-9 * np.abs(slope).max()):
            break
        move = np.zeros(len(slope))
        # least squares: two limits over the same users leave the matrix singular
        move[free] = -np.linalg.lstsq(whole[np.ix_(free, free)], rate[free], rcond=None)[0]
        after = _descended(step, move, (slope, whole), low, high)
        if after is step:
            break
        step = after
    return step


def _descended(
    step: FloatArray,
    move: FloatArray,
    function: tuple[FloatArray, FloatArray],
    low: FloatArray,
    high: FloatArray,
) -> FloatArray:
    """Return the step after the longest part of a move that lowers the function, or the step."""
    slope, whole = function
    now = slope @ step + 0.5 * step @ whole @ step
    # thirty halvings leave a billionth of the move, where nothing falls any more
    for _ in range(30):
        trial = np.clip(step + move, low, high)
        if slope @ trial + 0.5 * trial @ whole @ trial < now:
            return trial
        move = move / 2.0
    return step
