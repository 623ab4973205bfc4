"""What any budget buys while money alone is scarce, published so that nobody can be recognised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.allocation.budgets.efficient_steps import (
    FIRST_AMOUNT,
    GRID,
    MONEY,
    PEOPLE,
    TREATED,
    VALUE,
    Breakdown,
    steps_by_price,
)
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frontier:
    """What the steps above each of some falling prices add up to, per group of users.

    Attributes
    ----------
    members
        The groups of users that each group of `sums` joins; those with too few people stand
        together.
    price
        (R,) float64, value per money: at row r every step above `price[r]` is taken; infinite
        first, where only what is free is taken.
    sums
        (R, G, 3 + a) float64, accumulated: value, money and users with an offer, then the
        amounts that were asked for.
    width
        How far a row's money can be from that of all steps above its price, plus the money from
        one row to the next, at most; currency units.
    error
        By how much the best value for a budget can exceed the straight line between the rows.
    """

    members: tuple[tuple[int, ...], ...]
    price: FloatArray
    sums: FloatArray
    width: float
    error: float

    @property
    def money(self) -> FloatArray:
        """(R,) the budgets, currency units."""
        return np.asarray(self.sums[:, :, MONEY].sum(axis=1), dtype=np.float64)

    @property
    def value(self) -> FloatArray:
        """(R,) what they buy at least, and at most `error` less than they can."""
        return np.asarray(self.sums[:, :, VALUE].sum(axis=1), dtype=np.float64)


def frontier(problem: Problem, split: Breakdown, *, rows: int, smallest: int) -> Frontier | None:
    """Return the efficient steps of all users; None where fewer than `smallest` have any.

    Each group's steps are joined into bins of at least `smallest` different users, and within a
    bin spread evenly over its range of prices. Nothing else of them is published.

    Parameters
    ----------
    problem, split
        As of `steps_by_price`.
    rows
        How many rows the result has about; equally far apart in money.
    smallest
        The fewest users whose sum is published.
    """
    fine = steps_by_price(problem, split)
    fine = np.concatenate([fine[-1:], fine[-2::-1]])  # what is free, then by falling price
    members = _large_enough(fine[:, :, PEOPLE].sum(axis=0), smallest)
    if not members:
        return None
    joined = np.stack([fine[:, list(codes)].sum(axis=1) for codes in members], axis=1)
    people = joined[:, :, PEOPLE].sum(axis=1)
    filled = np.concatenate([[0], 1 + np.flatnonzero(people[1:])])
    edge = np.concatenate(
        [[np.inf], np.exp2(GRID.lowest + np.arange(len(fine) - 2, -1, -1) / GRID.per_octave)]
    )
    return _published(joined[filled], edge[filled], members, rows=rows, smallest=smallest)


def _large_enough(people: FloatArray, smallest: int) -> tuple[tuple[int, ...], ...]:
    """Return groups of groups with enough people each: the thin ones join the smallest other."""
    order = np.argsort(people, kind="stable")
    first: list[int] = []
    for position, code in enumerate(order):
        first.append(int(code))
        others = [(int(other),) for other in order[position + 1 :]]
        thick = not others or people[order[position + 1]] >= smallest
        if thick and people[first].sum() >= smallest:
            return tuple(sorted((tuple(sorted(first)), *others)))
    return ()


def _published(
    steps: FloatArray,
    edge: FloatArray,
    members: tuple[tuple[int, ...], ...],
    *,
    rows: int,
    smallest: int,
) -> Frontier:
    """Return the rows of a frontier.

    Parameters
    ----------
    steps
        (b, G, 4 + a) sums by falling price; the first is free.
    edge
        (b,) the lowest price of each.
    """
    exact = steps.cumsum(axis=0)
    sums, apart, short = np.empty_like(exact), np.zeros(len(exact)), 0.0
    for g in range(len(members)):
        ends = _ends(steps[:, g, PEOPLE], smallest)
        place, shown = np.arange(len(exact)), exact[ends, g]
        if 0 < steps[0, g, PEOPLE] < smallest:
            # too few people get something for free: even their number would tell who
            shown[0] = 0.0
        for field in range(exact.shape[2]):
            sums[:, g, field] = np.interp(place, ends, shown[:, field])
        apart += np.abs(sums[:, g, MONEY] - exact[:, g, MONEY])
        short += triangle(shown[:, MONEY], shown[:, VALUE], edge[ends])
    money = sums[:, :, MONEY].sum(axis=1)
    taken = _taken(money, rows)
    fields = [VALUE, MONEY, TREATED, *range(FIRST_AMOUNT, exact.shape[2])]
    value = sums[taken, :, VALUE].sum(axis=1)
    return Frontier(
        members=members,
        price=edge[taken],
        sums=sums[taken][:, :, fields],
        width=float(apart.max() + np.diff(money[taken]).max(initial=0.0)),
        error=short + triangle(money[taken], value, edge[taken]),
    )


def _ends(people: FloatArray, smallest: int) -> IntArray:
    """Return the positions at which a group's bins end, the first before any step is paid for.

    What is free belongs to the first bin when too few people get it.
    """
    ends = [0]
    inside = 0.0 if people[0] == 0 or people[0] >= smallest else people[0]
    for position in range(1, len(people)):
        inside += people[position]
        if inside >= smallest:
            ends.append(position)
            inside = 0.0
    if inside:
        ends = [*ends[: max(1, len(ends) - 1)], len(people) - 1]
    return np.array(ends, dtype=np.int64)


def _taken(money: FloatArray, rows: int) -> IntArray:
    """Return the positions of about `rows` rows that are equally far apart in money."""
    wanted = np.linspace(money[0], money[-1], rows)
    near = np.searchsorted(money, wanted).clip(0, len(money) - 1)
    return np.unique(np.concatenate([[0], near, [len(money) - 1]]))


def triangle(money: FloatArray, value: FloatArray, price: FloatArray) -> float:
    """Return by how much a concave curve can exceed the straight lines between its points.

    Notes
    -----
    Between two points the curve's slopes lie between their prices p > q; with the line's slope s
    and length w it stays within a triangle of height w (p − s)(s − q) / (p − q).
    """
    wide, high = np.diff(money), np.diff(value)
    slope = np.divide(high, wide, out=np.zeros_like(wide), where=wide > 0)
    below = np.maximum(slope - price[1:], 0.0)
    above = np.maximum(price[:-1] - slope, 0.0)
    ratio = np.divide(1.0, 1.0 + below / np.where(above > 0, above, np.inf))
    height = np.where(above > 0, wide * below * ratio, 0.0)
    return float(height.max(initial=0.0))
