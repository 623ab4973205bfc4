"""Lies about what a run was made from, and files, columns and sections that are left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from incentive_engine.run.format import allocation_columns
from incentive_engine.verify.verification import verify_run

from .corruption import Cases, Corruption, assert_refused
from .runs import HandMadeRun, evaluation_by_hand, given, reseal, seal

case = Cases()


def detail_of(directory: Path, name: str) -> str:
    return {check.name: check.detail for check in verify_run(directory).failures}[name]


@case("files", "certificate.json: returns: is missing")
def leave_the_returns_out(run: HandMadeRun) -> None:
    del run.certificate["returns"]


@case("files", "certificate.json: mandate: is missing")
def leave_the_mandate_out(run: HandMadeRun) -> None:
    del run.certificate["mandate"]


@case("files", "certificate.json: limits.0.slack: is missing")
def leave_a_limits_slack_out(run: HandMadeRun) -> None:
    del run.limit("vip floor")["slack"]


@case("evaluation", "it is about 50 users, the plan about 5")
def state_the_gain_of_ten_times_the_users(run: HandMadeRun) -> None:
    run.evaluation = evaluation_by_hand()
    run.evaluation["plan"]["users"] = 50


@case("evaluation", "it says that the plan costs 4.0, the certificate 3.5")
def _another_evaluated_cost(run: HandMadeRun) -> None:
    run.evaluation = evaluation_by_hand()
    told = {"estimate": 3.5, "low": 3.0, "high": 5.0, "correction": 1.0}
    run.certificate["budget"]["evaluated"] = told


@case("evaluation", "conversions: 3.0 is outside 0.1 to 0.5")
def state_a_tenfold_gain(run: HandMadeRun) -> None:
    run.evaluation = evaluation_by_hand()
    run.evaluation["plan"]["conversions"]["estimate"] = 3.0


@case("files", "manifest.json: created", "no time with a zone")
def state_a_time_that_is_none(run: HandMadeRun) -> None:
    run.manifest["created"] = "yesterday"


@case("files", "manifest.json: created", "no time with a zone")
def state_a_time_without_a_zone(run: HandMadeRun) -> None:
    run.manifest["created"] = "2026-11-01T00:00:00"


@case("inputs", "seed is 3, the policy says 2")
def state_another_seed(run: HandMadeRun) -> None:
    run.manifest["seed"] = 3


@case("inputs", "holdout.share is 0.5, the policy says 0.17")
def state_another_holdout(run: HandMadeRun) -> None:
    run.manifest["holdout"] = {"share": 0.5, "users": 1}


@pytest.mark.parametrize(("corrupt", "check", "words"), case.parameters)
def test_it_is_refused(
    corrupt: Corruption, check: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    assert_refused(corrupt, check, words, tmp_path)


@pytest.mark.parametrize("name", allocation_columns())
def test_no_column_of_an_allocation_may_be_left_out(name: str, tmp_path: Path) -> None:
    run = HandMadeRun()
    run.rows = run.rows.drop(columns=name)
    directory = run.write(tmp_path / "run")
    assert f"column {name} is missing" in detail_of(directory, "files")


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("conversion__a", "x", "string"),
        ("spend_12m", "x", "string"),
        ("user_id", [1], "list"),
        ("tier", {"a": 1}, "struct"),
    ],
)
def test_scores_of_another_kind_are_refused_before_they_are_read(
    name: str, value: object, kind: str, tmp_path: Path
) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    scores = pd.read_parquet(directory / "scores.parquet")
    scores[name] = pd.Series([value] * len(scores), index=scores.index)
    scores.to_parquet(directory / "scores.parquet", index=False)
    reseal(directory)
    words = f"scores.parquet: column {name} has the type"
    detail = detail_of(directory, "files")
    assert words in detail
    assert kind in detail


def test_a_right_run_with_an_evaluation_passes(tmp_path: Path) -> None:
    verification = verify_run(HandMadeRun(evaluation=evaluation_by_hand()).write(tmp_path / "run"))
    assert verification.ok, verification.failures


# --- inputs


def halve_the_costs(directory: Path) -> None:
    scores = pd.read_parquet(directory / "scores.parquet")
    scores["cost__b"] /= 2
    scores.to_parquet(directory / "scores.parquet", index=False)


def drop_a_user(directory: Path) -> None:
    for name in ("scores.parquet", "allocation.parquet"):
        pd.read_parquet(directory / name)[:-1].to_parquet(directory / name, index=False)


def change_the_policy(directory: Path) -> None:
    with (directory / "policy.yaml").open("a", encoding="utf-8") as file:
        file.write("# another\n")


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (halve_the_costs, "scores.parquet is not the file that the manifest names"),
        (drop_a_user, "scores.parquet has 5 rows, the scores that the manifest names 6"),
        (change_the_policy, "policy.yaml is not the file that the manifest names"),
    ],
)
def test_a_copy_that_is_not_the_input_named_is_refused_with_its_own_digest(
    forge: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    forge(directory)
    reseal(directory)
    assert words in detail_of(directory, "inputs")


def manifest_of(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    return content


def from_a_file_at_hand(tmp_path: Path, suffix: str) -> Path:
    """Return a run that holds the columns used of a file of scores with more of them."""
    file = tmp_path / f"mine.{suffix}"
    frame = HandMadeRun().scores.assign(more=1)
    frame.to_csv(file, index=False) if suffix == "csv" else frame.to_parquet(file, index=False)
    directory = HandMadeRun().write(tmp_path / "run")
    stated = {**given(file, 6, as_given=False), "path": str(file)}
    manifest = manifest_of(directory)
    manifest["inputs"]["scores"] = stated
    del manifest["outputs"]
    seal(directory, **manifest)
    return directory


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_scores_are_compared_with_the_file_at_hand_column_by_column(
    suffix: str, tmp_path: Path
) -> None:
    directory = from_a_file_at_hand(tmp_path, suffix)
    verification = verify_run(directory)
    assert verification.ok, verification.failures
    assert "unchanged: scores" in verification.to_text()

    halve_the_costs(directory)
    reseal(directory)
    assert "`cost__b` differs" in detail_of(directory, "inputs")


def test_a_file_that_has_changed_since_is_told_and_no_finding(tmp_path: Path) -> None:
    directory = from_a_file_at_hand(tmp_path, "csv")
    (tmp_path / "mine.csv").write_text("user_id\n1\n", encoding="utf-8")
    verification = verify_run(directory)
    assert verification.ok, verification.failures
    assert "changed since: scores" in verification.to_text()


@pytest.mark.parametrize("name", ["policy", "scores"])
def test_an_input_that_is_not_named_is_a_finding(name: str, tmp_path: Path) -> None:
    directory = HandMadeRun(evaluation=evaluation_by_hand()).write(tmp_path / "run")
    manifest = manifest_of(directory)
    manifest["policy_file"] = "by hand.yaml"
    del manifest["inputs"][name], manifest["outputs"]
    seal(directory, **manifest)
    assert name in detail_of(directory, "inputs")


# --- files


def test_an_evaluation_that_the_manifest_does_not_list_is_refused(tmp_path: Path) -> None:
    directory = HandMadeRun(evaluation=evaluation_by_hand()).write(tmp_path / "run")
    manifest = manifest_of(directory)
    del manifest["outputs"]["evaluation.json"]
    (directory / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert "evaluation.json is not listed in manifest.json" in detail_of(directory, "files")


def test_a_gain_without_a_trial_is_refused(tmp_path: Path) -> None:
    directory = HandMadeRun(evaluation=evaluation_by_hand()).write(tmp_path / "run")
    manifest = manifest_of(directory)
    del manifest["inputs"]["trial"], manifest["outputs"]
    seal(directory, **manifest)
    assert "no trial that it could come from" in detail_of(directory, "evaluation")


def test_a_file_that_nobody_listed_is_a_finding_but_records_and_hidden_ones_are_none(
    tmp_path: Path,
) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    for name in ("approvals.json", "exports.json", ".approvals.json.partial"):
        (directory / name).write_text("{}", encoding="utf-8")
    assert verify_run(directory).ok
    (directory / "report (2).html").write_text("better", encoding="utf-8")
    assert "report (2).html is not listed" in detail_of(directory, "files")


def test_a_link_to_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    (directory / "scores.parquet").rename(tmp_path / "scores.parquet")
    (directory / "scores.parquet").symlink_to(tmp_path / "scores.parquet")
    assert "scores.parquet is a link" in detail_of(directory, "files")


@pytest.mark.parametrize("name", ["../scores.parquet", "/etc/passwd", "a/b", ""])
def test_a_manifest_vouches_for_files_of_its_own_directory_only(name: str, tmp_path: Path) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    manifest = manifest_of(directory)
    manifest["outputs"][name] = manifest["outputs"]["scores.parquet"]
    (directory / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert "manifest.json: outputs" in detail_of(directory, "files")
