from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.errors import DataError
from incentive_engine.uplift.evaluation.paired import compare_models
from incentive_engine.uplift.evaluation.price_paths import PlanPath
from incentive_engine.uplift.model import fit

from .trials import draw, ladder_effects, policy_of


def matrices(seed: int, n: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0.5, 1, (n, k)), rng.uniform(0, 2, (n, k)), rng.random((n, k)) < 0.8


@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_no_plan_of_its_cost_gains_more(seed: int, share: float) -> None:
    """Along the path a plan is the best of all that cost no more than it does."""
    effect, cost, reach = matrices(seed, 4, 2)
    path = PlanPath.of(effect, cost, reach)
    choice = path.plan(share * path.cost)
    rows = np.arange(4)

    def worth(plan: np.ndarray) -> tuple[float, float]:
        given = plan >= 0
        pairs = rows[given], plan[given]
        return float(effect[pairs].sum()), float(cost[pairs].sum())

    gain, paid = worth(choice)
    assert paid <= share * path.cost + 1e-9
    for other in product(range(-1, 2), repeat=4):
        plan = np.array(other)
        if reach[rows[plan >= 0], plan[plan >= 0]].all():
            value, spent = worth(plan)
            assert value <= gain + 1e-9 or spent > paid - 1e-9


@given(seed=st.integers(0, 10_000))
def test_the_whole_path_gives_everybody_the_best_offer(seed: int) -> None:
    effect, cost, reach = matrices(seed, 30, 3)
    path = PlanPath.of(effect, cost, reach)
    best = np.where(reach & (effect > 0), effect, 0).max(axis=1)
    choice = path.plan(path.cost)
    got = np.where(choice >= 0, effect[np.arange(30), choice], 0)
    np.testing.assert_allclose(got, best)


def test_rows_that_are_alike_come_in_a_random_order() -> None:
    effect, cost = np.full((1_000, 1), 0.1), np.ones((1_000, 1))
    path = PlanPath.of(effect, cost, np.ones((1_000, 1), dtype=np.bool_))
    got = path.plan(500) >= 0
    assert got.sum() == 500
    assert 180 < got[:500].sum() < 320  # 250 expected, deviation 11


def test_a_model_equals_itself_and_needs_its_own_trial() -> None:
    known = draw(policy_of(10, 20, ladder="cash"), ladder_effects, n=3_000, seed=1)
    one, two = (fit(known.trial, known.policy, seed=seed) for seed in (0, 1))
    same = compare_models(one, one, known.trial, known.policy)
    assert all(plan.difference.value == 0 for plan in same.plans)
    there = compare_models(one, two, known.trial, known.policy)
    back = compare_models(two, one, known.trial, known.policy)
    for offer, gap in there.qini.items():
        assert gap.value == pytest.approx(-back.qini[offer].value)
    other = draw(known.policy, ladder_effects, n=1_000, seed=2)
    with pytest.raises(DataError, match="was not trained on this trial"):
        compare_models(one, two, other.trial, other.policy)
