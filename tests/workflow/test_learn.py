"""A finished campaign becomes a trial, once, with what users could get and how likely it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import incentive_engine as ie
from incentive_engine.config.policy import Policy
from incentive_engine.data.sources import open_source
from incentive_engine.data.trials.trial import read_trial
from incentive_engine.errors import ConfigError, DataError
from incentive_engine.measurement.learning.randomised_users import ServedDecision, ServedLedger
from incentive_engine.measurement.learning.trial_rows import lesson_of
from incentive_engine.run.finished import read_run
from incentive_engine.uplift.trial_design import campaign_averages, campaign_weights, even_lottery
from incentive_engine.workflow.results.learn_campaign import learn

OFFERS = ("off5", "off10")
USERS = 3_000


def policy(**changes: object) -> Policy:
    written: dict[str, object] = {
        "version": 1,
        "name": "flywheel",
        "offers": [{"id": "off5", "face_value": 5}, {"id": "off10", "face_value": 10}],
        "eligibility": [{"offers": ["off10"], "where": {"tier": "gold"}}],
        "budget": {"amount": 900},
        "holdout": 0.1,
        "holdout_strata": ["tier"],
        "explore": "20%",
        "seed": 3,
    }
    return Policy.model_validate({**written, **changes})


def people(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"user_id": [f"u{i}" for i in range(USERS)]})
    frame["tier"] = np.where(rng.random(USERS) < 0.4, "gold", "plain")
    frame["visits"] = rng.poisson(4, USERS) + 1
    for offer, effect in zip(OFFERS, (0.05, 0.1), strict=True):
        frame[f"conversion__{offer}"] = effect * rng.uniform(0, 2, USERS)
        frame[f"spend__{offer}"] = 80 * frame[f"conversion__{offer}"]
        frame[f"cost__{offer}"] = rng.uniform(0.5, 1.5, USERS)
    return frame


def campaign(folder: Path, name: str, **changes: object) -> Path:
    """Plan a campaign, write what its users were and what they did, and return the run."""
    frame = people()
    asked = policy(**changes)
    plan = ie.allocate(ie.ScoreTable.from_frame(frame, asked), asked)
    run = plan.save(folder / name)
    frame[["user_id", "tier", "visits"]].to_parquet(folder / "users.parquet", index=False)
    outcomes(run).to_csv(folder / "outcomes.csv", index=False)
    return run


def outcomes(run: Path) -> pd.DataFrame:
    rows = pd.read_parquet(run / "allocation.parquet")
    bought = np.random.default_rng(1).random(len(rows)) < 0.2 + rows["conversion"]
    did = pd.DataFrame({"user_id": rows["user_id"], "conversion": bought.astype(int)})
    return did.assign(
        spend=80.0 * bought, cost=np.where(rows["offer_id"].notna(), 2.0 * bought, 0)
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a finished run, its users and its outcomes."""
    folder = tmp_path_factory.mktemp("finished")
    campaign(folder, "spring")
    return folder


def taught(finished: Path, into: Path) -> pd.DataFrame:
    learn(
        finished / "spring",
        finished / "outcomes.csv",
        into=into,
        users=finished / "users.parquet",
    )
    return pd.read_parquet(into / "spring.parquet")


def test_the_holdout_and_explorers_are_the_trial_and_planned_users_are_apart(
    finished: Path, tmp_path: Path
) -> None:
    rows = taught(finished, tmp_path)
    plan = pd.read_parquet(finished / "spring" / "allocation.parquet")
    by_lot = plan[(plan["reason"] == "holdout") | (plan["propensity"] < 1)]
    assert rows["user_id"].tolist() == by_lot["user_id"].tolist()
    assert rows["offer"].tolist() == by_lot["offer_id"].fillna("control").tolist()
    apart = pd.read_parquet(tmp_path / "_planned" / "spring.parquet")
    assert len(apart) + len(rows) == USERS
    assert set(rows.columns) >= {"tier", "visits", "decided_at", "campaign", "spend", "cost"}
    assert len(open_source(tmp_path).table()) == len(rows)


def test_propensities_of_all_arms_add_up_to_one_for_each_kind_of_user(
    finished: Path, tmp_path: Path
) -> None:
    rows = taught(finished, tmp_path)
    for arms, some in rows.groupby("arms"):
        likely = some.groupby("offer")["propensity"].agg(["min", "max", "size"])
        assert (likely["min"] == likely["max"]).all()
        assert {*likely.index} == {"control", *str(arms).split()}
        assert likely["max"].sum() == pytest.approx(1, abs=1e-9)
        # within four standard errors of the arm sizes
        off = likely["size"] - len(some) * likely["max"]
        assert (off.abs() < 4 * np.sqrt(len(some) * likely["max"])).all()


def test_a_campaign_is_learned_once(finished: Path, tmp_path: Path) -> None:
    before = taught(finished, tmp_path)
    with pytest.raises(DataError, match="learned already"):
        taught(finished, tmp_path)
    assert len(open_source(tmp_path).table()) == len(before)
    assert len(json.loads((tmp_path / "_campaigns.json").read_text())) == 1


def test_a_row_per_order_is_a_row_per_user_with_spend_added(
    finished: Path, tmp_path: Path
) -> None:
    once = taught(finished, tmp_path / "once")
    did = pd.read_csv(finished / "outcomes.csv")
    bought = did[did["conversion"] == 1].assign(spend=40.0, cost=1.0).drop(columns="conversion")
    orders = tmp_path / "orders.csv"
    pd.concat([bought, bought]).to_csv(orders, index=False)
    learn(finished / "spring", orders, into=tmp_path / "twice", users=finished / "users.parquet")
    twice = pd.read_parquet(tmp_path / "twice" / "spring.parquet")
    assert twice["conversion"].tolist() == once["conversion"].tolist()
    assert twice["spend"].tolist() == once["spend"].tolist()


def test_outcomes_of_before_the_decision_and_of_other_users_are_refused(
    finished: Path, tmp_path: Path
) -> None:
    did = pd.read_csv(finished / "outcomes.csv")
    early, others = tmp_path / "early.csv", tmp_path / "others.csv"
    did.assign(at="2001-01-01T00:00:00Z").to_csv(early, index=False)
    did.assign(user_id="x" + did["user_id"]).to_csv(others, index=False)
    for file, words in ((early, "before the user was decided"), (others, "about a user of the")):
        with pytest.raises(DataError, match=words):
            learn(finished / "spring", file, into=tmp_path / "x", users=finished / "users.parquet")


def test_a_run_without_explorers_is_refused(tmp_path: Path) -> None:
    run = campaign(tmp_path, "plain", explore=None)
    with pytest.raises(DataError, match="nobody explored"):
        learn(
            run, tmp_path / "outcomes.csv", into=tmp_path / "t", users=tmp_path / "users.parquet"
        )


def test_propensities_that_do_not_add_up_are_refused(finished: Path, tmp_path: Path) -> None:
    forged = tmp_path / "spring"
    shutil.copytree(finished / "spring", forged)
    rows = pd.read_parquet(forged / "allocation.parquet")
    rows.loc[rows["propensity"] == 0.5, "propensity"] = 0.45
    rows.to_parquet(forged / "allocation.parquet", index=False)
    with pytest.raises(DataError, match="do not add up"):
        learn(
            forged, finished / "outcomes.csv", into=tmp_path / "t",
            users=finished / "users.parquet",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("column", "change", "words"),
    [
        ("visits", lambda x: x * 100, "another unit"),
        ("visits", str, "held number, and holds text"),
        ("tier", lambda x: x.upper() + "!", "known for 0%"),
    ],
)
def test_features_that_changed_their_meaning_are_named_and_can_be_answered_for(
    column: str, change: Callable[[object], object], words: str, finished: Path, tmp_path: Path
) -> None:
    taught(finished, tmp_path / "t")
    run = campaign(tmp_path, "autumn", seed=4)
    users = pd.read_parquet(tmp_path / "users.parquet")
    users[column] = users[column].map(change)
    users.to_parquet(tmp_path / "users.parquet", index=False)
    into, theirs, did = tmp_path / "t", tmp_path / "users.parquet", tmp_path / "outcomes.csv"
    with pytest.raises(DataError, match=f"`{column}` changed its meaning.*{words}"):
        learn(run, did, into=into, users=theirs)
    assert not (into / "autumn.parquet").exists()
    with pytest.raises(ConfigError, match="no feature `nothing`"):
        learn(run, did, into=into, users=theirs, accepted=["nothing"])
    learn(run, did, into=into, users=theirs, accepted=[column])
    assert (into / "autumn.parquet").exists()


def test_changed_users_are_refused_unless_they_are_brought_as_they_were(
    finished: Path, tmp_path: Path
) -> None:
    """The run was planned from scores alone: its attributes are all that it knows."""
    learn(finished / "spring", finished / "outcomes.csv", into=tmp_path)
    assert "visits" not in pd.read_parquet(tmp_path / "spring.parquet")
    fewer = tmp_path / "fewer.parquet"
    pd.read_parquet(finished / "users.parquet").iloc[:-2].to_parquet(fewer)
    with pytest.raises(DataError, match="lacks 2 users"):
        learn(finished / "spring", finished / "outcomes.csv", into=tmp_path / "x", users=fewer)


def test_a_person_may_stand_in_each_campaign_and_shares_a_fold(
    finished: Path, tmp_path: Path
) -> None:
    into = tmp_path / "t"
    taught(finished, into)
    run = campaign(tmp_path / "more", "autumn", seed=4)
    learn(run, tmp_path / "more" / "outcomes.csv", into=into,
          users=tmp_path / "more" / "users.parquet")  # fmt: skip
    trial = read_trial(open_source(into), policy(), None)
    assert trial.campaigns is not None
    assert trial.campaigns.names == ("spring", "autumn")
    assert trial.user_id.is_unique
    assert trial.person.duplicated().any()
    lottery = even_lottery(trial, policy().eligibility)
    plain = trial.features["tier"] == "plain"
    assert not lottery.reach[plain.to_numpy(), 1].any()
    assert (lottery.weight > 0).all()
    model = ie.fit(trial, policy(), seed=1)
    assert np.isfinite(model.score(people(), policy()).measures["conversion"]).all()


def served(run: Path, *, digest: str | None = None) -> ServedLedger:
    """Return a ledger in which every other user came, and the first explorer found no pool."""
    rows = pq.read_table(run / "allocation.parquet").to_pylist()[::2]
    decisions = [
        ServedDecision(
            user_id=row["user_id"],
            offer_id=row["offer_id"],
            reason=row["reason"],
            state="none" if row["offer_id"] is None else "reserved",
            amount=None,
            decided_at=1_800_000_000_000_000,
            propensity=row["propensity"],
        )
        for row in rows
    ]
    first = next(
        i for i, one in enumerate(decisions) if one.offer_id and 0.2 < one.propensity < 0.9
    )
    decisions[first] = decisions[first]._replace(offer_id=None, reason="pool_empty", state="none")
    paid = next(i for i, one in enumerate(decisions) if one.offer_id and one.propensity < 1)
    decisions[paid] = decisions[paid]._replace(state="redeemed", amount=4_500_000)
    again = decisions[paid]._replace(offer_id=None, reason="no_gain", state="none", amount=None)
    run_digest = read_run(run).digest if digest is None else digest
    return ServedLedger(where="spring.ledger", run=run_digest, decisions=[*decisions, again])


def test_of_a_ledger_those_who_came_by_lot_are_learned_with_what_they_redeemed(
    finished: Path, tmp_path: Path
) -> None:
    did = pd.read_csv(finished / "outcomes.csv").drop(columns="cost")
    did.to_csv(tmp_path / "did.csv", index=False)
    ledger = served(finished / "spring")
    lesson = lesson_of(finished / "spring", tmp_path / "did.csv", served=ledger)
    plan = pd.read_parquet(finished / "spring" / "allocation.parquet").iloc[::2]
    by_lot = plan[plan["propensity"] < 1]
    assert len(lesson.trial) == len(by_lot) - 1
    assert len(lesson.planned) == len(plan) - len(lesson.trial)
    assert lesson.trial["cost"].sum() == 4.5
    assert {*lesson.trial["decided_at"].dt.year} == {2027}


def test_a_ledger_of_another_run_is_refused(finished: Path) -> None:
    ledger = served(finished / "spring", digest="0" * 64)
    with pytest.raises(DataError, match="the ledger of another run"):
        lesson_of(finished / "spring", finished / "outcomes.csv", served=ledger)


def test_older_campaigns_weigh_less_only_where_effects_have_moved() -> None:
    rng = np.random.default_rng(0)

    def trial_of(levels: tuple[float, ...]) -> ie.Trial:
        n = 6_000 * len(levels)
        place = np.repeat(np.arange(len(levels)), 6_000)
        treated = rng.random(n) < 0.5
        bought = rng.random(n) < 0.1 + treated * np.array(levels)[place]
        frame = pd.DataFrame({"user_id": np.arange(n), "x": rng.normal(size=n)})
        frame["offer"] = np.where(treated, "off5", "control")
        frame["conversion"], frame["propensity"] = bought.astype(int), 0.5
        frame["spend"] = frame["cost"] = 0.0
        frame["campaign"] = [f"c{p}" for p in place]
        one = policy(offers=[{"id": "off5", "face_value": 5}], eligibility=[], holdout_strata=[])
        return ie.Trial.from_frame(frame, one)

    still, moving = trial_of((0.05, 0.05, 0.05)), trial_of((0.20, 0.10, 0.02))
    for trial, least, most in ((still, 0.5, 1.0), (moving, 0.0, 0.3)):
        reach = np.ones((trial.n_rows, 1), dtype=np.bool_)
        weights = campaign_weights(trial, reach)
        assert least <= weights[0] <= most
        assert weights[-1] == 1.0
    reach = np.ones((moving.n_rows, 1), dtype=np.bool_)
    now = campaign_averages(moving, reach, moving.conversion).now(0)
    assert now is not None
    assert now.low < 0.02 < now.high < 0.10
