"""What users may choose, what is chosen, and what a change of it does: compiled."""

from __future__ import annotations

from typing import NamedTuple

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.jit import compiled


class Moves(NamedTuple):
    """What users may choose. A pair is a possible choice, that of nothing included.

    Attributes
    ----------
    user
        (M,) int64, whose pair it is; sorted.
    first
        (N + 1,) int64, where each user's pairs begin.
    value
        (M,) float64.
    loss
        (M,) float64, how far the pair's score is behind the user's best one, at least 0.
    order
        (M,) int64, the pairs by loss.
    begins, touching
        (r + 1,) and int64: for each row the pairs of users who touch it, by loss.
    start, row, amount
        (M + 1,) int64, and what each pair uses: rows and amounts in the rows' integer units.
    lower, upper
        (r,) int64, the rows' bounds.
    penalty
        (r,) float64, per unit by which a bound is passed.
    """

    user: IntArray
    first: IntArray
    value: FloatArray
    loss: FloatArray
    order: IntArray
    begins: IntArray
    touching: IntArray
    start: IntArray
    row: IntArray
    amount: IntArray
    lower: IntArray
    upper: IntArray
    penalty: FloatArray


class SearchState(NamedTuple):
    """What is chosen, and what each change of it would do.

    Attributes
    ----------
    chosen
        (N,) int64, each user's pair.
    used
        (r,) int64, what these use.
    size, row, amount
        (M,) and (M, w) int64: how many rows the change to a pair touches, which, and by how much.
    """

    chosen: IntArray
    used: IntArray
    size: IntArray
    row: IntArray
    amount: IntArray


@compiled
def begin(moves: Moves, state: SearchState) -> None:
    """Write what the chosen pairs use and what each change would do."""
    for user in range(state.chosen.shape[0]):
        chosen = state.chosen[user]
        for e in range(moves.start[chosen], moves.start[chosen + 1]):
            state.used[moves.row[e]] += moves.amount[e]
        compare(moves, state, user)


@compiled
def compare(moves: Moves, state: SearchState, user: int) -> None:
    """Write what the changes of a user's choice would do."""
    chosen = state.chosen[user]
    for pair in range(moves.first[user], moves.first[user + 1]):
        rows, amounts, size = state.row[pair], state.amount[pair], 0
        for e in range(moves.start[pair], moves.start[pair + 1]):
            rows[size], amounts[size] = moves.row[e], moves.amount[e]
            size += 1
        # what the present choice uses is given back, in the pair's own rows where they are the
        # same
        own = size
        for e in range(moves.start[chosen], moves.start[chosen + 1]):
            at = 0
            while at < own and rows[at] != moves.row[e]:
                at += 1
            if at == own:
                at, size = size, size + 1
                rows[at], amounts[at] = moves.row[e], 0
            amounts[at] -= moves.amount[e]
        state.size[pair] = size


@compiled
def change(moves: Moves, state: SearchState, pair: int) -> None:
    """Let a pair's user choose it."""
    use(state, pair, 1)
    state.chosen[moves.user[pair]] = pair
    compare(moves, state, moves.user[pair])


@compiled
def use(state: SearchState, pair: int, sign: int) -> None:
    """Add to what is used what the change to a pair would, or take it back."""
    for e in range(state.size[pair]):
        state.used[state.row[pair, e]] += sign * state.amount[pair, e]


@compiled
def passed(used: int, lower: int, upper: int) -> int:
    """Return how far a sum passes its bounds, negative below the lower one."""
    return used - upper if used > upper else min(used - lower, 0)


@compiled
def passes(moves: Moves, state: SearchState, row: int) -> int:
    """Return how far a row's sum passes its bounds, negative below the lower one."""
    return passed(state.used[row], moves.lower[row], moves.upper[row])


@compiled
def broken(moves: Moves, state: SearchState) -> int:
    """Return how many rows pass their bounds."""
    count = 0
    for row in range(state.used.shape[0]):
        count += 1 if passes(moves, state, row) != 0 else 0
    return count


@compiled
def worth(moves: Moves, state: SearchState, pair: int, times: float) -> float:
    """Return what a change brings when bounds may be passed for penalties."""
    chosen, gain = state.chosen[moves.user[pair]], 0.0
    for e in range(state.size[pair]):
        row, amount = state.row[pair, e], state.amount[pair, e]
        before = passes(moves, state, row)
        after = passed(state.used[row] + amount, moves.lower[row], moves.upper[row])
        gain += moves.penalty[row] * (abs(before) - abs(after))
    return float(moves.value[pair] - moves.value[chosen] + times * gain)


@compiled
def repair(moves: Moves, state: SearchState, most: int) -> bool:
    """Make the changes, one by one, that bring most; return whether all bounds are kept then."""
    times, raised = 1.0, 0
    # how often penalties are raised fourfold before a selection is taken for beyond repair
    steeper = 8
    for _ in range(most):
        if broken(moves, state) == 0:
            return True
        best, at = 0.0, -1
        for pair in range(moves.user.shape[0]):
            gain = worth(moves, state, pair, times)
            if gain > best and state.chosen[moves.user[pair]] != pair:
                best, at = gain, pair
        if at >= 0:
            change(moves, state, at)
        elif raised < steeper:
            times, raised = 4.0 * times, raised + 1
        else:
            return False
    return broken(moves, state) == 0
