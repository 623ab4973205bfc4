from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from incentive_engine.allocation.budgets.curve import Curve
from incentive_engine.allocation.budgets.efficient_steps import Breakdown
from incentive_engine.allocation.budgets.sampled_curve import group_sums, swept_points
from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.params import CurveParams
from incentive_engine.allocation.problem import BudgetPool, Problem


def campaign(users: int, amount: float) -> Problem:
    """A budget, a cap per cell in percent of it, and a stock; offers not in canonical order."""
    rng = np.random.default_rng(3)
    base = rng.gamma(2.0, 0.02, users)
    face = np.array([10.0, 5.0, 20.0])
    value = base * (1 - np.exp(-face[:, None] / 20)) * rng.lognormal(0, 0.5, (3, users)) - 0.002
    cost = face[:, None] * (0.03 + base) * rng.lognormal(0, 0.2, (3, users))
    value[0, ::7] = -np.inf
    return Problem(
        offers=("b", "a", "c"),
        value=value.astype(np.float32),
        measures=("cost",),
        columns=cost.astype(np.float32)[None],
        face=face,
        cell=rng.integers(0, 2, users).astype(np.uint16),
        n_cells=2,
        limits=(
            sum_limit("budget", "cost", at_most=amount),
            sum_limit("cap", "cost", at_most=0.4 * amount, cells=np.array([True, False])),
            sum_limit("stock", "issued", at_most=0.1 * users, offers=np.arange(3) == 0),
        ),
        pool=BudgetPool(amount=amount),
    )


def test_swept_points_lie_on_the_curve_that_everybody_makes() -> None:
    users = 40_000
    problems = [campaign(users, amount) for amount in (1_000.0, 3_000.0, 6_000.0)]
    problems = [replace(problems[0], limits=each.limits, pool=each.pool) for each in problems]
    split = Breakdown(
        group=(np.arange(users) % 3).astype(np.uint8), groups=3, amounts=(problems[0].columns[0],)
    )
    found = swept_points(problems, split, CurveParams(sample=8_000))
    exact = Curve(problems[0]).points(problems)
    for point, whole in zip(found, exact, strict=True):
        assert point.used == pytest.approx(whole.used, rel=0.1)
        # the same money elsewhere on a concave curve is worth as much as its price says; the cap
        # of the sample is off by some parts in a hundred, too
        expected = whole.value + whole.price * (point.used - whole.used)
        assert point.value == pytest.approx(expected, rel=0.01)
        assert point.sums[:, 0].sum() == pytest.approx(point.value, rel=1e-6)
        assert point.sums[:, 2].sum() == pytest.approx(point.used, rel=1e-6)


def test_sums_by_group_add_up_what_is_chosen() -> None:
    value = np.array([[1.0, 2.0, 4.0, 8.0], [0.5, 0.25, 0.125, 16.0]])
    choice = np.array([0, -1, 1, 1], dtype=np.int16)
    split = Breakdown(
        group=np.array([0, 0, 1, 1], dtype=np.uint8), groups=2, amounts=(10 * value,)
    )
    problem = Problem(offers=("a", "b"), value=value)
    assert group_sums(problem, choice, split).tolist() == [
        [1.0, 1.0, 10.0],
        [16.125, 2.0, 161.25],
    ]
