from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from incentive_engine.config.policy import Policy
from incentive_engine.domain import Reason
from incentive_engine.errors import DataError
from incentive_engine.run.directory import (
    AllocationTable,
    RunFiles,
    RunRecord,
    default_run_directory,
    write_run,
)
from incentive_engine.run.statements import InputFile, StatedHoldout
from incentive_engine.verify.verification import verify_run
from verify.runs import (
    certificate_by_hand,
    evaluation_by_hand,
    frozen_by_hand,
    policy_by_hand,
    prices_by_hand,
    rows_by_hand,
    scores_by_hand,
)

POLICY_TEXT = yaml.safe_dump(policy_by_hand()).encode()


def table(**changes: Any) -> AllocationTable:
    rows = rows_by_hand()
    whole = AllocationTable(
        user_id=pa.Array.from_pandas(rows["user_id"]),
        offers=("a", "b"),
        choice=np.array([1, 0, -1, -1, -1, -1], dtype=np.int16),
        conversion=rows["conversion"].to_numpy(),
        spend=rows["spend"].to_numpy(),
        cost_micros=rows["cost_micros"].to_numpy(),
        weight=rows["weight"].to_numpy(),
        reason=np.array([[*Reason].index(Reason(each)) for each in rows["reason"]], dtype=np.int8),
        propensity=rows["propensity"].to_numpy(),
        margin=rows["margin"].to_numpy(),
    )
    return replace(whole, **changes)


def inputs(scores: str = "ab" * 32) -> dict[str, InputFile]:
    """Return inputs that are no longer at hand."""
    return {
        "policy": InputFile(path="by hand.yaml", sha256=sha256(POLICY_TEXT).hexdigest()),
        "trial": InputFile(path="trial.parquet", sha256="cd" * 32),
        "scores": InputFile(path="scores.parquet", sha256=scores, rows=6),
    }


def run_files(**changes: Any) -> RunFiles:
    policy = Policy.model_validate(policy_by_hand())
    files = RunFiles(
        allocation=table(),
        scores=[pa.Table.from_pandas(scores_by_hand(), preserve_index=False)],
        certificate=certificate_by_hand(),
        frozen_policy=(frozen := frozen_by_hand(policy_by_hand(), scores_by_hand())),
        prices=prices_by_hand(frozen, certificate_by_hand()) | {"settled": 1},
        report="<!doctype html>\n<title>预热</title>\n",
        record=RunRecord(
            policy=policy.model_dump(mode="json"),
            policy_file="policies/by hand.yaml",
            inputs=inputs(),
            seed=policy.seed,
            holdout=StatedHoldout(share=0.17, users=1),
            solver={"prices": "optimal"},
            seconds={"solve": 0.01},
        ),
        policy_text=POLICY_TEXT,
    )
    return replace(files, **changes)


def modes(directory: Path) -> set[str]:
    """Return the modes of a directory, of what is in it, and of its files."""
    return {f"{oct(p.stat().st_mode)[-3:]}" for p in (directory, *directory.rglob("*"))}


def test_a_run_is_for_its_owner_alone_whatever_files_otherwise_are(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_run(tmp_path / "run", run_files())
    finally:
        os.umask(before)
    assert modes(tmp_path / "run") == {"700", "600"}


def test_a_written_run_passes_verification(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "one", run_files(evaluation=evaluation_by_hand()))
    names = {path.name for path in (tmp_path / "runs" / "one").iterdir()}
    assert names == {
        "allocation.parquet",
        "certificate.json",
        "evaluation.json",
        "frozen_policy.json",
        "manifest.json",
        "policy.yaml",
        "prices.json",
        "report.html",
        "scores.parquet",
    }
    verification = verify_run(tmp_path / "runs" / "one")
    assert verification.ok, verification.to_text()


def test_the_manifest_vouches_for_every_other_file(tmp_path: Path) -> None:
    write_run(tmp_path / "one", run_files())
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text(encoding="utf-8"))
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert set(manifest["outputs"]) == names - {"manifest.json"}
    assert manifest["inputs"]["scores"] == {
        "path": "scores.parquet",
        "sha256": "ab" * 32,
        "rows": 6,
        "as_given": False,
    }
    assert {"format", "engine", "versions", "seed", "solver", "seconds"} <= set(manifest)


def test_the_allocation_has_the_contracts_columns_and_types(tmp_path: Path) -> None:
    write_run(tmp_path / "one", run_files())
    schema = pq.read_schema(tmp_path / "one" / "allocation.parquet")
    assert dict(zip(schema.names, map(str, schema.types), strict=True)) == {
        "user_id": "int64",
        "offer_id": "string",
        "conversion": "double",
        "spend": "double",
        "cost": "double",
        "cost_micros": "int64",
        "weight": "double",
        "reason": "string",
        "propensity": "double",
        "margin": "double",
        "smallest_budget": "double",
    }
    back = pd.read_parquet(tmp_path / "one" / "allocation.parquet")
    pd.testing.assert_frame_equal(back, rows_by_hand(), check_dtype=False)


def test_the_allocation_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    write_run(tmp_path / "one", run_files())
    slower = replace(run_files().record, seconds={"solve": 9.0})
    write_run(tmp_path / "two", run_files(record=slower))
    for name in ("allocation.parquet", "scores.parquet", "certificate.json", "report.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_unknown_spend_is_empty_and_text_ids_stay_text(tmp_path: Path) -> None:
    ids = pd.Series(["007", "8,9", "a\nb", "=1+1", "😀", "'"])
    write_run(tmp_path / "one", run_files(allocation=table(spend=None, user_id=ids)))
    back = pd.read_parquet(tmp_path / "one" / "allocation.parquet")
    assert back["spend"].isna().all()
    assert back["user_id"].tolist() == ids.tolist()


def test_scores_from_a_file_are_copied_as_they_are(tmp_path: Path) -> None:
    scores_by_hand().to_parquet(tmp_path / "mine.parquet")
    digest = sha256((tmp_path / "mine.parquet").read_bytes()).hexdigest()
    record = replace(run_files().record, inputs=inputs(digest))
    files = run_files(scores=tmp_path / "mine.parquet", record=record)
    write_run(tmp_path / "one", replace(files, evaluation=evaluation_by_hand()))
    copy = tmp_path / "one" / "scores.parquet"
    assert copy.read_bytes() == (tmp_path / "mine.parquet").read_bytes()
    assert verify_run(tmp_path / "one").ok


def test_a_directory_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="exists already"):
        write_run(tmp_path / "one", run_files())
    assert [path.name for path in tmp_path.rglob("*")] == ["one", "mine.txt"]


def test_a_number_that_json_cannot_hold_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_run(tmp_path / "one", run_files(certificate={"value": float("nan")}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["scores.parquet", "report.html", "manifest.json"])
def test_a_disk_that_fills_up_leaves_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_text
    parquet = pq.ParquetWriter

    def full(path: Path) -> None:
        if path.name == name:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def write_text(self: Path, *args: Any, **kwargs: Any) -> int:
        full(self)
        return write(self, *args, **kwargs)

    def open_writer(path: Path, *args: Any, **kwargs: Any) -> Any:
        full(path)
        return parquet(path, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", write_text)
    monkeypatch.setattr(pq, "ParquetWriter", open_writer)
    with pytest.raises(DataError, match="the disk is full"):
        write_run(tmp_path / "one", run_files())
    assert list(tmp_path.iterdir()) == []


def test_a_default_directory_counts_on_while_names_are_taken(tmp_path: Path) -> None:
    first = default_run_directory(tmp_path, "double11", 200_000.0)
    assert first == tmp_path / "double11-200000"
    first.mkdir()
    assert default_run_directory(tmp_path, "double11", 200_000.0).name == "double11-200000-2"
    (tmp_path / "double11-200000-2").mkdir()
    assert default_run_directory(tmp_path, "double11", 200_000.0).name == "double11-200000-3"


@pytest.mark.parametrize(
    ("name", "amount", "expected"),
    [
        ("双11 预热", 1.5e6, "双11-预热-1500000"),
        ("../../etc", 10.0, "etc-10"),
        ("..", None, "run"),
        ("a/b", 0.5, "a-b-0.5"),
        ("plain", None, "plain"),
    ],
)
def test_a_default_directory_is_one_plain_name(
    name: str, amount: float | None, expected: str, tmp_path: Path
) -> None:
    assert default_run_directory(tmp_path, name, amount) == tmp_path / expected
