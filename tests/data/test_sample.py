from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incentive_engine.config.document.loading import policy_from_mapping
from incentive_engine.config.inputs import Sample
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.sources import open_source
from incentive_engine.data.trials.trial import read_trial
from incentive_engine.data.users import open_users
from incentive_engine.domain import CONTROL, score_column
from incentive_engine.synthetic.market import Truth
from incentive_engine.synthetic.population import SyntheticPopulation
from incentive_engine.synthetic.sample import (
    MARKETS,
    SampleCampaign,
    sample_campaign,
    write_sample,
)

NAMES = ("double11", "winback")
VIP = "vip200"


@pytest.fixture(scope="module")
def campaigns() -> dict[str, SampleCampaign]:
    return {name: sample_campaign(Sample.model_validate({"name": name})) for name in NAMES}


def effects(campaign: SampleCampaign, name: str, measure: str = "conversion") -> pd.DataFrame:
    columns = {offer.id: score_column(measure, offer.id) for offer in MARKETS[name].offers}
    return pd.DataFrame({offer: campaign.truth[column] for offer, column in columns.items()})


def policy_for(name: str) -> Policy:
    offers = [offer.model_dump(exclude_none=True) for offer in MARKETS[name].offers]
    where = {"tier": ["88VIP"], "spend_12m": {"at_least": 0.0}}
    return policy_from_mapping(
        {
            "version": 1,
            "name": name,
            "offers": offers,
            "eligibility": [{"offers": [offers[-1]["id"]], "where": where}],
            "limits": [{"name": "r", "sum": "cost", "for_each": "region", "at_most": 9}],
        }
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_default_has_fifty_thousand_users_and_a_trial_of_other_people(
    campaigns: dict[str, SampleCampaign], name: str
) -> None:
    campaign = campaigns[name]
    assert len(campaign.users) == len(campaign.truth) == 50_000
    assert len(campaign.trial) == 150_000
    assert pd.concat([campaign.users["user_id"], campaign.trial["user_id"]]).is_unique
    assert campaign.truth["user_id"].equals(campaign.users["user_id"])


def test_members_are_six_percent_and_spend_nine_times_as_much_as_others(
    campaigns: dict[str, SampleCampaign],
) -> None:
    # over seeds the ratio has a standard deviation of about 0.2; the bounds are four of them
    users = campaigns["double11"].users
    member = users["tier"] == "88VIP"
    spend = users["spend_12m"]
    assert 0.055 < member.mean() < 0.065
    assert 0.18 < (users["tier"] == "silver").mean() < 0.22
    assert 8.2 < spend[member].mean() / spend[~member].mean() < 9.8


@pytest.mark.parametrize("name", NAMES)
def test_conversion_is_between_three_and_seven_percent_in_every_arm_for_all(
    campaigns: dict[str, SampleCampaign], name: str
) -> None:
    assert 0.03 < campaigns[name].truth["control_conversion"].mean() < 0.07
    trial = campaigns[name].trial
    control = trial[trial["offer"] == CONTROL]
    assert 0.03 < control["conversion"].mean() < 0.07


@pytest.mark.parametrize("name", NAMES)
def test_offers_put_some_people_off_and_help_most_a_little(
    campaigns: dict[str, SampleCampaign], name: str
) -> None:
    allowed = effects(campaigns[name], name).drop(columns=VIP, errors="ignore")
    assert 0.05 < (allowed < 0).any(axis=1).mean() < 0.10
    assert allowed.mean().between(0.002, 0.03).all()
    assert (allowed.quantile(0.9) < 0.04).all()


def test_effects_saturate_up_the_ladder(campaigns: dict[str, SampleCampaign]) -> None:
    mean = effects(campaigns["double11"], "double11").mean()
    ladder = [offer for offer in MARKETS["double11"].offers if offer.ladder]
    effect = [mean[offer.id] for offer in ladder]
    assert [offer.face_value for offer in ladder] == sorted(offer.face_value for offer in ladder)
    assert effect == sorted(effect)
    per_yuan = [mean[offer.id] / offer.face_value for offer in ladder]
    assert per_yuan == sorted(per_yuan, reverse=True)


def test_only_members_are_tried_with_the_offer_for_members(
    campaigns: dict[str, SampleCampaign],
) -> None:
    trial = campaigns["double11"].trial
    assert set(trial.loc[trial["offer"] == VIP, "tier"]) == {"88VIP"}


@pytest.mark.parametrize("name", NAMES)
def test_propensities_are_unequal_and_right(
    campaigns: dict[str, SampleCampaign], name: str
) -> None:
    # frequencies lie within five standard errors of the logged probabilities: at most 15
    # comparisons, so a false alarm once in a hundred thousand
    trial = campaigns[name].trial
    sizes = trial["tier"].value_counts().to_dict()
    assert trial["propensity"].nunique() > 3
    for _, rows in trial.groupby(["tier", "offer"]):
        tier = rows["tier"].iloc[0]
        (logged,) = rows["propensity"].unique()
        error = np.sqrt(logged * (1 - logged) / sizes[tier])
        assert abs(len(rows) / sizes[tier] - logged) < 5 * error


@pytest.mark.parametrize("name", NAMES)
def test_cost_is_the_face_value_of_a_converter_who_redeems_or_nothing(
    campaigns: dict[str, SampleCampaign], name: str
) -> None:
    trial = campaigns[name].trial
    for offer in MARKETS[name].offers:
        rows = trial[trial["offer"] == offer.id]
        paid = rows[rows["cost"] > 0]
        assert set(paid["cost"]) == {offer.face_value}
        assert (paid["conversion"] == 1).all()
        assert (paid["spend"] >= (offer.min_spend or 0)).all()
        assert 0.3 < len(paid) / rows["conversion"].sum() < 0.99
    assert not trial.loc[trial["offer"] == CONTROL, "cost"].any()
    assert ((trial["spend"] > 0) == (trial["conversion"] == 1)).all()


def test_the_truth_is_what_trials_show_on_average() -> None:
    # differences of means against the mean truth, within five standard errors, which five
    # comparisons break once in three hundred thousand
    campaign = sample_campaign(Sample(name="double11", users=100_000, trial_rows=300_000, seed=3))
    member = (campaign.users["tier"] == "88VIP").to_numpy()
    trial = campaign.trial[campaign.trial["tier"] == "88VIP"]
    seen = trial.groupby("offer")["conversion"].agg(["mean", "var", "size"])
    truth = effects(campaign, "double11")[member].mean()
    for offer, expected in truth.items():
        pair = seen.loc[[CONTROL, offer]]
        error = np.sqrt((pair["var"] / pair["size"]).sum())
        assert abs(pair["mean"].diff().iloc[1] - expected) < 5 * error
    cost = trial.loc[trial["offer"] == VIP, "cost"]
    expected = effects(campaign, "double11", "cost").loc[member, VIP].mean()
    assert abs(cost.mean() - expected) < 5 * cost.std() / np.sqrt(len(cost))


def test_a_pool_of_two_hundred_thousand_binds(campaigns: dict[str, SampleCampaign]) -> None:
    conversion = effects(campaigns["double11"], "double11")
    conversion.loc[campaigns["double11"].users["tier"] != "88VIP", VIP] = -1.0
    best = conversion.to_numpy().argmax(axis=1)
    helped = conversion.max(axis=1).to_numpy() > 0
    cost = effects(campaigns["double11"], "double11", "cost").to_numpy()
    everyone = cost[np.arange(len(cost)), best][helped].sum()
    assert 0.3 < 200_000 / everyone < 0.7


def test_spend_of_a_converter_is_heavy_tailed(campaigns: dict[str, SampleCampaign]) -> None:
    trial = campaigns["double11"].trial
    spend = np.log(trial.loc[trial["conversion"] == 1, "spend"])
    assert spend.std() > Truth.BASKET_SIGMA
    assert np.exp(spend).mean() > 1.2 * np.exp(spend).median()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_of_people_hangs_together(
    campaigns: dict[str, SampleCampaign], name: str
) -> None:
    users = campaigns[name].users
    bought = users["orders_12m"] > 0
    assert (users["spend_12m"] > 0).equals(bought)
    assert users["avg_basket"].notna().equals(bought)
    assert ((users["recency_days"] <= 365) == bought).all()
    assert (users["coupon_redemptions_12m"] <= users["orders_12m"]).all()
    assert (users["tenure_months"] * 30 + 30 > users["recency_days"]).all()
    assert set(users["region"]) == set(SyntheticPopulation.REGIONS)
    unknown = users[["age", "income_band", "category_interest"]].isna().mean()
    assert unknown.between(0.03, 0.25).all()
    assert users[["tier", "region", "channel", "device"]].notna().all(axis=None)


def test_people_to_win_back_have_lapsed(campaigns: dict[str, SampleCampaign]) -> None:
    campaign = campaigns["winback"]
    assert (campaign.users["recency_days"] > 180).all()
    assert (campaign.trial["recency_days"] > 180).all()


def test_a_seed_gives_the_same_files_byte_for_byte(tmp_path: Path) -> None:
    content = []
    for directory in (tmp_path / "a", tmp_path / "b"):
        directory.mkdir()
        write_sample(Sample(name="double11", users=500, trial_rows=700), directory)
        content.append({file.name: file.read_bytes() for file in directory.iterdir()})
    assert content[0] == content[1]
    assert set(content[0]) == {"users.parquet", "trial.parquet", "truth.parquet"}


def test_users_and_trial_depend_on_the_seed_and_not_on_each_other() -> None:
    first = sample_campaign(Sample(name="double11", users=500, trial_rows=700))
    longer = sample_campaign(Sample(name="double11", users=500, trial_rows=900))
    more = sample_campaign(Sample(name="double11", users=600, trial_rows=700))
    other = sample_campaign(Sample(name="double11", users=500, trial_rows=700, seed=12))
    assert longer.users.equals(first.users)
    assert more.trial.equals(first.trial)
    assert not other.users.equals(first.users)


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_passes_the_checks_of_real_data(tmp_path: Path, name: str) -> None:
    sample = Sample.model_validate({"name": name, "users": 3000, "trial_rows": 4000})
    write_sample(sample, tmp_path)
    policy = policy_for(name)
    users = open_users(open_source(tmp_path / "users.parquet"), policy)
    trial = read_trial(open_source(tmp_path / "trial.parquet"), policy, users)
    assert (users.n_users, trial.n_rows) == (3000, 4000)
    assert list(trial.features.columns) == list(users.features)
    assert (trial.warnings, dict(trial.counts)) == ((), {})
    truth = sample_campaign(sample).truth
    both = pd.concat([users.whole().features, truth], axis=1)
    table = ScoreTable.from_frame(both, policy)
    assert (table.warnings, dict(table.missing_pairs)) == ((), {})
