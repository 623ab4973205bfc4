from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from incentive_engine.allocation.budgets.curve import Curve
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import BudgetPool, Problem
from incentive_engine.domain import MICROS

from .campaign import campaign, with_budget


def at_risk(
    n: int, *, confidence: float = 0.9, cost_error: float = 0.05, amount: float | None = None
) -> Problem:
    problem = campaign(n, floors=False)
    assert problem.pool is not None
    problem = with_budget(problem, problem.pool.amount if amount is None else amount)
    assert problem.pool is not None
    pool = BudgetPool(
        amount=problem.pool.amount,
        basis="at-risk",
        confidence=confidence,
        cost_error=cost_error,
    )
    budget = tuple(limit for limit in problem.limits if limit.name == "budget")
    return replace(problem, pool=pool, limits=budget)


def quantile(plan: Allocation) -> float:
    report = plan.certificate.budget.at_risk
    assert report is not None
    return report.quantile


def redeemed(problem: Problem, plan: Allocation, draws: int, *, cost_error: float) -> np.ndarray:
    """Real redemption: face value or nothing per offer; the forecast is off as a whole."""
    rng = np.random.default_rng(1)
    assert problem.face is not None
    taken = plan.choice >= 0
    face = problem.face[plan.choice[taken]]
    chance = plan.cost_micros[taken] / MICROS / face
    factor = 1.0 + cost_error * rng.standard_normal(draws)
    return np.array([face @ (rng.random(len(face)) < chance * each) for each in factor])


@pytest.mark.parametrize("cost_error", [0.0, 0.05])
def test_redemption_overspends_as_often_as_stated(cost_error: float) -> None:
    problem = at_risk(3_000, confidence=0.9, cost_error=cost_error)
    plan = solve(problem)
    assert problem.pool is not None
    draws = 4_000
    over = redeemed(problem, plan, draws, cost_error=cost_error) > problem.pool.amount
    assert over.mean() == pytest.approx(0.1, abs=4 * np.sqrt(0.1 * 0.9 / draws) + 0.005)


def test_the_quantile_fits_the_amount_closely() -> None:
    problem = at_risk(5_000)
    assert problem.pool is not None
    assert 0.9995 * problem.pool.amount <= quantile(solve(problem)) <= problem.pool.amount


def test_a_surer_budget_buys_less() -> None:
    values = [
        solve(at_risk(2_000, confidence=confidence)).certificate.value
        for confidence in (0.5, 0.8, 0.9, 0.95, 0.99)
    ]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)


def test_at_even_odds_the_expected_cost_is_the_budget() -> None:
    problem = at_risk(2_000, confidence=0.5)
    assert problem.pool is not None
    plain = replace(problem, pool=BudgetPool(amount=problem.pool.amount))
    assert solve(problem).choice.tolist() == solve(plain).choice.tolist()


def test_the_certificate_bounds_the_expected_cost_that_the_quantile_allows() -> None:
    plan = solve(at_risk(2_000))
    row = next(limit for limit in plan.certificate.limits if limit.name == "budget")
    assert row.at_most is not None
    assert plan.certificate.budget.spent <= row.at_most < quantile(plan)
    stated = plan.certificate.to_dict()["budget"]
    assert set(stated["at_risk"]) == {"confidence", "cost_error", "deviation", "quantile"}
    assert plan.certificate.gap <= 1e-3


@pytest.mark.parametrize("amount", [0.0, 1.0, 30.0])
def test_a_small_amount_at_risk_is_kept(amount: float) -> None:
    problem = at_risk(500, amount=amount)
    assert quantile(solve(problem)) <= amount


def test_an_amount_that_binds_nothing_changes_nothing() -> None:
    problem = at_risk(500, amount=1e9)
    plan = solve(problem)
    assert plan.certificate.limits[0].price == pytest.approx(0.0, abs=1e-12)
    assert quantile(plan) < 1e9


def test_the_curve_counts_the_same_risk() -> None:
    problem = at_risk(3_000)
    (point,) = Curve(problem).points([problem])
    assert point.used == pytest.approx(solve(problem).certificate.budget.spent, rel=5e-3)
