"""The compiled choice in the columns' own type is that of float64, to the last tie."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.plans.choosers import Choosers, choices_at
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.nearest import nearest
from incentive_engine.allocation.population.sweep import reaches, sweep
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import Columns


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(10))
def test_everyone_gets_what_float64_says_is_best(dtype: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    offers, n = 4, 3_000
    cost = rng.integers(1, 400, (1, offers, n)).astype(dtype) / dtype(20)
    price = 0.013
    # every second value lies within a rounding of what its cost takes, so that scores nearly tie
    value = (price * cost[0] * (1 + rng.choice([0.0, 1e-8, 1e-3], (offers, n)))).astype(dtype)
    value[rng.random((offers, n)) < 0.1] = -np.inf
    problem = Problem(
        offers=tuple("abcd"),
        value=value,
        measures=("cost",),
        columns=cost,
        limits=(sum_limit("budget", "cost", at_most=1.0),),
        key=np.arange(n, dtype=np.uint64),
    )
    paid = np.ceil(np.round(cost[0].astype(np.float64) * 1e6, 3)) / 1e6
    score = value.astype(np.float64) - price * paid
    choice = choices_at(problem, {"budget": price})
    got = np.where(choice >= 0, score[choice, np.arange(n)], 0.0)
    best = np.maximum(score.max(axis=0), 0.0)
    assert got == pytest.approx(best, abs=1e-12)
    assert (best > 0).any()
    wrong = choices_at(problem, {"budget": price * 1.0005})
    assert (wrong != choice).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_users_whose_values_are_multiplied_choose_as_in_a_problem_with_such_values(
    dtype: type,
) -> None:
    rng = np.random.default_rng(7)
    offers, n = 3, 4_000
    cost = rng.integers(1, 400, (1, offers, n)).astype(dtype) / dtype(20)
    factor = np.exp2(rng.uniform(-3, 3, n))
    near = (0.013 * cost[0] / factor).astype(dtype)  # scores nearly tie once they are multiplied
    problem = Problem(
        offers=tuple("abc"),
        value=near,
        measures=("cost",),
        columns=cost,
        limits=(sum_limit("budget", "cost", at_most=1.0),),
        key=np.arange(n, dtype=np.uint64),
    )
    prices = {"budget": 0.013}
    multiplied = replace(problem, value=near * factor.astype(dtype))
    expected = choices_at(multiplied, prices)
    assert Choosers.of(problem).worth(factor).at(prices).tolist() == expected.tolist()
    assert 0.1 < (expected >= 0).mean() < 0.9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_between_nought_and_minus_nought_are_ties(dtype: npt.DTypeLike) -> None:
    value: Columns = np.array([[-0.0, 0.0], [0.0, -0.0]], dtype=dtype)
    users = users_of(Problem(offers=("a", "b"), value=value, exactly_one=True))
    price, loss = np.zeros((1, 1, 2)), np.full_like(value[0], np.nan)
    sweep(users, price, loss=loss)
    reach = reaches(users, price, np.ones_like(price))
    for distance in (loss, reach):
        assert distance.tolist() == [0.0, 0.0]
        assert not np.signbit(distance).any()
        assert nearest(distance, users.key, 5).tolist() in ([0, 1], [1, 0])
