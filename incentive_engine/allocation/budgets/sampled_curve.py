"""Sums of groups of users, and curves of very many by prices from some of them."""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.budgets.efficient_steps import Breakdown
from incentive_engine.allocation.dual.prices import find_prices
from incentive_engine.allocation.limits import LinearLimit
from incentive_engine.allocation.params import CurveParams, SolveParams
from incentive_engine.allocation.plans.allocation import Relaxed
from incentive_engine.allocation.population.explorer_usage import open_rows, tally_explorers
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.limit_maps import rows_of
from incentive_engine.allocation.population.passes import in_parts
from incentive_engine.allocation.population.population import Users
from incentive_engine.allocation.population.sweep import sweep
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import BUDGET, ChoiceArray, FloatArray, IntArray
from incentive_engine.jit import compiled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweptPoint:
    """What everybody's choices at some prices bring.

    It is the best plan for what it uses; of limits other than the budget it may use some parts in
    a thousand more or less than they allow.

    Attributes
    ----------
    budget
        What the prices were sought for, currency units.
    used, value
        What the choices use of the budget, in its basis, and what they are worth.
    price
        The value of one more currency unit of budget.
    sums
        (G, 2 + a) float64, as of `group_sums`.
    """

    budget: float
    used: float
    value: float
    price: float
    sums: FloatArray


def swept_points(
    problems: Sequence[Problem], split: Breakdown, params: CurveParams
) -> tuple[SweptPoint, ...]:
    """Return what the budget of each problem brings, where it has a plan.

    Parameters
    ----------
    problems
        The same many users under different budgets.
    """
    users = users_of(problems[0])
    # by key, not by row; 2**64 − 2**11 is the largest float64 that a word of 64 bits holds
    index = np.flatnonzero(users.key <= np.uint64(params.sample / users.n * (2**64 - 2**11)))
    few = _part(problems[0], users, index)
    some, share = users_of(few), len(index) / users.n
    points = []
    prices: FloatArray | None = None
    for problem in sorted(problems, key=_amount, reverse=True):
        rows = open_rows(few, some, _scaled(problem, share))
        # the sample's prices are no better than the sample
        optimum = find_prices(
            some, rows, start=prices, radius=1.0, params=SolveParams(price_gap=1e-4)
        )
        if optimum.impossible or (optimum.step is not None and optimum.step.broken.any()):
            prices = None
            continue
        prices = optimum.point.prices
        points.append(_swept(users, problem, prices, split))
    return tuple(reversed(points))


def _amount(problem: Problem) -> float:
    assert problem.pool is not None
    return problem.pool.amount


def group_sums(problem: Problem, choice: ChoiceArray, split: Breakdown) -> FloatArray:
    """Return (G, 2 + a) float64: per group value, users with an offer, and the amounts.

    Parameters
    ----------
    choice
        (n,) int16, index of the offer, −1 for none; explorers have theirs.
    """
    treated = np.bincount(split.group[choice >= 0], minlength=split.groups).astype(np.float64)
    sums = [_by_group(matrix, choice, split) for matrix in split.amounts]
    return np.stack([_value_by_group(problem, choice, split), treated, *sums], axis=1)


def _value_by_group(problem: Problem, choice: ChoiceArray, split: Breakdown) -> FloatArray:
    explorers = problem.explorers
    if explorers is None:
        return _by_group(problem.value, choice, split)
    by_price = choice.copy()
    by_price[explorers.users] = -1
    by_lot = np.bincount(split.group[explorers.users], explorers.value, split.groups)
    return np.asarray(_by_group(problem.value, by_price, split) + by_lot)


def sums_by_group(users: Users, plan: Relaxed, split: Breakdown) -> FloatArray:
    """Return (G, 2 + a) float64, as `group_sums`, of a plan whose last users are split.

    Parameters
    ----------
    users
        Those that the plan was solved for.
    """
    user, offer, share = plan.pairs(users)
    group = split.group[user]
    taken = [users.value[offer, user], np.ones(len(user))]
    taken += [columns[offer, user] for columns in split.amounts]
    sums: FloatArray = np.stack(
        [np.bincount(group, weights=share * each, minlength=split.groups) for each in taken],
        axis=1,
    )
    if (explorers := plan.problem.explorers) is None:
        return sums
    nobody = np.full(users.n, -1, dtype=np.int16)
    by_lot: FloatArray = group_sums(plan.problem, explorers.merged(nobody), split)
    total: FloatArray = np.add(sums, by_lot)
    return total


def _part(problem: Problem, users: Users, index: IntArray) -> Problem:
    """Return some users of a problem, those of the lowest keys, their columns copied."""
    place = np.argsort(users.order)
    few = users.take(index)
    return replace(
        problem,
        value=few.value[place],
        columns=few.columns[:, place],
        cell=few.cell,
        key=few.key,
        holdout=None if problem.holdout is None else problem.holdout[index],
        explorers=None if problem.explorers is None else problem.explorers.among(index),
        weight=None if problem.weight is None else problem.weight[index],
    )


def _scaled(problem: Problem, share: float) -> list[LinearLimit]:
    """Return a problem's enforced limits for a share of its users, sums in proportion."""

    def scaled(bound: float | None) -> float | None:
        return None if bound is None else bound * share

    return [
        replace(limit, at_least=scaled(limit.at_least), at_most=scaled(limit.at_most))
        for limit in problem.enforced
    ]


def _swept(users: Users, problem: Problem, prices: FloatArray, split: Breakdown) -> SweptPoint:
    rows = rows_of(problem, users, problem.enforced)
    at = np.empty(users.n, dtype=np.int16)
    table = sweep(users, rows.prices_of_pairs(prices, users.shape), choice=at)
    choice = np.append(users.order, -1)[at].astype(np.int16)
    if problem.explorers is not None:
        choice = problem.explorers.merged(choice)
        table = table.plus(tally_explorers(users, problem.explorers))
    money = rows.names.index(BUDGET)
    return SweptPoint(
        budget=_amount(problem),
        used=float(rows.usage(table)[money]),
        value=table.value,
        price=float(prices[money]),
        sums=group_sums(problem, choice, split),
    )


def _by_group(matrix: npt.NDArray[Any], choice: ChoiceArray, split: Breakdown) -> FloatArray:
    parts = in_parts(
        lambda start, stop, out: _add_chosen(matrix, choice, split.group, start, stop, out),
        n=len(choice),
        make=lambda: np.zeros(split.groups),
    )
    return np.asarray(sum(parts), dtype=np.float64)


@compiled
def _add_chosen(
    matrix: npt.NDArray[Any],
    choice: ChoiceArray,
    group: npt.NDArray[np.uint8],
    start: int,
    stop: int,
    sums: FloatArray,
) -> None:
    """Add each chosen pair's entry to its user's group."""
    for user in range(start, stop):
        if choice[user] >= 0:
            sums[group[user]] += matrix[choice[user], user]
