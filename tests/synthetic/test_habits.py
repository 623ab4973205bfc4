"""People with habits: their log tells how they react, and nothing else does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from incentive_engine.config.inputs import Sample
from incentive_engine.synthetic.habits import draw_habitual, draw_log
from incentive_engine.synthetic.market import everyday, react
from incentive_engine.synthetic.sample import SampleCampaign, sample_campaign


@pytest.fixture(scope="module")
def campaign() -> SampleCampaign:
    return sample_campaign(Sample(name="everyday", users=300, trial_rows=400))


def test_the_same_seed_gives_the_same_log(campaign: SampleCampaign) -> None:
    again = sample_campaign(Sample(name="everyday", users=300, trial_rows=400))
    assert campaign.events is not None
    assert again.events is not None
    pd.testing.assert_frame_equal(campaign.events, again.events)


def test_the_log_goes_on_after_the_moment_and_is_in_order(campaign: SampleCampaign) -> None:
    events = campaign.events
    assert events is not None
    assert events["ts"].is_monotonic_increasing
    assert events["ts"].max() > SampleCampaign.MOMENT
    assert set(events["kind"]) == {"order", "visit", "issue", "redeem"}
    assert events.loc[events["kind"] != "order", "amount"].isna().all()


def test_the_last_order_before_the_moment_is_the_one_that_drives_the_reaction() -> None:
    rng = np.random.default_rng(1)
    people, habits = draw_habitual(200, prefix="U", rng=rng)
    log = draw_log(people, habits, days=2000, rng=rng)
    orders = log[(log["kind"] == "order") & (log["age"] > 0)]
    since = orders.groupby("person")["age"].min() / 86_400_000_000
    np.testing.assert_allclose(since, habits.since[since.index], atol=1e-9)


def test_those_who_use_coupons_react_more() -> None:
    people, habits = draw_habitual(20_000, prefix="U", rng=np.random.default_rng(2))
    truth = react(people, everyday())
    gain = truth.conversion[:, 1:].mean(axis=1) - truth.conversion[:, 0]
    keen = habits.coupons > np.median(habits.coupons)
    assert gain[keen].mean() > 3 * gain[~keen].mean()
