import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.domain import to_micros
from incentive_engine.simulation.strategy.planning import Situation
from incentive_engine.simulation.strategy.strategies import (
    everyone,
    first_come,
    greedy,
    nobody,
    plan_of,
    propensity,
    tier_rules,
)
from incentive_engine.simulation.strategy.tiers import standing

from .situations import situation

RULES = ["everyone", "first-come", "tier-rules", "propensity", "greedy"]


def three_users(**others: object) -> Situation:
    """Two offers: a shallow one that works, a deep one that costs more."""
    return situation(
        gain=[[0.02, 0.03], [0.01, 0.05], [0.03, 0.01]],
        charge=[[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]],
        face=[10, 20],
        **{"budget": 2.0, **others},  # type: ignore[arg-type]
    )


def test_nobody_gets_nothing() -> None:
    assert nobody(three_users()).tolist() == [-1, -1, -1]


def test_everyone_gets_the_offer_that_promises_most_within_the_money() -> None:
    # for 2: offer 0 to the first two gives 0.03, offer 1 to the first gives 0.03; the first wins
    assert everyone(three_users()).tolist() == [0, 0, -1]


def test_first_come_takes_the_most_valuable_coupon_until_the_money_is_gone() -> None:
    assert first_come(three_users(order=np.array([2, 0, 1]))).tolist() == [-1, -1, 1]


def test_propensity_serves_the_most_likely_first() -> None:
    # for 2, offer 1 to the likeliest alone gives 0.05, offer 0 to two gives 0.04
    likely = np.array([0.1, 0.9, 0.5])
    assert propensity(three_users(likely=likely)).tolist() == [-1, 1, -1]


def test_greedy_serves_by_gain_per_money_and_never_where_an_offer_harms() -> None:
    assert greedy(three_users(budget=3.0)).tolist() == [-1, 1, 0]
    harmed = situation(gain=[[-0.1], [0.1]], charge=[[1.0], [1.0]], face=[5], budget=10.0)
    assert greedy(harmed).tolist() == [-1, 0]


def test_tier_rules_give_the_better_customer_the_deeper_coupon() -> None:
    ladder = situation(
        gain=np.zeros((3, 3)),
        charge=np.ones((3, 3)),
        face=[50, 10, 20],
        budget=10.0,
        standing=np.array([0.1, 0.5, 0.9]),
    )
    assert tier_rules(ladder).tolist() == [1, 2, 0]


def test_tier_rules_keep_to_what_a_user_may_get() -> None:
    allowed = [[False, True], [True, True], [False, False]]
    best = three_users(allowed=allowed, budget=10.0, standing=np.full(3, 0.9))
    assert tier_rules(best).tolist() == [1, 1, -1]


@pytest.mark.parametrize("name", RULES)
@given(seed=st.integers(0, 10_000), budget=st.floats(0.001, 60))
def test_no_rule_plans_more_than_the_budget_or_a_pair_that_is_not_allowed(
    name: str, seed: int, budget: float
) -> None:
    rng = np.random.default_rng(seed)
    allowed = rng.random((12, 3)) < 0.7
    one = situation(
        gain=rng.normal(size=(12, 3)),
        charge=rng.exponential(2, (12, 3)),
        face=[5, 10, 20],
        budget=budget,
        allowed=allowed,
        likely=rng.random(12),
        standing=rng.random(12),
        order=rng.permutation(12),
    )
    choice = plan_of(name)(one)  # type: ignore[arg-type]
    rows = np.flatnonzero(choice >= 0)
    assert allowed[rows, choice[rows]].all()
    assert to_micros(one.charge[rows, choice[rows]]).sum() <= round(budget * 1e6)


def test_standing_ranks_recent_frequent_big_spenders_highest() -> None:
    users = pd.DataFrame(
        {"recency": [300, 5, 50, np.nan], "orders": [1, 20, 5, 0], "spend": [50, 9000, 800, 0]}
    )
    rank = standing(users, ("recency", "orders", "spend"))
    assert rank.argmax() == 1
    assert rank.argmin() == 3
    assert np.all((rank >= 0) & (rank < 1))


def test_standing_needs_no_frequency() -> None:
    users = pd.DataFrame({"recency": [300, 5], "spend": [50, 9000]})
    assert standing(users, ("recency", None, "spend")).tolist() == [0.0, 0.5]
