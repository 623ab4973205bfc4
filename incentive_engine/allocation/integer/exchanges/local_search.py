"""A selection by exchanges between users: in hundredths of a second nearly the best one."""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.sparse as sp

from incentive_engine.allocation.integer.exchanges.exchange_kernels import exchange
from incentive_engine.allocation.integer.exchanges.move_kernels import Moves, SearchState
from incentive_engine.allocation.integer.programs.cp_sat import Selection, SelectionAnswer
from incentive_engine.allocation.solver_report import Status
from incentive_engine.domain import BoolArray, FloatArray, IntArray

UNBOUNDED: Final = 2**62
"""Stands for no bound; no sum comes near it."""


def trade(
    selection: Selection,
    score: FloatArray,
    *,
    bound: float,
    enough: float,
    times: float = 1.0,
    seed: int = 0,
) -> SelectionAnswer:
    """Return a selection that exchanges between users end with.

    Parameters
    ----------
    selection
        Its elastic rows' penalties lead from a hint that breaks bounds to one that does not.
    score
        (p,) float64, the pairs' values less what they pay at the prices of the limits.
    bound
        What a selection is worth at most.
    enough
        The objective at which the search ends.
    times
        How many times the usual effort may be spent.
    seed
        Of the changes that are made at random.
    """
    moves, chosen, pairs = _moves_of(selection, score)
    size, width = len(moves.user), 2 * int(np.diff(moves.start).max(initial=1))
    state = SearchState(
        chosen=chosen,
        used=np.zeros(len(moves.lower), dtype=np.int64),
        size=np.zeros(size, dtype=np.int64),
        row=np.zeros((size, width), dtype=np.int64),
        amount=np.zeros((size, width), dtype=np.int64),
    )
    # drawn outside the compiled loop, whose own generator differs between versions
    # rounds at most
    rounds = 1_000
    draws = np.random.default_rng(seed).random(2 * rounds)
    # changes that are looked at: about 0.05 s
    if not exchange(moves, state, bound, bound - enough, round(times * 6_000_000), draws):
        return SelectionAnswer(status=Status.UNKNOWN)
    taken = np.zeros(len(score) + 1, dtype=bool)
    taken[pairs[chosen]] = True
    return SelectionAnswer(status=Status.FEASIBLE, chosen=taken[:-1])


def _moves_of(selection: Selection, score: FloatArray) -> tuple[Moves, IntArray, IntArray]:
    """Return the moves, (N,) each user's move in the hint, and (M,) each move's pair.

    Choosing nothing is a move of its own where it is allowed; its pair is −1.
    """
    users, user = np.unique(selection.group, return_inverse=True)
    idle = 0 if selection.forced else len(users)
    pairs = np.concatenate([np.arange(len(score)), np.full(idle, -1)])
    user = np.concatenate([user, np.arange(idle)])
    order = np.argsort(user, kind="stable")
    pairs, user = pairs[order], user[order]
    value, scores = (np.append(x, 0.0)[pairs] for x in (selection.objective, score))
    none = sp.csr_array((selection.matrix.shape[0], 1), dtype=np.int64)
    usage = sp.csc_array(sp.hstack([selection.matrix, none]))[:, pairs]
    usage.sort_indices()
    first = np.searchsorted(user, np.arange(len(users) + 1))
    loss = np.maximum.reduceat(scores, first[:-1])[user] - scores
    ranked = np.argsort(loss, kind="stable")
    begins, touching = _touching(usage, user, ranked)
    moves = Moves(
        user=user,
        first=first,
        value=value,
        loss=loss,
        order=ranked,
        begins=begins,
        touching=touching,
        start=usage.indptr.astype(np.int64),
        row=usage.indices.astype(np.int64),
        amount=usage.data.astype(np.int64),
        lower=_bounds(selection.lower, -UNBOUNDED),
        upper=_bounds(selection.upper, UNBOUNDED),
        penalty=selection.elastic,
    )
    hint = np.append(selection.hint, False)[pairs]
    return moves, _chosen(hint, user, first, idle=bool(idle)), pairs


def _chosen(hint: BoolArray, user: IntArray, first: IntArray, *, idle: bool) -> IntArray:
    """Return (N,) each user's move in a hint; nothing, the last of the own moves, for none."""
    chosen = first[1:] - 1 if idle else first[:-1]
    chosen = chosen.astype(np.int64)
    hinted = np.flatnonzero(hint)
    chosen[user[hinted]] = hinted
    return chosen


def _touching(usage: sp.csc_array, user: IntArray, ranked: IntArray) -> tuple[IntArray, IntArray]:
    """Return for each row the moves of users who touch it, in the order of `ranked`."""
    owner = user[np.repeat(np.arange(usage.shape[1]), np.diff(usage.indptr))]
    lists = []
    for row in range(usage.shape[0]):
        touches = np.zeros(user.max(initial=-1) + 1, dtype=bool)
        touches[owner[usage.indices == row]] = True
        lists.append(ranked[touches[user[ranked]]])
    begins = np.cumsum([0, *(len(moves) for moves in lists)])
    return begins, np.concatenate(lists) if lists else np.empty(0, dtype=np.int64)


def _bounds(bounds: tuple[int | None, ...], missing: int) -> IntArray:
    whole = [missing if bound is None else bound for bound in bounds]
    return np.array([min(max(x, -UNBOUNDED), UNBOUNDED) for x in whole], dtype=np.int64)
