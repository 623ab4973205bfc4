"""The passes over users at given prices, compiled."""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.kernels.score_kernels import (
    BLOCK,
    FREE,
    KernelColumns,
    PriceTable,
    add_pair,
    choose_block,
    exact_score,
    fast_scores,
    prices_paid,
    workspace,
)
from incentive_engine.domain import ChoiceArray, IntArray
from incentive_engine.jit import compiled

FRACTION: Final = float(2**52)
"""The finer unit of the second word of an exact sum."""


@compiled
def sweep(
    pairs: KernelColumns,
    prices: PriceTable,
    unit: float,
    start: int,
    stop: int,
    totals: IntArray,
    words: IntArray,
    choice: ChoiceArray,
    loss: npt.NDArray[Any],
) -> None:
    """Let each user choose the best offer at the prices; add up the choices.

    What has no entries is left out: `words`, two integer words in which the best scores, times
    `unit`, are added exactly; `choice`; `loss`, how far the best score is ahead of the second.
    """
    work = workspace(prices)
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        second = choose_block(pairs, prices, first, size, work)
        for i in range(size):
            if work.chosen[i] >= 0:
                add_pair(pairs, work.chosen[i], first + i, totals)
        if words.shape[0]:
            add_scores(pairs, prices, unit, first, work.chosen[:size], words)
        if choice.shape[0]:
            for i in range(size):
                choice[first + i] = work.chosen[i]
        if loss.shape[0]:
            for i in range(size):
                ahead = work.best[i] - second[i]
                # NaN, the lead of one infinite score over another, says that there is nothing to
                # choose
                loss[first + i] = abs(ahead) if ahead >= 0 else np.inf  # never -0.0


@compiled
def find_unhelped(
    pairs: KernelColumns, prices: PriceTable, start: int, stop: int, index: IntArray
) -> None:
    """Write who chooses an offer that brings nothing; the last entry is how many these are."""
    work, count = workspace(prices), 0
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        choose_block(pairs, prices, first, size, work)
        for i in range(size):
            at = work.chosen[i]
            if at >= 0 and pairs.value[pairs.order[at], first + i] <= 0:
                index[count] = first + i
                count += 1
    index[-1] = count


@compiled
def add_scores(
    pairs: KernelColumns,
    prices: PriceTable,
    unit: float,
    first: int,
    chosen: npt.NDArray[np.int32],
    words: IntArray,
) -> None:
    """Add the scores of chosen pairs, times `unit`, in two integer words."""
    for i in range(chosen.shape[0]):
        if chosen[i] >= 0:
            scaled = exact_score(pairs, prices.exact, first + i, chosen[i]) * unit
            whole = np.floor(scaled)
            words[0] += np.int64(whole)
            # in units of 2^-28, of which 2^35 fractions add up before the word is full
            words[1] += np.int64((scaled - whole) * FRACTION) >> 24


@compiled
def reaches(
    pairs: KernelColumns,
    prices: PriceTable,
    widths: PriceTable,
    start: int,
    stop: int,
    reach: npt.NDArray[Any],
) -> None:
    """Write which part of the way to the edge of a box of prices may change a user's choice.

    The best score and another one approach each other by at most what both pairs use, times the
    half width of the box, plus what the arithmetic may err; beyond 1 the choice is settled.
    """
    k = pairs.order.shape[0]
    kind = prices.fast.dtype
    paid = np.zeros((2, prices.fast.shape[0], BLOCK), dtype=kind)
    score = np.zeros((k + 1, BLOCK), dtype=kind)  # row 0 is no offer
    # never 0, since leads are divided by it
    play = np.full((k + 1, BLOCK), prices.margin + 1e-30, dtype=kind)
    if pairs.forced:
        score[0] = -np.inf
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        for at in range(k):
            fast_scores(pairs, prices, at, first, size, paid[0], score[at + 1])
            widest_change(pairs, widths, at, first, size, paid[1], play[at + 1])
        nearest_rival(score, play, reach[first : first + size])


@compiled
def widest_change(
    pairs: KernelColumns,
    widths: PriceTable,
    at: int,
    first: int,
    size: int,
    paid: npt.NDArray[Any],
    play: npt.NDArray[Any],
) -> None:
    """Write by how much the scores of the offer at `at` change at most within a box.

    `widths` are the half widths of the box as prices, and its margin what the arithmetic errs.
    """
    column = pairs.order[at]
    cell = pairs.cell[first : first + size]
    prices_paid(widths, 0, at, cell, paid[0])
    free = widths.kind[0, at] == FREE
    margin, each = play.dtype.type(widths.margin), paid[0]
    for i in range(size):
        play[i] = margin if free else margin + each[i]
    for m in range(pairs.columns.shape[0]):
        if widths.kind[m + 1, at] != FREE:
            prices_paid(widths, m + 1, at, cell, paid[m + 1])
            amount, own = pairs.columns[m, column, first : first + size], paid[m + 1]
            for i in range(size):
                play[i] += own[i] * abs(amount[i])


@compiled
def nearest_rival(
    score: npt.NDArray[Any], play: npt.NDArray[Any], reach: npt.NDArray[Any]
) -> None:
    """Write each user's least lead of the best score over another, in parts of their play."""
    size = reach.shape[0]
    top = np.full(size, -np.inf, dtype=score.dtype)
    own = np.zeros(size, dtype=score.dtype)
    chosen = np.zeros(size, dtype=np.int32)
    least = np.full((2, size), np.inf, dtype=score.dtype)  # rows take turns, as for choices
    for at in range(score.shape[0]):
        here, change, row = score[at], play[at], np.int32(at)
        for i in range(size):
            s, b, mine, kept = here[i], top[i], own[i], chosen[i]
            chosen[i] = row if s > b else kept
            own[i] = change[i] if s > b else mine
            top[i] = s if s > b else b  # noqa: FURB136 - max would pass NaN on
    for at in range(score.shape[0]):
        here, change, row = score[at], play[at], np.int32(at)
        before, after = least[at % 2], least[1 - at % 2]
        for i in range(size):
            distance = (top[i] - here[i]) / (own[i] + change[i])
            known = before[i]
            # the choice is no rival of its own
            distance = known if chosen[i] == row else distance
            after[i] = distance if distance < known else known  # noqa: FURB136 - min would pass NaN on
    reach[:] = np.abs(least[score.shape[0] % 2])  # a tie of 0.0 and -0.0 gives -0.0
