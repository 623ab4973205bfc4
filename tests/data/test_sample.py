import pandas as pd
import pytest

from incentive_engine.config.schema import Sample
from incentive_engine.data.sample import (
    SampleCampaign,
    sample_campaign,
)


@pytest.fixture(scope="module")
def double11() -> SampleCampaign:
    return sample_campaign(Sample(name="double11"))


@pytest.fixture(scope="module")
def winback() -> SampleCampaign:
    return sample_campaign(Sample(name="winback"))


def test_the_default_sample_has_fifty_thousand_users_and_a_trial_of_others(
    double11: SampleCampaign,
) -> None:
    assert len(double11.users) == len(double11.truth) == 50_000
    assert len(double11.trial) == 150_000
    ids = pd.concat([double11.users["user_id"], double11.trial["user_id"]])
    assert ids.is_unique


def test_members_are_six_percent_and_spend_nine_times_as_much_as_others(
    double11: SampleCampaign,
) -> None:
    member = double11.users["tier"] == "88VIP"
    spend = double11.users["spend_12m"]
    assert 0.055 < member.mean() < 0.065
    assert 8.4 < spend[member].mean() / spend[~member].mean() < 9.6
