from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from incentive_engine.errors import ConfigError, VerificationError
from incentive_engine.export.preflight import WARNINGS, Flight, preflight
from incentive_engine.export.preflight_findings import (
    Severity,
    blocks,
    check_accepted,
    refuse_blocked,
)
from incentive_engine.language import say
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.run.format import RunFile
from incentive_engine.run.other_runs import add_entry, previous, refuse_superseded
from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict as Warned
from incentive_engine.uplift.diagnosis.verdicts import TrialCheck
from verify.runs import HandMadeRun, gain_by_hand

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def write(
    directory: Path, *, offer: dict[str, Any] | None = None, gain: dict[str, Any] | None = None,
    created: datetime | None = NOW, **policy: Any,
) -> FinishedRun:  # fmt: skip
    """Write a run whose offer `a`, gain by a trial and policy are as wanted."""
    run = HandMadeRun()
    run.policy["offers"][0].update(offer or {})
    run.policy.update(policy)
    run.certificate["budget"]["amount"] = run.policy["budget"]["amount"]
    run.manifest["created"] = created and created.isoformat()
    directory.parent.mkdir(exist_ok=True)
    run.evaluation = None if gain is None else {"plan": gain}
    return read_run(run.write(directory))


def found(run: FinishedRun, *, now: datetime = NOW, last: FinishedRun | None = None) -> Any:
    flight = Flight(run=run, given={"a": 1, "b": 1}, now=now, previous=last)
    return {(finding.severity, finding.name) for finding in preflight(flight)}


def gained(low: float, high: float, **baseline: float | None) -> dict[str, Any]:
    middle = (low + high) / 2
    conversions = {"estimate": middle, "low": low, "high": high}
    return {**gain_by_hand(), "conversions": conversions, "baseline": baseline}


QUIET = {(Severity.NOTE, "never-expires"), (Severity.NOTE, "unbounded-stock")}
SCORES = {(Severity.NOTE, "unmeasured-gain")}
WORST = {(Severity.NOTE, "liability")}


def test_a_sound_plan_has_nothing_but_notes(tmp_path: Path) -> None:
    assert found(write(tmp_path / "run")) == QUIET | SCORES | WORST


@pytest.mark.parametrize(
    ("offer", "gain", "expected"),
    [
        ({"min_spend": 10}, None, (Severity.ERROR, "free-goods")),
        ({"min_spend": 20}, None, (Severity.WARNING, "deep-discount")),
        ({}, gained(3, 9, median_basket=10.0), (Severity.ERROR, "free-goods")),
        ({}, gained(3, 9, median_basket=15.0), (Severity.WARNING, "deep-discount")),
        ({"min_spend": 91}, gained(3, 9, median_basket=30.0), (Severity.WARNING, "out-of-reach")),
        ({"valid_to": "2026-10-31"}, None, (Severity.ERROR, "expired")),
        ({"valid_from": "2026-11-10"}, None, (Severity.NOTE, "not-yet-valid")),
        ({"valid_from": "2027-11-10"}, None, (Severity.WARNING, "not-yet-valid")),
        ({}, gained(-2, 9), (Severity.WARNING, "uncertain-gain")),
        ({}, gained(-9, -1), (Severity.ERROR, "loss")),
        ({}, gained(0, 0.01, conversion_rate=0.5), (Severity.WARNING, "holdout")),
    ],
)
def test_what_goes_wrong_is_found(
    offer: dict[str, Any], gain: Any, expected: tuple[Severity, str], tmp_path: Path
) -> None:
    assert expected in found(write(tmp_path / "run", offer=offer, gain=gain))


@pytest.mark.parametrize(
    ("offer", "gain", "name"),
    [
        ({"min_spend": 20.01}, None, "deep-discount"),
        ({}, gained(3, 9, median_basket=40.01), "deep-discount"),
        ({"min_spend": 90}, gained(3, 9, median_basket=50.0), "out-of-reach"),
        ({"valid_to": "2026-11-01"}, None, "expired"),
        ({}, gained(1, 9), "uncertain-gain"),
        ({}, gained(5, 7, conversion_rate=0.5), "holdout"),
    ],
)
def test_what_is_in_order_is_not_complained_about(
    offer: dict[str, Any], gain: Any, name: str, tmp_path: Path
) -> None:
    run = write(tmp_path / "run", offer=offer, gain=gain)
    assert name not in {finding for _, finding in found(run)}


def test_an_offer_expires_in_the_policys_own_zone(tmp_path: Path) -> None:
    end = datetime(2026, 11, 11, 15, 59, 59, tzinfo=UTC)  # midnight in Shanghai
    run = write(tmp_path / "run", offer={"valid_to": "2026-11-11"})
    assert (Severity.ERROR, "expired") not in found(run, now=end)
    assert (Severity.ERROR, "expired") in found(run, now=end + timedelta(seconds=1))


def test_a_plan_for_nobody_is_a_warning_and_no_loss(tmp_path: Path) -> None:
    run = write(tmp_path / "run", gain=gained(0, 0, conversion_rate=0.5))
    flight = Flight(run=run, given={}, now=NOW, previous=None)
    names = {(finding.severity, finding.name) for finding in preflight(flight)}
    assert (Severity.WARNING, "nobody") in names
    assert not {"loss", "uncertain-gain", "holdout"} & {name for _, name in names}


def test_nobody_held_out_is_a_warning(tmp_path: Path) -> None:
    run = HandMadeRun()
    run.manifest["holdout"] = {"share": 0.0, "users": 0}
    run.write(tmp_path / "run")
    assert (Severity.WARNING, "holdout") in found(read_run(tmp_path / "run"))


def test_stock_of_none_is_a_warning(tmp_path: Path) -> None:
    stock = {"name": "stock", "sum": "issued", "offers": ["b"], "at_most": 0.0}
    assert (Severity.WARNING, "out-of-stock") in found(write(tmp_path / "run", limits=[stock]))


def test_a_pool_that_is_a_small_part_of_the_worst_case_is_a_warning(tmp_path: Path) -> None:
    run = write(tmp_path / "run", budget={"amount": 1.49})
    assert (Severity.WARNING, "liability") in found(run)


@pytest.mark.parametrize("factor", [10, 0.1])
def test_a_tenfold_jump_against_the_run_before_is_a_warning(factor: float, tmp_path: Path) -> None:
    before = write(tmp_path / "before", offer={"face_value": 10.0})
    after = write(tmp_path / "after", offer={"face_value": 10.0 * factor})
    assert (Severity.WARNING, "jump") in found(after, last=before)
    near = write(tmp_path / "near", offer={"face_value": 9.9 * max(factor, 0.11)})
    assert (Severity.WARNING, "jump") not in found(near, last=before)


def test_errors_block_and_warnings_do_until_they_are_accepted(tmp_path: Path) -> None:
    run = write(tmp_path / "run", offer={"min_spend": 20, "valid_to": "2026-10-31"})
    flight = Flight(run=run, given={"a": 1}, now=NOW, previous=None)
    findings = preflight(flight)
    with pytest.raises(VerificationError) as raised:
        refuse_blocked(run.directory, findings, accepted=())
    assert "deep-discount" in str(raised.value)
    assert "--accept deep-discount" in str(raised.value)
    with pytest.raises(VerificationError) as raised:
        refuse_blocked(run.directory, findings, accepted=WARNINGS)
    assert [fault.where for fault in raised.value.faults] == [f"{run.directory}: expired"]


def test_every_warning_can_be_accepted_by_its_name(tmp_path: Path) -> None:
    import inspect
    import re

    from incentive_engine.export import preflight as checks

    source = inspect.getsource(checks)
    named = set(re.findall(r'yield "([a-z-]+)", (?:Severity\.WARNING|severity)', source))
    named |= {check.key for check in TrialCheck}
    assert named == set(WARNINGS)
    check_accepted(WARNINGS, WARNINGS)
    with pytest.raises(ConfigError, match="did you mean `holdout`"):
        check_accepted(["holdouts"], WARNINGS)
    assert tmp_path.exists()


def test_an_offer_that_cost_more_than_its_face_value_in_the_trial_is_not_ready(
    tmp_path: Path,
) -> None:
    made = HandMadeRun()
    finding = Warned(
        check=TrialCheck.OUTCOMES,
        verdict="warning",
        what=say("trial.outcomes.above_face", arm="a", face=5.0, rows=3, most=50.0),
        remedy=say("trial.outcomes.face_means"),
    )
    made.evaluation = {"plan": gain_by_hand(), "findings": [finding.to_dict()]}
    run = read_run(made.write(tmp_path / "run"))
    flight = Flight(run=run, given={"a": 1}, now=NOW, previous=None)
    blocking = [one for one in preflight(flight) if blocks(one, ["holdout"])]
    assert [one.name for one in blocking] == ["trial-outcomes"]
    assert str(blocking[0].text).startswith("`a` cost more than its face value 5.00 in 3 of its")
    assert not blocks(blocking[0], ["trial-outcomes"])


def test_the_run_before_is_the_last_released_one_of_the_same_name(tmp_path: Path) -> None:
    day = timedelta(days=1)
    write(tmp_path / "other", created=NOW - day, name="another campaign")
    first = write(tmp_path / "first", created=NOW - 3 * day)
    second = write(tmp_path / "second", created=NOW - 2 * day)
    now = write(tmp_path / "now")
    write(tmp_path / "later", created=NOW + day)
    assert previous(first) is None
    found_before = previous(now)
    assert found_before is not None
    assert found_before.directory == second.directory
    add_entry(first, RunFile.EXPORTS, {"to": "x"}, now=NOW)
    released = previous(now)
    assert released is not None
    assert released.directory == first.directory


@pytest.mark.parametrize("how", [RunFile.APPROVALS, RunFile.EXPORTS])
def test_a_run_is_superseded_once_a_later_one_is_released(how: RunFile, tmp_path: Path) -> None:
    old = write(tmp_path / "old")
    later = write(tmp_path / "later", created=NOW + timedelta(seconds=1))
    refuse_superseded(old)
    add_entry(later, how, {"by": "Li Wei"}, now=NOW)
    refuse_superseded(later)
    with pytest.raises(VerificationError, match="superseded by"):
        refuse_superseded(old)


def test_a_release_of_files_that_have_changed_since_counts_for_nothing(tmp_path: Path) -> None:
    old = write(tmp_path / "old")
    later = write(tmp_path / "later", created=NOW + timedelta(seconds=1))
    add_entry(later, RunFile.APPROVALS, {"by": "Li Wei"}, now=NOW)
    manifest = tmp_path / "later" / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    refuse_superseded(old)
    assert read_run(tmp_path / "later").digest != later.digest


def test_a_note_blocks_nothing(tmp_path: Path) -> None:
    run = write(tmp_path / "run")
    findings = preflight(Flight(run=run, given={"a": 1}, now=NOW, previous=None))
    assert findings
    assert not any(blocks(finding, ()) for finding in findings)
