"""`incentive features`, and the other commands over a policy with history."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.examples import MOMENT, random_log
from features.logs import LOG, NOON, write_policy, write_tables
from incentive_engine.config.document.loading import load_policy
from incentive_engine.data.step_cache import StepCache
from incentive_engine.errors import ConfigError, DataError
from incentive_engine.pipeline.campaign_tables import campaign_files, trial_of
from incentive_engine.pipeline.steps import Steps
from incentive_engine.uplift.diagnosis.diagnose import diagnose
from incentive_engine.workflow.features import make_features

US = pd.Timedelta(1, unit="us")
COUNTS = [{"count": ["order", "visit"], "within": ["7d"]}, {"recency": ["any"]}]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INCENTIVE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(9)
    log = random_log(rng, users=60, events=3000)
    users = pd.DataFrame(
        {"user_id": [f"u{i}" for i in range(60)], "age": rng.integers(18, 80, 60)}
    )
    write_tables(tmp_path, log, users)
    return tmp_path


def _made(policy: Path, table: Any = "users", suffix: str = "parquet") -> pd.DataFrame:
    out = policy.with_name(f"{table}-features.{suffix}")
    make_features(policy, table=table, out=out)
    return pd.read_csv(out) if suffix == "csv" else pd.read_parquet(out)


def test_the_file_has_user_moment_and_features_in_the_order_of_the_users(folder: Path) -> None:
    table = _made(write_policy(folder, features=COUNTS))
    expected = ["user_id", "moment", "count_order_7d", "count_visit_7d", "recency_any"]
    assert list(table) == expected
    assert table["user_id"].tolist() == [f"u{i}" for i in range(60)]
    assert set(table["moment"]) == {MOMENT}
    log = pd.read_parquet(folder / "events.parquet")
    seen = log[(log["time"] < MOMENT) & (log["time"] >= MOMENT - pd.Timedelta(days=7))]
    counts = seen[seen["kind"] == "order"].groupby("user_id").size()
    expected_counts = table["user_id"].map(counts).fillna(0).astype(int)
    assert table["count_order_7d"].tolist() == expected_counts.tolist()


def test_ids_beyond_signed_numbers_are_told_apart(folder: Path) -> None:
    def numbered(name: str) -> None:
        frame = pd.read_parquet(folder / name)
        number = frame["user_id"].str[1:].astype("uint64") + np.uint64(2**64 - 60)
        frame.assign(user_id=number).to_parquet(folder / name)

    policy = write_policy(folder, features=COUNTS)
    as_text = _made(policy)
    (folder / "users-features.parquet").unlink()
    numbered("events.parquet")
    numbered("users.parquet")
    as_numbers = _made(policy)
    assert as_text["count_order_7d"].sum() > 0
    pd.testing.assert_frame_equal(as_text[as_text.columns[1:]], as_numbers[as_text.columns[1:]])
    assert int(as_numbers["user_id"].astype("uint64").max()) == 2**64 - 1


def test_ids_that_are_no_whole_numbers_are_text(folder: Path) -> None:
    policy = write_policy(folder, features=COUNTS)
    counted = _made(policy)["count_order_7d"].tolist()
    (folder / "users-features.parquet").unlink()
    log, users = (pd.read_parquet(folder / f"{name}.parquet") for name in ("events", "users"))
    log["user_id"] = log["user_id"].str[1:].astype(float).replace(0, np.inf)
    log.to_parquet(folder / "events.parquet")
    users.assign(user_id=users["user_id"].str[1:]).to_parquet(folder / "users.parquet")
    assert _made(policy)["count_order_7d"].tolist() == [0, *counted[1:]]


def test_each_row_of_the_trial_has_its_own_moment(folder: Path) -> None:
    table = _made(write_policy(folder, features=COUNTS), "trial", "csv")
    trial = pd.read_parquet(folder / "trial.parquet")
    assert (pd.to_datetime(table["moment"]) == trial["assigned_at"]).all()


def test_a_pipeline_joins_the_features_and_drops_the_moment(folder: Path) -> None:
    policy = load_policy(write_policy(folder, features=COUNTS))
    campaign = campaign_files(policy, cache=StepCache(), steps=Steps())
    users, trial = (pd.read_parquet(_path(table)) for table in (campaign.users, campaign.trial))
    assert list(users) == ["user_id", "age", "count_order_7d", "count_visit_7d", "recency_any"]
    assert "assigned_at" not in trial
    assert "count_order_7d" in trial


def _path(table: Any) -> Path:
    return Path(getattr(table, "where", table))


def test_events_after_every_moment_remake_neither_features_nor_model(folder: Path) -> None:
    policy = load_policy(write_policy(folder, features=COUNTS))
    before = campaign_files(policy, cache=StepCache(), steps=Steps()).digests
    log = pd.read_parquet(folder / "events.parquet")
    more = log.assign(time=MOMENT + pd.Timedelta(days=1))
    pd.concat([log, more]).to_parquet(folder / "events.parquet")
    after = campaign_files(policy, cache=StepCache(), steps=Steps()).digests
    assert before == after


@pytest.mark.parametrize(
    ("history", "told"),
    [
        (
            {"features": [{"count": ["ordr"], "within": ["7d"]}]},
            "no event is of the kind `ordr`; did you mean `order`",
        ),
        (
            {"features": [{"count": ["order"], "within": ["900d"]}]},
            "900d is longer than the log at the earliest moment",
        ),
        (
            {"features": [{"count": ["order"], "within": ["0d"]}]},
            "no event is within 0d, expected a window longer than 0",
        ),
        ({"features": [{"count": ["order"], "within": ["7"]}]}, "'7' is no length of time"),
        ({"features": [{"count": ["order"]}]}, "is missing beside `count`"),
        ({"features": [{"kount": ["order"]}]}, "did you mean `count`"),
        (
            {"moments": {"users": "2026-11-10 25:00", "trial": "assigned_at"}},
            "'2026-11-10 25:00' is not a time",
        ),
        ({"moments": {"users": "when", "trial": "assigned_at"}}, "column `when`, which"),
        (
            {"moments": {"users": "2020-01-01 00:00", "trial": "2019-01-01 00:00"}},
            "holds nothing before any moment of users and trial",
        ),
        ({"timezone": "Asia/Shangai"}, "did you mean `Asia/Shanghai`"),
        (
            {"events": [{"source": "events.parquet", **LOG}] * 2},
            "the same log stands here twice",
        ),
        ({"events": [{"source": "nowhere.parquet", **LOG}]}, "no file `nowhere.parquet`"),
        (
            {
                "events": [{"source": "events.parquet", "time": "time", "kind": "kind"}],
                "features": [{"sum": "amount", "of": ["order"], "within": ["7d"]}],
            },
            "no log has an `amount`",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(
    folder: Path, history: dict[str, Any], told: str
) -> None:
    with pytest.raises((ConfigError, DataError)) as error:
        _made(write_policy(folder, **{"features": COUNTS, **history}))
    assert told in str(error.value)


def test_a_table_needs_a_moment_only_where_its_features_are_made(folder: Path) -> None:
    policy = write_policy(folder, features=COUNTS, moments={"users": NOON})
    assert len(_made(policy)) == 60
    with pytest.raises(ConfigError, match="names no moment of the trial"):
        _made(policy, "trial")
    with pytest.raises(ConfigError, match="names no moment of the trial"):
        campaign_files(load_policy(policy), cache=StepCache(), steps=Steps())


def test_a_feature_named_like_a_column_is_refused(folder: Path) -> None:
    users = pd.read_parquet(folder / "users.parquet")
    users.assign(recency_any=1).to_parquet(folder / "users.parquet")
    policy = load_policy(write_policy(folder, features=COUNTS))
    with pytest.raises(DataError, match="columns that history features are called: recency_any"):
        campaign_files(policy, cache=StepCache(), steps=Steps())


def test_a_log_that_ends_before_the_moment_is_told(folder: Path) -> None:
    log = pd.read_parquet(folder / "events.parquet")
    log[log["time"] < MOMENT - pd.Timedelta(days=40)].to_parquet(folder / "events.parquet")
    policy = write_policy(folder, features=COUNTS)
    told = [*map(str, make_features(policy, table="users", out=folder / "out.parquet"))]
    (warning,) = [line for line in told if line.startswith("warning")]
    assert re.search(r"events\.parquet: ends 40\.\d days before the moment", warning)


def test_a_policy_without_history_says_so(folder: Path) -> None:
    path = write_policy(folder)
    written = json.loads(path.read_text())
    del written["history"]
    path.write_text(json.dumps(written))
    with pytest.raises(ConfigError, match="history: is missing"):
        make_features(path, table="users", out=folder / "out.parquet")


def test_the_drift_of_a_campaign_tells_a_log_that_ends_before_the_moment(folder: Path) -> None:
    log = pd.read_parquet(folder / "events.parquet")
    log[log["time"] < MOMENT - pd.Timedelta(days=40)].to_parquet(folder / "events.parquet")
    policy = load_policy(write_policy(folder, features=COUNTS))
    campaign = campaign_files(policy, cache=StepCache(), steps=Steps())
    (stale,) = campaign.stale
    assert "ends 40." in stale.text("en")
    assert "天就结束了" in stale.text("zh")


def test_the_own_coupons_of_a_trial_are_refused_unless_they_are_left_out(folder: Path) -> None:
    rng = np.random.default_rng(4)
    users = pd.DataFrame({"user_id": [f"u{i}" for i in range(900)]})
    log = random_log(rng, users=900, events=20_000).assign(source="before")
    write_tables(folder, log, users)
    trial = pd.read_parquet(folder / "trial.parquet")
    got = trial[trial["offer"] != "control"]
    own = pd.DataFrame(
        {
            "user_id": got["user_id"],
            "time": got["assigned_at"] - pd.Timedelta(seconds=30),
            "kind": "issue",
            "source": "spring",
        }
    )
    pd.concat([log.drop(columns="known"), own]).to_parquet(folder / "events.parquet")
    events = [{"source": "events.parquet", **LOG, "campaign": "source"}]
    features = [{"count": ["issue", "order"], "within": ["7d"]}]
    for left_out, refused in (([], True), (["spring"], False)):
        path = write_policy(folder, events=events, features=features, own_campaigns=left_out)
        policy = load_policy(path)
        campaign = campaign_files(policy, cache=StepCache(), steps=Steps())
        findings = diagnose(trial_of(campaign, policy), policy).findings
        told = [f for f in findings if f.verdict == "refusal" and "count_issue_7d" in str(f.what)]
        assert bool(told) == refused
