"""A signed run, and what becomes of it in other hands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incentive_engine.errors import ConfigError, VerificationError
from incentive_engine.run.directory import write_run
from incentive_engine.run.finished import read_run
from incentive_engine.run.signature import SigningKey, refuse_unsigned, sign_run
from incentive_engine.verify.verification import verify_run
from incentive_engine.workflow import delivery
from verify.runs import HandMadeRun, evaluation_by_hand, reseal

from .test_run_directory import run_files

KEY = SigningKey(b"a key that only tests have")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def signed(tmp_path: Path, run: HandMadeRun | None = None) -> Path:
    directory = (run or HandMadeRun()).write(tmp_path / "run")
    sign_run(directory, KEY, now=NOW)
    return directory


def refusal(directory: Path, key: SigningKey) -> str:
    (check,) = verify_run(directory, key=key).failures
    assert check.name == "signature"
    return check.detail


def test_a_signed_run_verifies_with_its_key_and_without_one(tmp_path: Path) -> None:
    directory = signed(tmp_path)
    with_key, without = verify_run(directory, key=KEY), verify_run(directory)
    assert with_key.ok
    assert "the manifest is signed with the key at hand" in with_key.to_text()
    assert without.ok
    assert "no key at hand to check it" in without.to_text()


def test_no_file_can_be_changed_and_sealed_again_without_the_key(tmp_path: Path) -> None:
    directory = signed(tmp_path)
    (directory / "report.html").write_text("<!doctype html>ten times as much", encoding="utf-8")
    reseal(directory)
    assert verify_run(directory).ok
    assert refusal(directory, KEY) == "manifest.json is not what was signed"


def test_another_key_is_named_by_its_fingerprint(tmp_path: Path) -> None:
    other = SigningKey(b"another key that tests have")
    detail = refusal(signed(tmp_path), other)
    assert detail == f"it is signed with the key {KEY.fingerprint}, at hand is {other.fingerprint}"


def test_whoever_takes_the_signature_away_gains_nothing(tmp_path: Path) -> None:
    directory = signed(tmp_path)
    (directory / "signature.json").unlink()
    assert refusal(directory, KEY) == "the run is not signed, and a key is at hand"


@pytest.mark.parametrize(
    ("field", "stated", "words"),
    [
        ("algorithm", "none", "it is signed by none"),
        ("signature", "00" * 32, "not what was signed"),
        ("signature", "", "signature.json: signature"),
        ("key", None, "signature.json: key"),
    ],
)
def test_a_forged_signature_is_refused(
    field: str, stated: str | None, words: str, tmp_path: Path
) -> None:
    directory = signed(tmp_path)
    path = directory / "signature.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, field: stated}), encoding="utf-8")
    assert words in refusal(directory, KEY)


def test_a_run_is_signed_as_it_is_written_and_the_key_is_nowhere(tmp_path: Path) -> None:
    write_run(tmp_path / "run", run_files(key=KEY, evaluation=evaluation_by_hand()))
    assert verify_run(tmp_path / "run", key=KEY).ok
    content = b"".join(path.read_bytes() for path in (tmp_path / "run").iterdir())
    assert b"only tests have" not in content
    assert "tests" not in repr(KEY)


def test_a_policy_may_demand_a_signature(tmp_path: Path) -> None:
    run = HandMadeRun()
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy["signature"] = {"required": True}
    directory = signed(tmp_path, run)
    refuse_unsigned(read_run(directory), KEY)
    with pytest.raises(VerificationError, match="no key is at hand to check it with"):
        refuse_unsigned(read_run(directory), None)


def test_only_a_run_that_verifies_is_signed(tmp_path: Path) -> None:
    directory = HandMadeRun().write(tmp_path / "run")
    assert str(delivery.sign(directory, key=KEY)[-1]).endswith(f"signed, key {KEY.fingerprint}")
    assert verify_run(directory, key=KEY).ok
    with pytest.raises(ConfigError, match="there is no key"):
        delivery.sign(directory, key=None)
    (directory / "report.html").write_text("another", encoding="utf-8")
    with pytest.raises(VerificationError, match=r"report\.html"):
        delivery.sign(directory, key=KEY)
