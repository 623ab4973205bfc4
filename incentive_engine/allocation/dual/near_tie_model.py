"""A model of the dual around a point: near-tied users choose freely, the others stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from incentive_engine.allocation.dual.core import Core, build_core
from incentive_engine.allocation.dual.lagrangian import Box, BoxMinimum, LagrangianDual, Point
from incentive_engine.allocation.dual.linear_program import LinearProgram, solve_lp
from incentive_engine.allocation.population.limit_maps import LimitRows
from incentive_engine.domain import BoolArray, FloatArray, IntArray


def take_step(
    dual: LagrangianDual,
    at: Point,
    *,
    box: Box,
    caps: FloatArray,
    size: int,
) -> BoxMinimum:
    """Return the minimum of the model around a point, within a box of prices.

    Parameters
    ----------
    caps
        (L,) float64, the steepest prices.
    size
        The most users that choose freely, those whose choice changes first.
    """
    users, rows = dual.users, dual.rows
    near = users.nearest_open(*dual.around(at, box), most=size)
    core = build_core(
        near.users,
        rows,
        near.index,
        prices=at.prices,
        weight=dual.weight,
        width=box.width(at.prices),
    )
    # who chooses freely must not be counted with those who stay
    others = at.table.minus(core.table)
    used = rows.usage(others)
    unit = row_sizes(core)
    classes = classes_of(core, rows.counted(users.shape))
    program = _program(core, classes, rows, used=used, box=box, forced=users.forced, size=unit)
    answer = solve_lp(program, dual.params.linear)
    pairs, groups, limits = len(classes.pair), len(classes.count), len(rows.limits)
    shares = classes.spread(answer.x[:pairs])
    # GLOP's duals may pass the box by its tolerance
    prices = box.clip(answer.duals[groups:] / unit)
    over, under = (
        answer.x[pairs + i * limits : pairs + (i + 1) * limits] * unit for i in range(2)
    )
    # a user of a sample stands for many
    taken = core.weight * shares
    usage = used + core.usage @ taken
    return BoxMinimum(
        prices=prices,
        base=at.prices,
        model=answer.objective + float(others.value),
        inside=_inside(over, under, box, caps, rows),
        core=core,
        shares=shares,
        usage=usage,
        treated=others.treated + float(taken.sum()),
        broken=broken_by(rows, usage),
    )


def broken_by(rows: LimitRows, usage: FloatArray) -> FloatArray:
    """Return (L,) by how much sums pass their bounds, beyond rounding."""
    over = np.maximum(usage - rows.upper, 0.0)
    under = np.minimum(usage - rows.lower, 0.0)
    # sums of a linear program that pass a bound by this share of it do so by its tolerance
    rounding = 1e-6
    room = rounding * np.maximum(np.abs(usage), 1e-3)
    return np.where(over > room, over, 0.0) + np.where(under < -room, under, 0.0)


def row_sizes(core: Core) -> FloatArray:
    """Return (L,) the largest use that a pair of the core makes of each limit, 1 for none."""
    if not len(core.user):
        return np.ones(core.usage.shape[0])
    weighted = abs(core.usage.multiply(core.weight[None, :])).max(axis=1)
    largest = np.asarray(weighted.todense(), dtype=np.float64).ravel()
    return np.where(largest > 0, largest, 1.0)


def _inside(
    over: FloatArray,
    under: FloatArray,
    box: Box,
    caps: FloatArray,
    rows: LimitRows,
) -> bool:
    """Return whether nothing is bought at the box's prices but at the steepest ones.

    A solution of the elastic program that needs no elasticity solves the plain one.
    """
    size = np.minimum(np.abs(rows.lower), np.abs(rows.upper))
    # a limit broken by this share of its bound is rounding
    negligible = 1e-12
    room = negligible * np.where(size > 0, size, 1.0)
    return bool(
        np.all((over <= room) | (box.most >= caps))
        and np.all((under <= room) | (box.least <= -caps))
    )


def _program(
    core: Core,
    classes: Classes,
    rows: LimitRows,
    *,
    used: FloatArray,
    box: Box,
    forced: bool,
    size: FloatArray,
) -> LinearProgram:
    """Return the model: pairs of classes, then per limit what is bought above and below it.

    Buying room at the box's upper price and selling it at the lower one keeps the duals in the
    box.
    """
    pairs, groups, limits = len(classes.pair), len(classes.count), len(rows.limits)
    eye = sp.identity(limits, format="csr")
    ones, place = np.ones(pairs), np.arange(pairs)
    once = sp.csr_array((ones, (classes.group, place)), shape=(groups, pairs))
    nothing = sp.csr_array((groups, limits))
    weight = core.weight[classes.pair]
    scaled = sp.diags_array(1.0 / size) @ core.usage[:, classes.pair].multiply(weight[None, :])
    matrix = sp.vstack([sp.hstack([once, nothing, nothing]), sp.hstack([scaled, -eye, eye])])
    elastic = np.full(limits, np.inf)
    once_at_least = classes.count if forced else np.full(groups, -np.inf)
    worth = core.value[classes.pair] * weight
    return LinearProgram(
        objective=np.concatenate([worth, -box.most * size, box.least * size]),
        most=np.concatenate([classes.count[classes.group], elastic, elastic]),
        matrix=sp.csr_array(matrix),
        lower=np.concatenate([once_at_least, (rows.lower - used) / size]),
        upper=np.concatenate([classes.count, (rows.upper - used) / size]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classes:
    """Users of a core who are alike in everything, as one column of a program.

    Where values and costs are rounded, thousands of users tie exactly, and a linear program with
    a row for each of them is so degenerate that simplex steps hardly get anywhere.

    Attributes
    ----------
    rank
        (p,) int64, the position of each pair's user among those who are alike.
    like
        (p,) int64, the pair of the class that each pair is a copy of.
    pair
        (q,) int64, the pairs of the first user of each class.
    group
        (q,) int64, sorted: the class of each of them.
    count
        (C,) float64, how many users each class has.
    """

    rank: IntArray
    like: IntArray
    pair: IntArray
    group: IntArray
    count: FloatArray

    def spread(self, taken: FloatArray) -> FloatArray:
        """Return (p,) how much of each pair is taken, so that few users are split.

        Parameters
        ----------
        taken
            (q,) float64, how many users of its class take each pair.

        Notes
        -----
        The users of a class stand in a row, each of length 1, and its pairs are laid along it.
        """
        ends = np.cumsum(taken)
        before = np.concatenate([[0.0], ends])[np.searchsorted(self.group, self.group)]
        starts = np.maximum(ends - taken - before, 0.0)
        end = np.minimum(starts[self.like] + taken[self.like], self.rank + 1.0)
        length = end - np.maximum(starts[self.like], self.rank)
        return np.asarray(np.clip(length, 0.0, 1.0), dtype=np.float64)


def classes_of(core: Core, measures: BoolArray) -> Classes:
    """Return the classes of users with the same cell, values and measures.

    Parameters
    ----------
    measures
        (m,) bool, which measures matter: those that a limit counts.
    """
    few = core.few
    amounts = few.columns[measures].reshape(int(measures.sum()) * few.k, few.n)
    content = np.vstack([few.cell[None, :], few.value, amounts], dtype=np.float64)
    rows = np.ascontiguousarray(content.T + 0.0)
    bytes_of = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, first, member, count = np.unique(
        bytes_of, return_index=True, return_inverse=True, return_counts=True
    )
    # np.unique sorts by bytes, which would make the program depend on the processor
    order = np.argsort(first)  # classes stand as their first users do
    member = np.argsort(order)[member]
    first, count = first[order], count[order]
    return _with_pairs(core, first, member, count.astype(np.float64))


def _with_pairs(core: Core, first: IntArray, member: IntArray, count: FloatArray) -> Classes:
    starts = np.searchsorted(core.user, np.arange(len(core.index)))
    by_class = np.argsort(member, kind="stable")
    rank = np.empty(len(member), dtype=np.int64)
    rank[by_class] = np.arange(len(member)) - np.repeat(
        np.cumsum(count).astype(np.int64) - count.astype(np.int64), count.astype(np.int64)
    )
    leader = np.zeros(len(member), dtype=bool)
    leader[first] = True
    pair = np.flatnonzero(leader[core.user])
    place = np.cumsum(leader[core.user]) - 1  # of the leaders' pairs among `pair`
    own = np.arange(len(core.user)) - starts[core.user]
    return Classes(
        rank=rank[core.user],
        like=place[starts[first[member[core.user]]] + own],
        pair=pair,
        group=member[core.user[pair]],
        count=count,
    )
