from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from incentive_engine.verify.result import Verification
from incentive_engine.verify.verification import verify_run

from .runs import HandMadeRun, limit, reseal


def check(verification: Verification, name: str) -> str:
    return next(check.detail for check in verification.checks if check.name == name)


def both_policies(run: HandMadeRun, **changes: Any) -> None:
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy.update(changes)


def test_a_right_run_passes_every_check(tmp_path: Path) -> None:
    verification = verify_run(HandMadeRun().write(tmp_path / "run"))
    assert verification.ok, verification.to_text()
    assert verification.failures == ()
    assert len({check.name for check in verification.checks}) == len(verification.checks) > 20
    assert "all checks passed" in verification.to_text()
    assert json.loads(verification.to_json())["ok"] is True


def test_text_ids_pass(tmp_path: Path) -> None:
    run = HandMadeRun()
    names = [f"0{user}" for user in run.rows["user_id"]]
    run.rows["user_id"] = run.scores["user_id"] = names
    both_policies(run, seed=2)  # draws the last of these ids, too
    assert verify_run(run.write(tmp_path / "run")).ok


def test_recorded_overrides_are_applied_to_the_policy_file(tmp_path: Path) -> None:
    run = HandMadeRun(overrides={"budget.amount": "4", "limits": 1.5})
    assert run.policy_file is not None
    run.policy_file["budget"] = None
    for policy in (run.policy_file, run.policy):
        del policy["limits"][3]
    run.policy["limits"].append({"name": "--min-roi", "ratio": ["spend", "cost"], "at_least": 1.5})
    run.limit("roi")["name"] = "--min-roi"
    run.certificate["mandate"]["min_roi"] = 1.5
    verification = verify_run(run.write(tmp_path / "run"))
    assert verification.ok, verification.failures


@pytest.mark.parametrize(
    "written",
    [
        *("users.parquet", "../users.parquet", "~/elsewhere/users.parquet"),
        *("elsewhere/./users.parquet", "other/../users.parquet", "../x/../../users.parquet"),
    ],
)
def test_data_paths_are_full_ones_of_those_in_the_policy_file(
    written: str, tmp_path: Path
) -> None:
    run = HandMadeRun()
    assert run.policy_file is not None
    run.policy["data"] = {"users": "/home/me/elsewhere/users.parquet"}
    run.policy_file["data"] = {"users": written}
    verification = verify_run(run.write(tmp_path / "run"))
    assert verification.ok, verification.failures


@pytest.mark.parametrize("written", [".", "..", "../..", "x/.."])
def test_a_folder_that_a_policy_names_by_its_place_may_be_any_full_path(
    written: str, tmp_path: Path
) -> None:
    run = HandMadeRun()
    assert run.policy_file is not None
    run.policy["data"], run.policy_file["data"] = {"users": "/home/me"}, {"users": written}
    verification = verify_run(run.write(tmp_path / "run"))
    assert verification.ok, verification.failures


def test_paths_of_logs_are_full_ones_of_those_in_the_policy_file(tmp_path: Path) -> None:
    run = HandMadeRun()
    assert run.policy_file is not None
    for policy, folder in ((run.policy, "/home/me/"), (run.policy_file, "")):
        log = {"source": f"{folder}events", "time": "ts", "kind": "kind"}
        policy["history"] = {"events": [log], "moments": {"users": "2026-11-10 20:00"}}
    verification = verify_run(run.write(tmp_path / "run"))
    assert verification.ok, verification.failures


def test_a_column_of_nothing_is_nobodys_offer(tmp_path: Path) -> None:
    run = HandMadeRun()
    run.rows["offer_id"] = None
    failures = {c.name: c.detail for c in verify_run(run.write(tmp_path / "run")).failures}
    assert "offers" not in failures
    assert "eligibility" not in failures
    assert "recomputed 0" in failures["value"]


def test_text_shows_what_failed_and_how_many(tmp_path: Path) -> None:
    run = HandMadeRun()
    run.certificate["treated"] = 3
    text = verify_run(run.write(tmp_path / "run")).to_text()
    assert "FAIL  counts: treated is 3, counted 2" in text
    assert text.endswith("1 of 30 checks failed")


# --- files


@pytest.mark.parametrize(
    "name",
    ["allocation.parquet", "certificate.json", "policy.yaml", "report.html", "scores.parquet"],
)
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    (directory / name).unlink()
    assert f"{name} is missing" in check(verify_run(directory), "files")


@pytest.mark.parametrize("name", ["report.html", "policy.yaml", "scores.parquet"])
def test_a_changed_byte_is_noticed(name: str, tmp_path: Path) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    content = bytearray((directory / name).read_bytes())
    content[3] ^= 1
    (directory / name).write_bytes(content)
    assert f"{name} was changed after the run" in check(verify_run(directory), "files")


def test_an_added_byte_is_noticed(tmp_path: Path) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    (directory / "report.html").write_text("<!doctype html>!", encoding="utf-8")
    assert "report.html has 16 bytes, not 15" in check(verify_run(directory), "files")


@pytest.mark.parametrize("name", ["allocation.parquet", "scores.parquet"])
@pytest.mark.parametrize("kept", [0, 4, 700])
def test_truncated_parquet_is_unreadable_even_with_its_digest(
    name: str, kept: int, tmp_path: Path
) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    (directory / name).write_bytes((directory / name).read_bytes()[:kept])
    reseal(directory)
    verification = verify_run(directory)
    assert [check.name for check in verification.checks] == ["files"]
    assert f"{name} cannot be read" in check(verification, "files")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"value": 1}', "\xff"])
def test_a_broken_certificate_is_unreadable(text: str, tmp_path: Path) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    (directory / "certificate.json").write_text(text, encoding="latin-1")
    reseal(directory)
    assert "certificate.json" in check(verify_run(directory), "files")


def test_a_missing_manifest_or_directory_is_no_run(tmp_path: Path) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    (directory / "manifest.json").unlink()
    assert "manifest.json: no such file" in check(verify_run(directory), "files")
    assert "manifest.json: no such file" in check(verify_run(tmp_path / "nowhere"), "files")


def test_a_manifest_that_leaves_files_out_vouches_for_nothing(tmp_path: Path) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    del manifest["outputs"]["policy.yaml"], manifest["outputs"]["report.html"]
    (directory / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    detail = check(verify_run(directory), "files")
    assert "report.html is not listed" in detail
    assert "policy.yaml is not listed" in detail


# --- other kinds of policies


def test_a_face_value_budget_counts_face_values(tmp_path: Path) -> None:
    run = HandMadeRun()
    both_policies(run, budget={"amount": 30.0, "basis": "face"}, limits=[])
    run.certificate["budget"].update(amount=30.0, basis="face")
    run.certificate["limits"] = [limit("budget", at_most=30.0, usage=30.0, slack=0.0, price=0.024)]
    # 101: b 1.2 - 20p, a 0.6 - 10p; 102: a 0.24 - 10p; 103: a 0.06 - 10p. At p = 0.024 that is
    # 0.72 + 0 + 0, and 30p = 0.72. Value per face value: 101 a and b 0.06, 102 a 0.024, 103 a
    # 0.006.
    run.rows["margin"] = [0.36, 0.0, 0.18, np.nan, 0.25, np.nan]
    run.rows["smallest_budget"] = [10.0, 30.0, 40.0, np.nan, np.nan, np.nan]
    verification = verify_run(run.write(tmp_path / "run"))
    assert verification.ok, verification.to_text()


@pytest.mark.parametrize(
    ("row", "stated"), [(0, 9.0), (0, 21.0), (1, 20.0), (2, 40.001), (3, 40.0), (1, np.nan)]
)
def test_another_smallest_budget_is_refused(row: int, stated: float, tmp_path: Path) -> None:
    run = HandMadeRun()
    both_policies(run, budget={"amount": 30.0, "basis": "face"}, limits=[])
    run.rows["smallest_budget"] = [10.0, 30.0, 40.0, np.nan, np.nan, np.nan]
    run.rows.loc[row, "smallest_budget"] = stated
    detail = check(verify_run(run.write(tmp_path / "run")), "smallest budgets")
    assert detail == f"the smallest budget differs in 1 row(s): {row + 1}"


def test_a_face_value_budget_has_no_tolerance(tmp_path: Path) -> None:
    run = HandMadeRun()
    both_policies(run, budget={"amount": 29.99, "basis": "face"}, limits=[])
    run.certificate["limits"] = []
    assert "30.000000 is above 29.99" in check(verify_run(run.write(tmp_path / "run")), "budget")


def test_without_a_budget_none_is_listed(tmp_path: Path) -> None:
    run = HandMadeRun()
    both_policies(run, budget=None, limits=[])
    run.certificate["budget"].update(amount=None)
    run.certificate["limits"] = []
    run.prices["settled"] = 2
    # Without limits everyone's best offer is the bound: 1.2 + 0.27 + 0.06.
    run.certificate.update(bound=1.53, gap=(1.53 - 1.44) / 1.53)
    run.rows["margin"] = [0.6, -0.03, -0.06, np.nan, 0.01, np.nan]
    verification = verify_run(run.write(tmp_path / "run"))
    assert verification.ok, verification.to_text()


def test_exactly_one_demands_an_offer_for_everyone_and_drops_the_zero(tmp_path: Path) -> None:
    run = HandMadeRun()
    both_policies(run, assignment="exactly_one", limits=[], budget=None)
    run.scores.loc[3, "conversion__a"] = 0.01
    run.rows.loc[2:4, "offer_id"] = "a"
    run.rows.loc[2:4, "reason"] = "offered"
    run.rows.loc[2:4, "conversion"] = [0.06, 0.01, -0.01]
    run.rows.loc[2:4, "spend"] = [2.0, 1.0, 1.0]
    run.rows.loc[2:4, "cost"] = [1.5, 1.0, 1.0]
    run.rows.loc[2:4, "cost_micros"] = [1_500_000, 1_000_000, 1_000_000]
    run.certificate["budget"].update(amount=None, spent=7.5, spent_face=60.0)
    run.rows["margin"] = [0.6, -0.03, np.nan, np.nan, np.nan, np.nan]
    run.certificate["returns"].update(spend=16.0, cost=7.5, roi=16.0 / 7.5)
    # 1.2 + 0.24 + 0.06 + 0.01 - 0.01 chosen; at best 0.27 in place of 0.24.
    run.certificate.update(value=1.5, bound=1.53, gap=0.03 / 1.53, treated=5, limits=[])
    assert verify_run(run.write(tmp_path / "run")).ok

    run.rows.loc[2, ["offer_id", "reason"]] = [None, "priced_out"]
    detail = check(verify_run(run.write(tmp_path / "other")), "assignment")
    assert detail == "the user has no offer in 1 row(s): 3"


def at_risk(amount: float = 12.0) -> HandMadeRun:
    """The plan by hand, whose redemption is 4 ± sqrt(3·17 + 1·9 + (0.05·4)²)."""
    run = HandMadeRun()
    risk = {"basis": "at-risk", "confidence": 0.8}
    limits = [limit for limit in run.policy["limits"] if limit["name"] in {"stock", "roi"}]
    both_policies(run, budget={"amount": amount, **risk}, limits=limits)
    deviation = (51 + 9 + 0.04) ** 0.5
    quantile = 4 + 0.8416212335729143 * deviation
    run.certificate["limits"] = [
        limit for limit in run.certificate["limits"] if limit["name"] in {"budget", "stock", "roi"}
    ]
    run.certificate["budget"].update(
        amount=amount,
        basis="at-risk",
        at_risk={
            "confidence": 0.8, "cost_error": 0.05, "deviation": deviation, "quantile": quantile
        },
    )  # fmt: skip
    return run


def test_a_budget_at_risk_holds_its_expected_cost_and_its_quantile(tmp_path: Path) -> None:
    verification = verify_run(at_risk().write(tmp_path / "run"))
    assert verification.ok, verification.failures


def test_a_plan_that_redemption_may_overspend_is_refused(tmp_path: Path) -> None:
    verification = verify_run(at_risk(amount=10.5).write(tmp_path / "run"))
    assert "stays within 10.5" in check(verification, "risk")


@pytest.mark.parametrize(
    ("word", "stated"),
    [("quantile", 9.0), ("deviation", 1.0), ("confidence", 0.9), ("cost_error", 0.0)],
)
def test_tampered_figures_of_a_budget_at_risk_are_refused(
    tmp_path: Path, word: str, stated: float
) -> None:
    run = at_risk()
    run.certificate["budget"]["at_risk"][word] = stated
    assert word in check(verify_run(run.write(tmp_path / "run")), "risk")


def test_a_budget_at_risk_without_its_figures_is_refused(tmp_path: Path) -> None:
    run = at_risk()
    del run.certificate["budget"]["at_risk"]
    assert "is missing" in check(verify_run(run.write(tmp_path / "run")), "risk")


def test_an_expected_cost_bounded_above_the_amount_is_refused(tmp_path: Path) -> None:
    run = at_risk()
    run.limit("budget")["at_most"] = 13.0
    assert "above the amount" in check(verify_run(run.write(tmp_path / "run")), "risk")
