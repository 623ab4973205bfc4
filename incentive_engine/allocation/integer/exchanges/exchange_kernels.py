"""Sets of two or three changes that together better a selection, compiled.

A change gives one user another pair, or none. Alone it mostly breaks a limit that is full, or is
worth less; what better plans lack is another change that makes room. Where a set of changes passes
a limit, the next change is looked for among the users who touch it. A set can gain no more than
what the limits' prices still give for what is unused, less what its users lose at these prices:
sets that lose more are not looked at, so that the search ends sooner the better the selection is.

References
----------
Lourenço, Martin and Stützle, "Iterated local search", in Handbook of Metaheuristics (2003).
"""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

from typing import Final

import numpy as np

from incentive_engine.allocation.integer.exchanges.move_kernels import (
    Moves,
    SearchState,
    begin,
    change,
    passed,
    passes,
    repair,
    use,
)
from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.jit import compiled

DEEPEST: Final = 3
"""How many users change in a set at most."""


@compiled
def bottleneck(moves: Moves, state: SearchState, chain: IntArray, depth: int) -> int:
    """Return the row whose bounds a chain of changes passes that the fewest users touch."""
    tightest, fewest = -1, 0
    for at in range(depth + 1):
        for e in range(state.size[chain[at]]):
            row = state.row[chain[at], e]
            count = moves.begins[row + 1] - moves.begins[row]
            if passes(moves, state, row) != 0 and (tightest < 0 or count < fewest):
                tightest, fewest = row, count
    return tightest


@compiled
def rows_broken_by(moves: Moves, state: SearchState, pair: int, row: int, before: int) -> int:
    """Return how many rows pass their bounds after a change; −1 where it does not help a row.

    Parameters
    ----------
    row
        A row that is passed, −1 for none.
    before
        How many pass their bounds now.
    """
    count, helps = before, row < 0
    for e in range(state.size[pair]):
        touched, amount = state.row[pair, e], state.amount[pair, e]
        now = passes(moves, state, touched)
        then = passed(state.used[touched] + amount, moves.lower[touched], moves.upper[touched])
        count += (1 if then != 0 else 0) - (1 if now != 0 else 0)
        helps = helps or (touched == row and (now > 0) == (amount < 0) and amount != 0)
    return count if helps else -1


@compiled
def best_set(
    moves: Moves,
    state: SearchState,
    room: float,
    most: float,
    depth: int,
    effort: int,
    best: IntArray,
) -> tuple[float, int, int]:
    """Find the set of up to `depth` changes that gains most.

    Parameters
    ----------
    room
        What the prices give for what is unused.
    most
        The most that a user's present choice loses.
    best
        (`DEEPEST`,) int64, written: the pairs of the set.

    Returns
    -------
    What it gains, how many changes it has, and what is left of the effort, counted in changes
    looked at.
    """
    gain, length, level = 0.0, 0, 0
    by_level = np.zeros((5, DEEPEST + 1), dtype=np.int64)
    chain, rows, at, end, count = by_level[0], by_level[1], by_level[2], by_level[3], by_level[4]
    gained, kept = np.zeros(DEEPEST + 1), np.full(DEEPEST + 1, room)
    # depth first without recursion: each level keeps where it stands in its list
    rows[0], end[0] = -1, moves.order.shape[0]
    while level >= 0:
        if at[level] >= end[level] or effort <= 0:
            level -= 1
            if level >= 0:
                use(state, chain[level], -1)
            continue
        row, others = rows[level], depth - level - 1
        pair = moves.touching[at[level]] if row >= 0 else moves.order[at[level]]
        at[level] += 1
        effort -= 1
        if kept[level] - moves.loss[pair] + (others + 1) * most <= gain:
            at[level] = end[level]  # all further pairs lose more
            continue
        user = moves.user[pair]
        chosen = state.chosen[user]
        more = moves.value[pair] - moves.value[chosen]
        left = kept[level] + moves.loss[chosen] - moves.loss[pair]
        # the last change of a set must better the best set, an earlier one only needs to be able
        # to
        small = gained[level] + more <= gain if others == 0 else left + others * most <= gain
        if small or chosen == pair or (row < 0 and more <= 0.0):
            continue
        # a user changes once in a set
        again = False
        for before in range(level):
            again = again or moves.user[chain[before]] == user
        after = -1 if again else rows_broken_by(moves, state, pair, row, count[level])
        if after < 0:
            continue
        chain[level] = pair
        if after == 0 and gained[level] + more > gain:
            gain, length = gained[level] + more, level + 1
            best[:length] = chain[:length]
        if others == 0:
            continue
        use(state, pair, 1)
        level += 1
        gained[level], kept[level], count[level] = gained[level - 1] + more, left, after
        rows[level] = bottleneck(moves, state, chain, level - 1) if after else -1
        at[level] = moves.begins[rows[level]] if after else 0
        end[level] = moves.begins[rows[level] + 1] if after else moves.order.shape[0]
    return gain, length, effort


@compiled
def climb(
    moves: Moves, state: SearchState, bound: float, goal: float, effort: int
) -> tuple[float, int]:
    """Make the best sets of changes until there is none; return the gap and the effort left.

    Parameters
    ----------
    bound
        What the selection is worth at most.
    goal
        The gap at which to end.
    """
    best, depth = np.zeros(DEEPEST + 1, dtype=np.int64), 2
    while True:
        gap, most, lost = bound, 0.0, 0.0
        for pair in state.chosen:
            gap -= moves.value[pair]
            lost += moves.loss[pair]
            most = max(most, moves.loss[pair])
        if gap <= goal or effort <= 0 or depth > DEEPEST:
            return gap, effort
        gain, size, effort = best_set(moves, state, gap - lost, most, depth, effort, best)
        for pair in best[:size]:
            change(moves, state, pair)
        # sets of two are looked through first, as sets of three are many more
        depth = 2 if size else depth + 1
        # gains that are rounding alone would never end
        if size and gain <= 1e-13 * abs(bound):
            return gap, effort


@compiled
def count_within(moves: Moves, loss: float) -> int:
    """Return how many pairs lose less; numpy's search would load the compiler."""
    low, high = 0, moves.order.shape[0]
    while low < high:
        middle = (low + high) // 2
        if moves.loss[moves.order[middle]] < loss:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def exchange(
    moves: Moves, state: SearchState, bound: float, goal: float, effort: int, draws: FloatArray
) -> bool:
    """Better a selection by sets of changes, in rounds; return whether it keeps all bounds.

    In each round but the first a change or two are made at random, whatever they cost, and what
    they break is repaired; where that ends below the best selection, it is taken back.

    Parameters
    ----------
    bound
        What the selection is worth at most.
    goal
        The gap at which to end.
    effort
        Changes that may be looked at.
    draws
        Numbers in [0, 1), one for each change made at random.
    """
    begin(moves, state)
    # changes of a repair, and its attempts, at most
    patience = 300
    if not repair(moves, state, patience):
        return False
    best = state.chosen.copy()
    # changes looked at in the first round
    first = 1_500_000
    least, left = climb(moves, state, bound, goal, min(effort, first))
    effort -= min(effort, first) - left
    best[:] = state.chosen
    # changes looked at in each later round
    each = 300_000
    # what a repair looks at, in numbers of pairs
    repairs = 5
    # changes made at random lose at most this part of the gap
    shaken = 0.3
    for draw in range(0, draws.shape[0] - 1, 2):
        if least <= goal or effort <= 0:
            break
        open_ = count_within(moves, shaken * least)
        # one change and two changes by turns
        for turn in range(draw, draw + 1 + draw // 2 % 2):
            pair = moves.order[int(draws[turn] * open_)]
            change(moves, state, pair)
        kept = repair(moves, state, patience)
        effort -= repairs * moves.user.shape[0]
        gap = np.inf
        if kept:
            share = min(max(effort, 0), each)
            gap, left = climb(moves, state, bound, goal, share)
            effort -= share - left
        if gap <= least:
            least = gap
            best[:] = state.chosen
        else:
            for user in range(best.shape[0]):
                if state.chosen[user] != best[user]:
                    change(moves, state, best[user])
    return True
