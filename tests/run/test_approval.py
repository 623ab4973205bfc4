from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from incentive_engine.errors import DataError, VerificationError
from incentive_engine.run.approval import approve_run, refuse_unapproved
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.verify.verification import verify_run
from verify.runs import HandMadeRun, reseal

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def demanding(directory: Path, author: str | None = "Wang Fang") -> FinishedRun:
    """Return a run whose policy demands an approval."""
    run = HandMadeRun()
    for policy in (run.policy, run.policy_file or {}):
        policy["approval"] = {"required": True}
    run.manifest["author"] = author
    return read_run(run.write(directory))


def test_a_run_nobody_approved_is_refused_with_what_to_do(tmp_path: Path) -> None:
    run = demanding(tmp_path / "run")
    with pytest.raises(VerificationError, match=r"incentive approve .*run --by NAME"):
        refuse_unapproved(run)


def test_somebody_elses_approval_lets_it_pass_and_leaves_it_verifiable(tmp_path: Path) -> None:
    run = demanding(tmp_path / "run")
    assert approve_run(run, by="Li Wei", note="checked", now=NOW)
    refuse_unapproved(run)
    verification = verify_run(run.directory)
    assert verification.ok, verification.to_text()


@pytest.mark.parametrize("name", ["Wang Fang", "wang  fang", " WANG FANG"])
def test_the_author_may_not_approve(name: str, tmp_path: Path) -> None:
    run = demanding(tmp_path / "run")
    with pytest.raises(VerificationError, match="demands somebody else's approval"):
        approve_run(run, by=name, note=None, now=NOW)
    assert not (run.directory / "approvals.json").exists()


def test_an_approval_by_the_author_that_was_typed_in_counts_for_nothing(tmp_path: Path) -> None:
    run = demanding(tmp_path / "run")
    approve_run(run, by="Li Wei", note=None, now=NOW)
    path = run.directory / "approvals.json"
    path.write_text(path.read_text(encoding="utf-8").replace("Li Wei", "Wang Fang"))
    with pytest.raises(VerificationError, match="by somebody but the author"):
        refuse_unapproved(run)


def test_an_approval_is_of_the_files_as_they_were(tmp_path: Path) -> None:
    run = demanding(tmp_path / "run")
    approve_run(run, by="Li Wei", note=None, now=NOW)
    (run.directory / "report.html").write_text("<!doctype html>new", encoding="utf-8")
    reseal(run.directory)
    with pytest.raises(VerificationError, match="has changed since it was approved"):
        refuse_unapproved(read_run(run.directory))


def test_approving_twice_changes_nothing_and_two_may_approve(tmp_path: Path) -> None:
    run = demanding(tmp_path / "run")
    assert approve_run(run, by="Li Wei", note=None, now=NOW)
    before = (run.directory / "approvals.json").read_bytes()
    assert not approve_run(run, by="Li Wei", note=None, now=datetime.now(UTC))
    assert (run.directory / "approvals.json").read_bytes() == before
    assert approve_run(run, by="Chen", note=None, now=NOW)


def test_a_policy_without_the_word_needs_nobody(tmp_path: Path) -> None:
    refuse_unapproved(read_run(HandMadeRun().write(tmp_path / "run")))


@pytest.mark.parametrize(
    "entries", ["5", "[5]", "[{}]", '[{"digest": "ab"}]', '[{"digest": "ab", "by": 5}]']
)
def test_a_list_of_approvals_that_was_edited_into_none_is_named(
    entries: str, tmp_path: Path
) -> None:
    run = demanding(tmp_path / "run")
    (run.directory / "approvals.json").write_text(f'{{"entries": {entries}}}', encoding="utf-8")
    with pytest.raises(DataError, match=r"approvals\.json: is broken; remove it"):
        refuse_unapproved(run)
