"""A plan whose scores tasks read and whose rows tasks write is the plan of one machine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incentive_engine.data.sources import open_source
from incentive_engine.errors import ConfigError, DataError, IncentiveError, InfeasibleError
from incentive_engine.fleet import Processes, SharedWork
from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.run.directory import AllocationTable, write_part
from incentive_engine.verify.verification import verify_run
from incentive_engine.workflow.allocate import allocate
from incentive_engine.workflow.in_parts import rows as in_parts_rows
from incentive_engine.workflow.in_parts.allocate import allocate_in_parts
from incentive_engine.workflow.results.reproduce import reproduce

Incentive = Callable[..., subprocess.CompletedProcess[str]]
POLICY = """
version: 1
name: parts
offers:
  - {id: b, face_value: 10}
  - {id: a, face_value: 20}
  - {id: vip, face_value: 50}
objective:
  maximise: {conversion: 1, spend: 0.02}
  weight:
    - {column: tier, values: {gold: 3}}
    - {column: past, power: 0.25}
eligibility:
  - {offers: [vip], where: {tier: gold}}
limits:
  - {name: region cap, sum: cost, for_each: region, at_most: 36%}
  - {name: floor, sum: cost, where: {tier: gold}, at_least: 20%}
  - {name: roi, ratio: [spend, cost], at_least: 1.1}
budget: {amount: 600}
holdout: 0.05
holdout_strata: [tier, level]
explore: 3%
seed: 11
"""
USERS = 900


def draw_scores() -> pd.DataFrame:
    """Return users with attributes of several kinds, some of them and of the scores missing."""
    rng = np.random.default_rng(3)
    base = rng.gamma(2.0, 0.03, USERS)
    columns: dict[str, object] = {
        "user_id": np.arange(USERS)[::-1] * 7,
        "tier": rng.choice(np.array(["gold", "silver", None]), USERS, p=[0.1, 0.8, 0.1]),
        "region": rng.choice(["north", "south", "east"], USERS),
        "past": np.where(rng.random(USERS) < 0.1, np.nan, rng.gamma(2, 50, USERS)),
        # missing in the first shard alone: whole numbers elsewhere
        "level": pd.array([None, *rng.integers(0, 2, USERS - 1)], dtype="Int64"),
    }
    for offer, face in (("b", 10), ("a", 20), ("vip", 50)):
        effect = base * (1 - np.exp(-face / 20)) * rng.lognormal(0, 0.5, USERS)
        columns[f"conversion__{offer}"] = np.where(rng.random(USERS) < 0.05, np.nan, effect)
        columns[f"cost__{offer}"] = face * (0.05 + base)
        columns[f"spend__{offer}"] = base * face * 8 * rng.lognormal(0, 0.3, USERS)
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a policy, its scores, and the run of one machine."""
    place = tmp_path_factory.mktemp("parts")
    (place / "policy.yaml").write_text(POLICY, encoding="utf-8")
    draw_scores().to_parquet(place / "scores.parquet", row_group_size=170)
    allocate(
        place / "policy.yaml", options=BudgetOptions(), scores=place / "scores.parquet",
        out=place / "alone", brief=True,
    )  # fmt: skip
    return place


def in_parts(
    folder: Path, out: Path, *, shards: int = 3, policy: str = "policy.yaml", **options: object
) -> Path:
    """Write the run in parts, and return where it is."""
    allocate_in_parts(
        folder / policy,
        options=BudgetOptions(**options),  # type: ignore[arg-type]
        scores=folder / "scores.parquet",
        shared=SharedWork(fleet=Processes(workers=1), folder=out.parent / "shared", shards=shards),
        out=out,
    )
    return out


@pytest.mark.parametrize("shards", [1, 7, 64])
def test_a_run_in_parts_says_of_each_user_what_the_run_of_one_machine_says(
    folder: Path, shards: int, tmp_path: Path
) -> None:
    run = in_parts(folder, tmp_path / "run", shards=shards)
    alone = folder / "alone"
    assert len(list((run / "allocation.parquet").iterdir())) == shards
    ours, theirs = (pq.read_table(place / "allocation.parquet") for place in (run, alone))
    assert ours.schema.equals(theirs.schema)
    assert ours.to_pandas().equals(theirs.to_pandas())
    for file in ("frozen_policy.json", "prices.json", "policy.yaml"):
        assert (run / file).read_bytes() == (alone / file).read_bytes(), file
    proven, expected = (
        json.loads((place / "certificate.json").read_text(encoding="utf-8"))
        for place in (run, alone)
    )
    # sums of floats, and the last money's return, which needs all users in one place
    mine, other = proven.pop("returns"), expected.pop("returns")
    assert (mine["cost"], mine["spend"]) == pytest.approx((other["cost"], other["spend"]))
    assert proven == expected
    assert list((tmp_path / "shared").iterdir()) == []
    for shared in (None, SharedWork(fleet=Processes(workers=1), folder=tmp_path, shards=2)):
        assert [
            str(check) for check in verify_run(run, shared=shared).checks if not check.ok
        ] == []


@pytest.mark.parametrize("shards", [1, 5])
def test_a_budget_at_risk_is_searched_over_shards_as_on_one_machine(
    folder: Path, shards: int, tmp_path: Path
) -> None:
    text = POLICY.replace("amount: 600", "amount: 600, basis: at-risk, confidence: 0.9")
    (folder / "risk.yaml").write_text(text, encoding="utf-8")
    alone = tmp_path / "alone"
    allocate(
        folder / "risk.yaml", options=BudgetOptions(), scores=folder / "scores.parquet",
        out=alone, brief=True,
    )  # fmt: skip
    run = in_parts(folder, tmp_path / "run", shards=shards, policy="risk.yaml")
    ours, theirs = (pq.read_table(place / "allocation.parquet") for place in (run, alone))
    assert ours.to_pandas().equals(theirs.to_pandas())
    stated, expected = (
        json.loads((place / "certificate.json").read_text(encoding="utf-8"))["budget"]
        for place in (run, alone)
    )
    assert stated == expected
    assert 599 < stated["at_risk"]["quantile"] <= 600
    assert verify_run(run).ok


def test_an_export_of_parts_is_the_one_of_a_single_file(
    folder: Path, incentive: Incentive, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ("--parts", "--shards", "1", "--out", str(run))
    done = incentive(
        "allocate",
        str(folder / "policy.yaml"),
        "--scores",
        str(folder / "scores.parquet"),
        *options,
    )
    assert done.returncode == 0, done.stderr
    assert "users get an offer" in done.stdout
    assert "region cap" in (run / "report.html").read_text(encoding="utf-8")
    for place, name in ((run, "ours.csv"), (folder / "alone", "theirs.csv")):
        assert incentive("export", str(place), "--to", str(tmp_path / name)).returncode == 0
    assert (tmp_path / "ours.csv").read_bytes() == (tmp_path / "theirs.csv").read_bytes()


def test_a_run_in_parts_comes_out_again_byte_for_byte(folder: Path, tmp_path: Path) -> None:
    run = in_parts(folder, tmp_path / "run", shards=2)
    assert reproduce(run).ok
    part = run / "allocation.parquet" / "part-00001.parquet"
    _altered(part)
    assert [text.key for text in reproduce(run).differences] == ["reproduce.altered"]


@pytest.mark.parametrize("basis", ["expected", "at-risk"])
def test_scores_that_are_learned_first_give_the_run_of_one_machine(
    basis: str, incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    said = {}
    for name, options in (("alone", ("--no-report",)), ("parts", ("--parts", "--shards", "3"))):
        done = incentive("allocate", policy, "--basis", basis, "--out", name, *options)
        assert done.returncode == 0, done.stderr
        # what the last money returns needs all users in one place
        said[name] = re.sub(", [0-9.]+ for the last 2%", "", done.stdout.replace(name, "run"))
        checked = incentive("verify", name)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    assert said["parts"] == said["alone"]
    alone, parts = (tmp_path / name for name in ("alone", "parts"))
    ours, theirs = (pq.read_table(run / "allocation.parquet") for run in (parts, alone))
    same = [name for name in theirs.column_names if name != "smallest_budget"]
    assert ours.select(same).to_pandas().equals(theirs.select(same).to_pandas())
    ours, theirs = (pq.read_table(run / "scores.parquet") for run in (parts, alone))
    assert ours.to_pandas().equals(theirs.to_pandas())
    for file in ("evaluation.json", "frozen_policy.json", "prices.json"):
        assert (parts / file).read_bytes() == (alone / file).read_bytes(), file
    proven, expected = (
        json.loads((run / "certificate.json").read_text(encoding="utf-8"))
        for run in (parts, alone)
    )
    assert proven["budget"] == expected["budget"]
    assert proven["limits"] == expected["limits"]
    page = (parts / "report.html").read_text(encoding="utf-8")
    assert "by the trial" in page


def test_doubts_of_a_trial_are_answered_for_in_parts_too(
    incentive: Incentive, policy: Path
) -> None:
    done = incentive("allocate", policy, "--parts", "--accept", "nonsense", "--out", "run")
    assert done.returncode != 0
    assert "nonsense" in done.stderr


def _altered(part: Path) -> None:
    table = pq.read_table(part)
    cost = pa.array([0] * len(table), pa.int64())
    pq.write_table(
        table.set_column(table.column_names.index("cost_micros"), "cost_micros", cost), part
    )


def _added(part: Path) -> None:
    shutil.copyfile(part, part.with_name("part-00009.parquet"))


def _linked(part: Path) -> None:
    moved = part.parent.parent.parent / "elsewhere"
    shutil.move(part.parent, moved)
    part.parent.symlink_to(moved)


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (_altered, "allocation.parquet/part-00001.parquet"),
        (Path.unlink, "allocation.parquet/part-00001.parquet is missing"),
        (_added, "allocation.parquet/part-00009.parquet is not listed"),
        (_linked, "is a link"),
    ],
    ids=["altered", "missing", "added", "linked"],
)
def test_a_part_that_is_not_as_it_was_written_is_refused(
    folder: Path, lie: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    run = in_parts(folder, tmp_path / "run")
    lie(run / "allocation.parquet" / "part-00001.parquet")
    found = next(check for check in verify_run(run).checks if check.name == "files")
    assert words in found.detail


def test_tasks_that_were_killed_or_ran_twice_leave_nothing_in_the_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed_at_first(place: Path, number: int, rows: AllocationTable) -> None:
        (place / f".part-{number}").touch()  # what a killed task had begun
        for _ in range(2):
            write_part(place, number, rows)

    monkeypatch.setattr(in_parts_rows, "write_part", killed_at_first)
    run = in_parts(folder, tmp_path / "run")
    names = sorted(path.name for path in (run / "allocation.parquet").iterdir())
    assert names == [f"part-{number:05d}.parquet" for number in range(3)]
    assert verify_run(run).ok


def test_scores_are_found_from_any_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    source = open_source(Path("scores.parquet")).from_anywhere()
    monkeypatch.chdir(tmp_path)
    assert source.part(["user_id"], slice(300, 302)).column(0).to_pylist() == [4193, 4186]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("budget: {amount: 1}", "budget"),
    ],
)
def test_what_cannot_be_planned_in_parts_is_said_before_or_as_on_one_machine(
    folder: Path, change: str, words: str, tmp_path: Path
) -> None:
    text = POLICY.replace("budget: {amount: 600}", change)
    (folder / "other.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(IncentiveError, match=words) as said:
        in_parts(folder, tmp_path / "run", policy="other.yaml")
    assert not (tmp_path / "run").exists()
    if isinstance(said.value, InfeasibleError):
        with pytest.raises(InfeasibleError) as alone:
            allocate(
                folder / "other.yaml", options=BudgetOptions(), brief=True,
                scores=folder / "scores.parquet", out=tmp_path / "alone",
            )  # fmt: skip
        assert str(said.value) in str(alone.value)


def test_options_that_need_all_users_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--min-marginal-roi: needs all users in one place"):
        in_parts(folder, tmp_path / "run", min_marginal_roi=1.0)


@pytest.mark.parametrize(
    "words", [["allocate"], ["allocate", "--parts"], ["whatif", "--budgets", "100"]]
)
def test_an_answer_for_a_trial_is_refused_where_none_is_learned_from(
    incentive: Incentive, folder: Path, words: list[str]
) -> None:
    own = [folder / "policy.yaml", "--scores", folder / "scores.parquet"]
    done = incentive(*words, *own, "--accept", "drift")
    assert done.returncode == 2
    assert "--accept: answers for a trial" in done.stderr


def test_scores_that_are_wrong_are_named_by_their_rows(folder: Path, tmp_path: Path) -> None:
    scores = draw_scores()
    scores.loc[700, "cost__a"] = -1.0
    scores.to_parquet(tmp_path / "scores.parquet")
    shutil.copyfile(folder / "policy.yaml", tmp_path / "policy.yaml")
    with pytest.raises(DataError, match=r"after row 600: `cost__a` is negative.*\b101\b"):
        in_parts(tmp_path, tmp_path / "run")


def test_an_offer_for_everyone_names_who_can_have_none(tmp_path: Path) -> None:
    scores = draw_scores().assign(conversion__b=0.1)
    scores.loc[800, ["conversion__a", "conversion__b", "conversion__vip"]] = np.nan
    scores.to_parquet(tmp_path / "scores.parquet")
    text = POLICY.replace("explore: 3%", "assignment: exactly_one").replace("0.05", "0.0")
    (tmp_path / "policy.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InfeasibleError, match=r"1 users have no eligible offer .*\b801\b"):
        in_parts(tmp_path, tmp_path / "run")
