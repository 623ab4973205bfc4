import numpy as np
import pytest
from scipy.special import logit

from incentive_engine.config.offer import Offer
from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import CampaignShift, World
from incentive_engine.errors import ConfigError
from incentive_engine.simulation.market.chances import DrawSeeds
from incentive_engine.simulation.market.world import (
    draw_people,
    draw_trial,
    drifted,
    spiked,
)
from incentive_engine.simulation.variants import check_offers
from incentive_engine.synthetic.market import Truth
from incentive_engine.synthetic.sample import MARKETS

OFFERS = MARKETS["double11"].offers


def policy(*offers: Offer) -> Policy:
    return Policy(version=1, name="p", offers=offers or OFFERS)


def seeds(draw: int = 0, trials: int = 2) -> DrawSeeds:
    return DrawSeeds.of(seed=1, draw=draw, trials=trials)


def some_truth() -> Truth:
    return Truth(
        conversion=np.array([[0.05, 0.08], [0.10, 0.09]]),
        basket=np.full((2, 2), 100.0),
        redemption=np.array([[0.0, 0.9], [0.0, 0.5]]),
    )


def test_without_drift_the_campaign_is_like_the_trial() -> None:
    same = drifted(some_truth(), CampaignShift(), forecast_error=1.0)
    assert same.conversion == pytest.approx(some_truth().conversion)
    assert np.array_equal(same.redemption, some_truth().redemption)


def test_drift_changes_what_it_names() -> None:
    other = CampaignShift(effect=0.5, baseline=0.2, basket=2.0, redemption=1.1)
    found = drifted(some_truth(), other, forecast_error=0.0)
    base = logit(found.conversion[:, 0]) - logit(some_truth().conversion[:, 0])
    assert base == pytest.approx([0.2, 0.2])
    assert found.conversion[:, 1] - found.conversion[:, 0] == pytest.approx([0.015, -0.005])
    assert found.basket[0, 0] == 200
    assert found.redemption[:, 1] == pytest.approx([0.99, 0.55])


def test_the_forecast_error_moves_redemption_by_its_spread() -> None:
    found = drifted(some_truth(), CampaignShift(redemption_spread=0.1), forecast_error=-1.0)
    assert found.redemption[:, 1] == pytest.approx([0.81, 0.45])


def test_a_spike_multiplies_conversions_of_those_who_come_then() -> None:
    found = spiked(some_truth(), factor=2.0, where=np.array([True, False]))
    assert found.conversion[0] == pytest.approx([0.10, 0.16])
    assert found.conversion[1] == pytest.approx([0.10, 0.09])


def test_offers_that_the_market_lacks_are_refused_one_by_one() -> None:
    wrong = policy(
        Offer(id="off51", face_value=50, min_spend=399),
        Offer(id="off50", face_value=60, min_spend=399),
    )
    with pytest.raises(ConfigError) as error:
        check_offers(wrong, World(), where="scenario.yaml:3: policy")
    lines = str(error.value).splitlines()
    assert "no offer `off51`; did you mean `off50`?" in lines[0]
    assert "`off50` differs" in lines[1]
    assert lines[0].startswith("scenario.yaml:3: policy: ")


def test_a_policy_may_use_some_of_the_markets_offers_in_its_own_order() -> None:
    some = policy(OFFERS[2], OFFERS[0])
    trial = draw_trial(World(trial_rows=3_000), some, seeds())
    assert set(np.unique(trial.arm)) == {0, 1, 2}
    assert trial.n_rows < 3_000
    two = draw_people(World(users=500), some, seeds()).reaction
    four = draw_people(World(users=500), policy(), seeds()).reaction
    assert np.array_equal(two.conversion, four.conversion[:, [0, 3, 1]])


def test_lapsed_users_replace_some_of_the_usual_ones() -> None:
    shifted = World(users=1_000, campaign=CampaignShift(lapsed_users=0.3))
    features = draw_people(shifted, policy(), seeds()).users.features
    assert (features["recency_days"].iloc[700:] > 180).all()
    assert (features["recency_days"].iloc[:700] <= 180).mean() > 0.5


def test_draws_share_trials_in_turn_but_never_chances() -> None:
    assert seeds(0).trial.entropy == seeds(2).trial.entropy
    assert seeds(0).learning == seeds(2).learning != seeds(1).learning
    first, third = (np.random.default_rng(seeds(d).outcomes).random() for d in (0, 2))
    assert first != third
