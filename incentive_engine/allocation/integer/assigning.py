"""Search for the cheapest assignment: bounds, pairs that they rule out, and branches.

References
----------
Posta, Ferland and Michelon, "An exact method with variable fixing for solving the generalized
assignment problem", Computational Optimization and Applications 52 (2012).
Barahona and Anbil, "The volume algorithm", Math. Prog. 87 (2000): what is taken often as shares.
"""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

from typing import Final

import numpy as np

from incentive_engine.allocation.integer.knapsacks import (
    Bins,
    Scratch,
    make_scratch,
    pack,
    test_pairs,
)
from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.jit import compiled

STRIDE: Final = 0.3
"""The first step of a node's prices, as a part of the way to the ceiling."""

SHORTEST: Final = 0.01
"""Shorter steps gain nothing."""

KEPT: Final = 0.6
"""How much of the last direction goes into the next."""

LATELY: Final = 0.9
"""How much of what was taken often counts in the next round."""

MANY: Final = 0.1
"""Where more than this part of the pairs was ruled out, the node is bounded again."""

LEVELS: Final = 4
"""How many times as many branches as users may be open."""


@compiled
def settle(bins: Bins, opened: BoolArray, at: Scratch) -> float:
    """Return what users with one open pair cost, inf where someone has none.

    Pairs that no longer fit are closed; `free`, `rest` and `loose` are written.
    """
    b, n = bins.cost.shape
    cost, again = 0.0, True
    at.rest[:] = bins.room
    at.free[:] = True
    while again:
        again = False
        for j in range(n):
            if at.free[j]:
                count, last = _left(bins, opened, j, at)
                if count == 0:
                    return np.inf
                if count == 1:
                    at.free[j], again = False, True
                    at.rest[last] -= bins.weight[last, j]
                    cost += bins.cost[last, j]
    for i in range(b):
        for j in range(n):
            at.loose[i, j] = opened[i, j] and at.free[j]
    return cost


@compiled
def _left(bins: Bins, opened: BoolArray, user: int, at: Scratch) -> tuple[int, int]:
    """Close a user's pairs that no longer fit; return how many are left, and the last of them."""
    count, last = 0, -1
    for i in range(len(opened)):
        if opened[i, user] and bins.weight[i, user] > at.rest[i]:
            opened[i, user] = False
        if opened[i, user]:
            count, last = count + 1, i
    return count, last


@compiled
def ascend(
    bins: Bins,
    price: FloatArray,
    settled: float,
    aim: float,
    ceiling: float,
    stride: float,
    rounds: int,
    at: Scratch,
) -> tuple[float, bool]:
    """Raise the bound by other prices; return it, and whether the bins took everyone once.

    Parameters
    ----------
    price
        (n,) float64 whole numbers, changed to the best ones found.
    settled
        What settled users cost.
    aim
        The bound that steps head for.
    ceiling
        The bound above which there is nothing to find.
    stride
        The first step's length, as a part of the way to the aim.
    """
    best, kept, way = -np.inf, price.copy(), np.zeros(len(price))
    waited, patience = 0, max(5, rounds // 10)
    largest = 4.0 * np.max(np.abs(bins.cost))
    at.often[:] = 0.0
    for _ in range(rounds):
        bound = settled + np.sum(price * at.free) - pack(bins, price, at)
        waited += 1
        if bound > best:
            best, waited = bound, 0
            kept[:] = price
        if best > ceiling:
            break
        _remember(at)
        if waited >= patience:
            stride, waited = 0.5 * stride, 0
            price[:] = kept
            way[:] = 0.0
            if stride < SHORTEST:
                break
            continue
        length, once = _turn(way, at)
        if once:
            return bound, True
        if length > 0:
            new = np.rint(price + stride * (aim - bound) / length * way * at.free)
            price[:] = np.minimum(np.maximum(new, -largest), largest)
    price[:] = kept
    return best, False


@compiled
def _remember(at: Scratch) -> None:
    """Count what the bins took into what they took often."""
    b, n = at.taken.shape
    for i in range(b):
        for j in range(n):
            at.often[i, j] = LATELY * at.often[i, j] + (1.0 - LATELY) * at.taken[i, j]


@compiled
def _turn(way: FloatArray, at: Scratch) -> tuple[float, bool]:
    """Turn the direction to who was taken too seldom; return its square, and if nobody was not."""
    b, n = at.taken.shape
    length, once = 0.0, True
    for j in range(n):
        if at.free[j]:
            missing = 1.0
            for i in range(b):
                missing -= at.taken[i, j]
            once = once and missing == 0.0
            way[j] = missing + KEPT * way[j]
            length += way[j] * way[j]
    return length, once


@compiled
def _keep(bins: Bins, opened: BoolArray, at: Scratch, chosen: IntArray) -> bool:
    """Write the assignment that the bins took; return whether there is room for it."""
    b, n = bins.cost.shape
    fits = True
    for i in range(b):
        used = 0
        for j in range(n):
            if at.free[j] and at.taken[i, j]:
                used += bins.weight[i, j]
        fits = fits and used <= at.rest[i]
    if fits:
        for i in range(b):
            for j in range(n):
                if at.taken[i, j] if at.free[j] else opened[i, j]:
                    chosen[j] = i
    return fits


@compiled
def _rule_out(opened: BoolArray, ceiling: float, at: Scratch) -> int:
    """Close the pairs whose bounds are above the ceiling; return how many."""
    b, n = opened.shape
    gone = 0
    for i in range(b):
        for j in range(n):
            if not (at.loose[i, j] and opened[i, j]):
                continue
            if at.within[i, j] > ceiling:
                opened[i, j] = False
                gone += 1
            elif at.without[i, j] > ceiling:
                for other in range(b):
                    if other != i and opened[other, j]:
                        opened[other, j] = False
                        gone += 1
    return gone


@compiled
def _narrow(
    bins: Bins,
    opened: BoolArray,
    price: FloatArray,
    ceiling: float,
    rounds: int,
    at: Scratch,
    chosen: IntArray,
) -> tuple[float, bool]:
    """Close pairs of a node; return the cost of an assignment found, and if there may be more."""
    enough = False
    while True:
        settled = settle(bins, opened, at)
        pairs = 0 if settled == np.inf else np.sum(at.loose)
        if pairs == 0 and settled > ceiling:
            return np.inf, False
        if pairs == 0:
            _keep(bins, opened, at, chosen)
            return settled, False
        if enough:
            return np.inf, True
        aim = ceiling + bins.step
        bound, once = ascend(bins, price, settled, aim, ceiling, STRIDE, rounds, at)
        if bound > ceiling:
            return np.inf, False
        if once and _keep(bins, opened, at, chosen):
            return bound, False
        test_pairs(bins, price, bound, at)
        enough = bool(_rule_out(opened, ceiling, at) <= MANY * pairs)


@compiled
def _most_split(at: Scratch) -> tuple[int, int]:
    """Return the pair that the bins took most nearly every other time."""
    b, n = at.often.shape
    bin_, user, most = 0, 0, -1.0
    for j in range(n):
        for i in range(b):
            split = min(at.often[i, j], 1.0 - at.often[i, j])
            if at.loose[i, j] and split > most:
                bin_, user, most = i, j, split
    return bin_, user


@compiled
def search(
    bins: Bins,
    opened: BoolArray,
    price: FloatArray,
    ceiling: float,
    rounds: int,
    effort: float,
    chosen: IntArray,
) -> tuple[float, bool, float]:
    """Return the cost of the cheapest assignment found, whether it is proven, and the effort.

    Parameters
    ----------
    opened
        (b, n) bool, the pairs that may be used.
    price
        (n,) float64, whole prices to start from.
    ceiling
        Nothing that costs more is looked for.
    rounds
        Prices tried per node.
    effort
        How much may be spent, in billions of table entries.
    chosen
        (n,) int64, filled with the bins of the assignment found.
    """
    n, at, found = len(price), make_scratch(bins), np.inf
    levels = LEVELS * n + 2
    masks, prices = np.empty((levels, *opened.shape), np.bool_), np.empty((levels, n))
    masks[0], prices[0], top = opened, price, 1
    while top > 0:
        if at.spent[0] > effort or top + 2 > levels:
            return found, False, at.spent[0]
        top -= 1
        cost, more = _narrow(bins, masks[top], prices[top], ceiling, rounds, at, chosen)
        if cost < found:
            found, ceiling = cost, cost - bins.step
        if more:
            bin_, user = _most_split(at)
            masks[top + 1], prices[top + 1] = masks[top], prices[top]
            masks[top, bin_, user] = False
            masks[top + 1, :, user] = False
            masks[top + 1, bin_, user] = True
            top += 2
    return found, True, at.spent[0]
