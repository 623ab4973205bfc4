import numpy as np
import pytest

from incentive_engine.config.offer import Offer
from incentive_engine.simulation.market.chances import CommonRandomNumbers
from incentive_engine.simulation.market.settlement import (
    PlanIncrement,
    absent,
    expected,
    lapsing,
    realised,
)
from incentive_engine.synthetic.market import Truth

OFFERS = (Offer(id="a", face_value=10, min_spend=99), Offer(id="b", face_value=30))


def truth_of(n: int) -> Truth:
    conversion = np.tile([0.05, 0.08, 0.10], (n, 1))
    return Truth(
        conversion=conversion,
        basket=np.tile([120.0, 125.0, 130.0], (n, 1)),
        redemption=np.tile([0.0, 0.8, 0.9], (n, 1)),
    )


def chances_of(n: int) -> CommonRandomNumbers:
    return CommonRandomNumbers.draw(n, np.random.SeedSequence(1))


def test_nobody_changes_nothing() -> None:
    truth = truth_of(50)
    choice = np.full(50, -1, dtype=np.int16)
    assert PlanIncrement.of(choice, realised(truth, OFFERS, chances_of(50))) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("offer", [0, 1])
def test_what_happens_has_the_expectation_that_is_stated(offer: int) -> None:
    # 200,000 users: each mean is within 5 standard errors with probability above 0.999999
    n = 200_000
    choice = np.full(n, offer, dtype=np.int16)
    happened = realised(truth_of(n), OFFERS, chances_of(n))
    meant = PlanIncrement.of(choice, expected(truth_of(n), OFFERS))
    earned = PlanIncrement.of(choice, happened)
    for name, measure in (("conversions", happened.conversion), ("spend", happened.spend)):
        spread = float((measure[:, offer + 1] - measure[:, 0]).std()) * np.sqrt(n)
        assert abs(getattr(earned, name) - getattr(meant, name)) < 5 * spread
    spread = float(happened.cost[:, offer + 1].std()) * np.sqrt(n)
    assert abs(earned.cost - meant.cost) < 5 * spread


def test_the_same_chance_decides_under_every_arm() -> None:
    happened = realised(truth_of(5_000), OFFERS, chances_of(5_000)).conversion
    assert np.all(happened[:, 0] <= happened[:, 1])
    assert np.all(happened[:, 1] <= happened[:, 2])


def test_money_is_paid_only_to_converters_whose_basket_suffices() -> None:
    happened = realised(truth_of(5_000), OFFERS, chances_of(5_000))
    paid = happened.cost[:, 1] > 0
    assert paid.any()
    assert np.all(happened.spend[paid, 1] >= 99)
    assert set(np.unique(happened.cost)) == {0.0, 10.0, 30.0}


def test_an_offer_that_lapses_costs_nothing_and_changes_nothing() -> None:
    happened = realised(truth_of(3_000), OFFERS, chances_of(3_000))
    gone = lapsing(happened, np.ones(3_000, dtype=np.bool_))
    assert np.array_equal(gone.conversion[:, 1], happened.conversion[:, 0])
    assert gone.cost.sum() == 0


def test_users_who_never_come_do_nothing() -> None:
    away = np.zeros(100, dtype=np.bool_)
    away[:50] = True
    happened = absent(expected(truth_of(100), OFFERS), away)
    assert happened.conversion[:50].sum() == happened.spend[:50].sum() == 0
    assert happened.conversion[50:].min() > 0


def test_the_sum_of_money_is_exact() -> None:
    n = 30_000
    happened = expected(truth_of(n), OFFERS)
    choice = np.zeros(n, dtype=np.int16)
    micros = int(np.ceil(happened.cost[0, 1] * 1e6))
    assert PlanIncrement.of(choice, happened).cost == n * micros / 1e6
