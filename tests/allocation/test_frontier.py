"""The efficient steps of all users, against linear programs and against what may be shown."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from incentive_engine.allocation.budgets.curve import Curve
from incentive_engine.allocation.budgets.efficient_steps import Breakdown, steps_by_price
from incentive_engine.allocation.budgets.frontier import frontier
from incentive_engine.allocation.budgets.limit_cost import gain_of_all, gains_without
from incentive_engine.allocation.budgets.sampled_curve import sums_by_group
from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import BudgetPool, Problem
from incentive_engine.errors import InfeasibleError

from .campaign import campaign
from .problems import draw_solved

Basis = Literal["expected", "face"]


def draw(seed: int, *, n: int = 300, basis: Basis = "expected", forced: bool = False) -> Problem:
    rng = np.random.default_rng(seed)
    value = rng.normal(0.02, 0.02, (3, n))
    cost = np.round(rng.gamma(2.0, 2.0, (3, n)), 2) * (rng.random((3, n)) < 0.95)
    if not forced:
        value[rng.random((3, n)) < 0.1] = -np.inf
    measure = "cost" if basis == "expected" else "face"
    return Problem(
        offers=("a", "b", "c"),
        value=value,
        measures=("cost",),
        columns=cost[None],
        face=np.array([5.0, 10.0, 20.0]),
        limits=(sum_limit("budget", measure, at_most=100.0),),
        exactly_one=forced,
        pool=BudgetPool(amount=100.0, basis=basis),
    )


def groups_of(problem: Problem, number: int = 2) -> Breakdown:
    group = (np.arange(problem.n_users) % number).astype(np.uint8)
    return Breakdown(group=group, groups=number, amounts=(problem.columns[0],))


def best_value(problem: Problem, money: float) -> float:
    """Return the linear program's optimum, by a solver that knows nothing of steps."""
    pairs = np.argwhere(np.isfinite(problem.value))
    offer, user = pairs[:, 0], pairs[:, 1]
    by_face = problem.pool is not None and problem.pool.basis == "face"
    assert problem.face is not None
    paid = problem.face[offer] if by_face else problem.columns[0][offer, user]
    once = np.zeros((problem.n_users, len(user)))
    once[user, np.arange(len(user))] = 1.0
    once = once[once.any(axis=1)]
    least = 1.0 if problem.exactly_one else 0.0
    found = milp(
        -problem.value[offer, user],
        constraints=[
            LinearConstraint(paid[None], -np.inf, money),
            LinearConstraint(once, least, 1.0),
        ],
        bounds=Bounds(0.0, 1.0),
    )
    assert found.status == 0
    return -float(found.fun)


@pytest.mark.parametrize("basis", ["expected", "face"])
@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("smallest", [1, 20])
def test_every_row_is_worth_the_linear_programs_optimum_to_the_stated_error(
    basis: Basis,
    forced: bool,  # noqa: FBT001
    smallest: int,
) -> None:
    problem = draw(3, basis=basis, forced=forced)
    found = frontier(problem, groups_of(problem), rows=40, smallest=smallest)
    assert found is not None
    for money, value in zip(found.money[1:], found.value[1:], strict=True):
        best = best_value(problem, money + 1e-9)
        assert value <= best + 1e-9
        assert best <= value + found.error + 1e-9


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_a_line_between_two_rows_is_never_above_the_best_and_never_further_than_the_error(
    seed: int,
) -> None:
    problem = draw(seed, n=60)
    found = frontier(problem, groups_of(problem), rows=12, smallest=3)
    assert found is not None
    at = np.random.default_rng(seed).uniform(found.money[0], found.money[-1])
    value = float(np.interp(at, found.money, found.value))
    best = best_value(problem, at)
    assert value - 1e-9 <= best <= value + found.error + 1e-9


def test_more_money_never_lowers_value_and_always_lowers_the_price() -> None:
    problem = draw(5, n=3_000)
    found = frontier(problem, groups_of(problem), rows=100, smallest=20)
    assert found is not None
    assert (np.diff(found.money) > 0).all()
    assert (np.diff(found.value) >= 0).all()
    assert (np.diff(found.price) < 0).all()


def test_the_last_row_is_what_everybody_wants_without_a_price() -> None:
    problem = draw(7)
    found = frontier(problem, groups_of(problem), rows=40, smallest=20)
    assert found is not None
    best = problem.value.max(axis=0)
    assert found.value[-1] == pytest.approx(best[best > 0].sum())
    assert found.sums[-1, :, 2].sum() == (best > 0).sum()


def test_no_bin_of_a_group_stands_for_fewer_users_than_asked() -> None:
    problem = draw(9, n=2_000)
    split = groups_of(problem, 3)
    found = frontier(problem, split, rows=500, smallest=20)
    assert found is not None
    steps = steps_by_price(problem, split)
    people = np.concatenate([steps[-1:], steps[-2::-1]])[:, :, 3].cumsum(axis=0)
    # a group's value bends only where a bin ends; between two bends there are twenty users
    for g in range(3):
        treated = found.sums[:, g, 2]
        slopes = np.diff(treated) / np.maximum(np.diff(found.sums[:, g, 1]), 1e-12)
        bends = 1 + np.count_nonzero(np.abs(np.diff(slopes)) > 1e-6)
        assert bends <= 2 * people[-1, g] / 20 + 2


def test_a_single_user_with_unusual_numbers_cannot_be_read_off() -> None:
    problem = draw(11, n=500)
    value, cost = problem.value.copy(), problem.columns.copy()
    value[:, 0], cost[0, :, 0] = [9.0, -np.inf, -np.inf], [1.0, 1.0, 1.0]
    problem = replace(problem, value=value, columns=cost)
    found = frontier(problem, groups_of(problem), rows=400, smallest=20)
    assert found is not None
    assert found.value[1] < 9.0 / 2
    alone = frontier(problem, groups_of(problem), rows=400, smallest=1)
    assert alone is not None
    assert alone.value[1] >= 9.0


def test_groups_with_too_few_people_stand_together() -> None:
    problem = draw(13, n=400)
    group = np.zeros(400, dtype=np.uint8)
    group[:5], group[5:12], group[12:100] = 1, 2, 3
    split = Breakdown(group=group, groups=4)
    found = frontier(problem, split, rows=40, smallest=20)
    assert found is not None
    assert found.members == ((0,), (1, 2, 3))
    assert (
        frontier(draw(13, n=15), Breakdown(group=group[:15], groups=4), rows=9, smallest=20)
        is None
    )


def test_the_order_of_users_changes_nothing_but_rounding() -> None:
    problem = draw(15, n=800)
    order = np.random.default_rng(1).permutation(800)
    split = groups_of(problem)
    turned = replace(problem, value=problem.value[:, order], columns=problem.columns[:, :, order])
    again = replace(split, group=split.group[order], amounts=(turned.columns[0],))
    one, two = (
        frontier(p, s, rows=50, smallest=20) for p, s in ((problem, split), (turned, again))
    )
    assert one is not None
    assert two is not None
    np.testing.assert_allclose(one.sums, two.sums, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(one.price, two.price)


def test_groups_of_a_solved_point_add_up_to_the_point() -> None:
    problem = draw(17, n=2_000)
    stock = sum_limit("stock", "issued", at_most=200.0, offers=np.array([True, False, False]))
    problem = replace(problem, limits=(*problem.limits, stock))
    curve = Curve(problem)
    (point,) = curve.points([problem])
    sums = sums_by_group(curve.users, point.plan, groups_of(problem))
    value, treated, cost = sums.sum(axis=0)
    assert value == pytest.approx(point.value, rel=1e-6)
    assert treated == pytest.approx(point.treated)
    assert cost == pytest.approx(point.used, rel=1e-6)


def without(problem: Problem, name: str) -> Allocation:
    limits = tuple(limit for limit in problem.limits if limit.name != name)
    pool = None if name == "budget" else problem.pool
    return solve(replace(problem, limits=limits, pool=pool))


@pytest.mark.parametrize("seed", range(30))
def test_no_plan_without_a_limit_gains_more_than_stated(seed: int) -> None:
    problem, plan = draw_solved(seed)
    binding = {name for name, price in plan.prices.items() if price}
    stated = gains_without(problem, plan)
    assert stated.keys() == binding
    for name, gain in stated.items():
        more = without(problem, name).certificate.value - plan.certificate.value
        assert more <= gain + 1e-6


def test_what_is_stated_that_a_limit_costs_is_near_what_it_costs() -> None:
    problem = campaign(40_000)
    plan, curve = solve(problem), Curve(problem)
    stated, point = gains_without(problem, plan), curve.point(curve.plan(problem))
    assert {"faces", "tier share"} <= stated.keys()
    for name, gain in stated.items():
        over = gain - curve.gain_without(point, [name])
        assert 0.0 <= over <= 0.01 * plan.certificate.value


@pytest.mark.parametrize("seed", range(30))
def test_offers_to_the_holdout_gain_no_more_than_stated(seed: int) -> None:
    everyone, best = draw_solved(seed)
    held = np.arange(everyone.n_users) == 0
    if everyone.holdout is not None:
        held |= everyone.holdout
    value = np.where(held, -np.inf, everyone.value)
    with suppress(InfeasibleError):
        plan = solve(replace(everyone, value=value, holdout=held))
        more = best.certificate.value - plan.certificate.value
        assert more <= gain_of_all(everyone, plan) + 1e-6
