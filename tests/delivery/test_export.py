from __future__ import annotations

import csv
import errno
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from incentive_engine.delivery import export, export_offers
from incentive_engine.errors import DataError, VerificationError
from incentive_engine.verify import Check, Verification, verify_run
from verify.runs import HandMadeRun

from .test_run_directory import run_files, table


def made(tmp_path: Path) -> Path:
    return HandMadeRun().write(tmp_path / "run")


def passed(run: Path) -> Verification:
    return Verification(run_dir=run, checks=(Check(name="stand-in", ok=True, what=""),))


def test_csv_holds_the_offered_users_with_ids_as_text(tmp_path: Path) -> None:
    run = made(tmp_path)
    rows = export_offers(run, tmp_path / "out.csv", verification=verify_run(run))
    assert rows == 2
    assert (tmp_path / "out.csv").read_bytes() == (
        b'"user_id","offer_id","face_value","cost"\n'
        b'"101","b",20.000000,3.000000\n'
        b'"102","a",10.000000,1.000000\n'
    )


def test_parquet_keeps_the_type_of_ids_and_money_exact(tmp_path: Path) -> None:
    run = made(tmp_path)
    export_offers(run, tmp_path / "out.parquet", verification=verify_run(run))
    back = pq.read_table(tmp_path / "out.parquet")
    assert back.column("user_id").to_pylist() == [101, 102]
    assert back.column("cost").to_pylist() == [Decimal(3), Decimal(1)]
    assert back.column_names == ["user_id", "offer_id", "face_value", "cost"]


def test_awkward_ids_come_back_as_they_were(tmp_path: Path) -> None:
    ids = ["007", '8,"9', "a\nb", "=1+1", "😀", "'"]
    run = HandMadeRun()
    run.rows["user_id"] = run.scores["user_id"] = ids
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy["holdout"] = 0
    run.manifest["holdout"] = {"users": 0}
    run.rows.loc[5, "reason"] = "priced_out"
    run.rows.loc[:, "offer_id"] = run.rows["offer_id"]
    directory = run.write(tmp_path / "run")
    verification = verify_run(directory)
    assert verification.ok, verification.to_text()
    export_offers(directory, tmp_path / "out.csv", verification=verification)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [row["user_id"] for row in csv.DictReader(file)] == ids[:2]


def test_a_failed_verification_is_refused_with_its_reasons(tmp_path: Path) -> None:
    run = HandMadeRun()
    run.certificate["treated"] = 3
    directory = run.write(tmp_path / "run")
    with pytest.raises(VerificationError, match="counts: treated is 3, counted 2"):
        export_offers(directory, tmp_path / "out.csv", verification=verify_run(directory))
    assert not (tmp_path / "out.csv").exists()


def test_the_verification_of_another_run_is_refused(tmp_path: Path) -> None:
    first = made(tmp_path)
    other = HandMadeRun().write(tmp_path / "other")
    with pytest.raises(VerificationError, match="the verification is one of"):
        export_offers(other, tmp_path / "out.csv", verification=verify_run(first))


def test_a_file_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    run = made(tmp_path)
    (tmp_path / "out.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="exists already"):
        export_offers(run, tmp_path / "out.csv", verification=verify_run(run))
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["out.xlsx", "out"])
def test_another_suffix_is_refused(name: str, tmp_path: Path) -> None:
    run = made(tmp_path)
    with pytest.raises(DataError, match=r"expected \.csv or \.parquet"):
        export_offers(run, tmp_path / name, verification=verify_run(run))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_batches_join_to_the_same_rows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path)
    export_offers(run, tmp_path / name, verification=verify_run(run))
    monkeypatch.setattr(export, "ROWS", 1)
    export_offers(run, tmp_path / f"small-{name}", verification=verify_run(run))
    read = pd.read_csv if name.endswith("csv") else pd.read_parquet
    pd.testing.assert_frame_equal(read(tmp_path / name), read(tmp_path / f"small-{name}"))


def test_a_plan_without_offers_exports_its_header(tmp_path: Path) -> None:
    run = HandMadeRun()
    run.rows["offer_id"] = pd.Series([None] * 6, dtype="str")
    directory = run.write(tmp_path / "run")
    assert export_offers(directory, tmp_path / "out.csv", verification=passed(directory)) == 0
    header = '"user_id","offer_id","face_value","cost"\n'
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == header


def test_a_disk_that_fills_up_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(tmp_path)

    class FullDisk:
        def __init__(self, path: Path, *_: object, **__: object) -> None:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(pq, "ParquetWriter", FullDisk)
    with pytest.raises(DataError, match="the disk is full"):
        export_offers(run, tmp_path / "out.parquet", verification=verify_run(run))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_the_smallest_cost_is_written_out(tmp_path: Path) -> None:
    from incentive_engine.delivery import write_run

    micros = table().cost_micros.copy()
    micros[1] = 1
    write_run(tmp_path / "run", run_files(allocation=table(cost_micros=micros)))
    export_offers(tmp_path / "run", tmp_path / "out.csv", verification=passed(tmp_path / "run"))
    assert "0.000001" in (tmp_path / "out.csv").read_text(encoding="utf-8")
