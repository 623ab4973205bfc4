"""Many budgets in one pass: certified points, honest margins, and the budget a mandate leaves."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from incentive_engine.allocation.budgets.curve import Curve, CurvePoint, largest_budget
from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.params import SolveParams
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem

from .campaign import campaign, with_budget

SHARES = (0.05, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5)


@cache
def selling() -> Problem:
    """Return a campaign that maximises incremental spend, every user counting alike."""
    problem = campaign(4_000, floors=False, seed=3)
    return replace(problem, value=problem.columns[1])


def columns(problem: Problem) -> dict[str, np.ndarray]:
    return {"spend": problem.columns[1]}


def amounts(problem: Problem) -> list[float]:
    assert problem.pool is not None
    return [problem.pool.amount * share for share in SHARES]


@cache
def points() -> tuple[CurvePoint, ...]:
    problem = selling()
    asked = [with_budget(problem, amount) for amount in amounts(problem)]
    return Curve(problem, columns(problem)).points(asked, marginal=True)


def test_points_come_in_the_order_of_the_problems() -> None:
    problem = selling()
    asked = [with_budget(problem, amount) for amount in reversed(amounts(problem))]
    found = Curve(problem).points(asked)
    assert [point.budget for point in found] == amounts(problem)[::-1]
    for point, same in zip(reversed(found), points(), strict=True):
        assert point.value == pytest.approx(same.value, rel=2e-6)


def test_a_warm_start_finds_what_a_cold_one_finds() -> None:
    problem = selling()
    curve = Curve(problem)
    for point, amount in zip(points(), amounts(problem), strict=True):
        cold = curve.plan(with_budget(problem, amount))
        assert point.bound == pytest.approx(cold.bound, rel=2e-6)


def test_near_budgets_of_many_users_find_what_each_finds_alone() -> None:
    problem = campaign(60_000, floors=False, seed=3)
    problem = replace(problem, value=problem.columns[1])
    assert problem.pool is not None
    asked = [with_budget(problem, problem.pool.amount * part) for part in (0.6, 0.65, 0.7, 0.75)]
    curve = Curve(problem, columns(problem))
    for point, own in zip(curve.points(asked, marginal=True), asked, strict=True):
        alone = curve.point(curve.plan(own))
        assert point.gap <= 1e-6
        assert point.bound == pytest.approx(alone.bound, rel=2e-6)
        assert point.marginal_return == pytest.approx(alone.marginal_return, rel=1e-3)


def test_prices_are_found_however_far_those_to_start_from_are() -> None:
    problem = campaign(60_000, floors=False, seed=3)
    assert problem.pool is not None
    curve = Curve(problem)
    much, little = (with_budget(problem, problem.pool.amount * part) for part in (0.9, 0.2))
    found = curve.plan(little, curve.plan(much).prices, radius=1e-3)
    assert found.bound == pytest.approx(curve.plan(little).bound, rel=2e-6)


def test_a_plan_of_whole_offers_lies_below_the_bound_and_near_the_value() -> None:
    problem = selling()
    for point, amount in list(zip(points(), amounts(problem), strict=True))[::3]:
        certificate = solve(
            with_budget(problem, amount), params=SolveParams(plan_gap=1e-3)
        ).certificate
        assert certificate.value <= point.bound * (1 + 1e-9)
        assert point.value == pytest.approx(certificate.bound, rel=2e-6)
        assert point.gap <= 1e-6


def test_what_a_point_states_adds_up() -> None:
    for point in points():
        assert point.amounts["spend"] == pytest.approx(point.value, rel=1e-5)
        assert point.amounts["cost"] <= point.budget * (1 + 1e-9)
        assert point.roi == pytest.approx(point.amounts["spend"] / point.amounts["cost"])
        reports = {report.name: report for report in point.plan.limits(Curve(selling()).users)}
        assert reports["budget"].usage == pytest.approx(point.used, rel=1e-6)


def test_the_marginal_return_lies_between_the_prices_at_both_ends_of_the_margin() -> None:
    problem = selling()
    curve = Curve(problem)
    for point, amount in zip(points(), amounts(problem), strict=True):
        if point.price == 0:
            continue
        before = curve.plan(with_budget(problem, 0.98 * amount), point.plan.prices)
        assert point.marginal_return is not None
        assert point.price * (1 - 1e-3) <= point.marginal_return
        assert point.marginal_return <= before.prices["budget"] * (1 + 1e-3)


def test_the_mandate_leaves_the_budget_at_which_the_price_meets_the_target() -> None:
    problem = selling()
    target = points()[3].marginal_return
    assert target is not None
    found = largest_budget(
        Curve(problem, columns(problem)),
        lambda amount: with_budget(problem, amount),
        cap=amounts(problem)[-1],
        at_least=target,
    )
    assert found.point is not None
    assert found.point.budget == pytest.approx(amounts(problem)[3], rel=0.02)


def test_a_target_that_nothing_reaches_leaves_no_budget_and_names_the_best() -> None:
    problem = selling()
    found = largest_budget(
        Curve(problem, columns(problem)),
        lambda amount: with_budget(problem, amount),
        cap=amounts(problem)[-1],
        at_least=1e9,
    )
    assert found.point is None
    assert found.best is not None
    assert found.best.budget < amounts(problem)[0]


def test_more_safety_never_brings_more() -> None:
    problem = selling()
    curve = Curve(problem, columns(problem))
    found = curve.safety(problem)
    values = [point.value for point in found]
    assert values == sorted(values, reverse=True)
    assert problem.pool is not None
    assert found[0].expected == pytest.approx(problem.pool.amount)
    face = replace(problem, pool=replace(problem.pool, basis="face"))
    assert curve.safety(face) == ()


def test_dropping_a_limit_gains_what_the_problem_without_it_is_worth_more() -> None:
    problem = with_budget(selling(), amounts(selling())[4])
    curve = Curve(problem)
    point = curve.point(curve.plan(problem), marginal=False)
    for name, price in point.plan.prices.items():
        fewer = replace(problem, limits=tuple(x for x in problem.limits if x.name != name))
        gain = curve.gain_without(point, [name])
        if price == 0:
            assert gain == 0
        elif name.startswith("stock"):
            cold = curve.plan(fewer)
            assert gain == pytest.approx(cold.value - point.value, abs=2e-6 * cold.value)


def test_a_point_without_a_plan_names_its_conflict() -> None:
    problem = selling()
    floor = sum_limit("floor", "cost", at_least=amounts(problem)[1])
    problem = replace(problem, limits=(*problem.limits, floor))
    asked = [with_budget(problem, amount) for amount in amounts(problem)[:3]]
    found = Curve(problem, columns(problem)).points(asked, marginal=True, reasons=True)
    assert [point.feasible for point in found] == [False, True, True]
    assert "limit `floor`" in {str(fault.where) for fault in found[0].conflict}
    assert found[0].amounts == {}
    assert found[0].marginal_return is None
