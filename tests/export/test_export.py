from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from incentive_engine.errors import ConfigError, DataError, VerificationError
from incentive_engine.export import selection
from incentive_engine.export.formats import csv_parts, excel
from incentive_engine.export.keys import SecretKey
from incentive_engine.run.directory import write_run
from run.test_run_directory import run_files, table
from verify.runs import HandMadeRun

from .exports import AWKWARD, KEY, everyone_treated, exported, files, made

HEADER = b'"user_id","offer_id","face_value","cost","valid_from","valid_to"\n'


def test_csv_holds_the_offered_users_with_ids_as_text(tmp_path: Path) -> None:
    done = exported(made(tmp_path), tmp_path / "out.csv")
    assert done.rows == 2
    assert (tmp_path / "out.csv").read_bytes() == HEADER + (
        b'"101","b",20.000000,3.000000,,\n"102","a",10.000000,1.000000,,\n'
    )


def test_a_file_has_a_manifest_that_vouches_for_it(tmp_path: Path) -> None:
    done = exported(made(tmp_path), tmp_path / "out.csv")
    assert done.manifest == tmp_path / "out.csv.manifest.json"
    manifest = json.loads(done.manifest.read_text(encoding="utf-8"))
    assert [part["rows"] for part in manifest["parts"]] == [2]
    assert manifest["parts"][0]["bytes"] == (tmp_path / "out.csv").stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "out.csv",
        "out.csv.manifest.json",
        "run",
    ]


def test_parquet_keeps_the_type_of_ids_and_money_exact(tmp_path: Path) -> None:
    exported(made(tmp_path, valid_to="2026-11-11"), tmp_path / "out.parquet")
    back = pq.read_table(tmp_path / "out.parquet")
    assert back.column("user_id").to_pylist() == [101, 102]
    assert back.column("cost").to_pylist() == [Decimal(3), Decimal(1)]
    ends = [when and when.isoformat() for when in back.column("valid_to").to_pylist()]
    assert ends == [None, "2026-11-11T15:59:59+00:00"]


def test_duckdb_holds_one_table_with_ids_and_money_exact(tmp_path: Path) -> None:
    exported(made(tmp_path), tmp_path / "out.duckdb")
    with duckdb.connect(str(tmp_path / "out.duckdb"), read_only=True) as database:
        rows = database.sql("SELECT user_id, offer_id, cost FROM offers").fetchall()
        kinds = database.sql("DESCRIBE offers").fetchall()
    assert rows == [(101, "b", Decimal(3)), (102, "a", Decimal(1))]
    assert [kind[1] for kind in kinds[:4]] == [
        "BIGINT",
        "VARCHAR",
        "DECIMAL(18,6)",
        "DECIMAL(18,6)",
    ]


def test_parquet_by_offer_reads_back_as_one_table(tmp_path: Path) -> None:
    run = everyone_treated(tmp_path / "run", range(6))
    exported(run, tmp_path / "out", is_sound=False, preset="parquet")
    back = pd.read_parquet(tmp_path / "out").sort_values("user_id")
    assert back["offer_id"].tolist() == ["b", "a"] * 3
    assert [int(cost * 1_000_000) for cost in back["cost"]] == [1, 2, 3, 4, 5, 6]
    assert {path.parent.name for path in (tmp_path / "out").rglob("*.parquet")} == {
        "offer_id=a",
        "offer_id=b",
    }


def test_awkward_ids_come_back_as_they_were(tmp_path: Path) -> None:
    run = everyone_treated(tmp_path / "run", AWKWARD)
    for name in ("out.csv", "out.parquet", "out.duckdb"):
        exported(run, tmp_path / name, is_sound=False)
    text = (tmp_path / "out.csv").read_bytes().decode()
    assert [row["user_id"] for row in csv.DictReader(io.StringIO(text, newline=""))] == AWKWARD
    assert pq.read_table(tmp_path / "out.parquet").column("user_id").to_pylist() == AWKWARD
    with duckdb.connect(str(tmp_path / "out.duckdb"), read_only=True) as database:
        rows = database.sql("SELECT user_id FROM offers").fetchall()
    assert [user for (user,) in rows] == AWKWARD


@pytest.mark.parametrize(
    ("preset", "pattern", "column"),
    [
        ("csv", "offers-*.csv", "user_id"),
        ("talon-one", "?-*.csv", "recipientintegrationid"),
        ("braze", "users-*.csv", "external_id"),
        ("parquet", "*/*.parquet", "user_id"),
    ],
)
def test_awkward_ids_come_back_from_every_preset(
    preset: str, pattern: str, column: str, tmp_path: Path
) -> None:
    run = everyone_treated(tmp_path / "run", AWKWARD)
    exported(run, tmp_path / "out", is_sound=False, preset=preset, key=KEY)
    quoted = "'" + str(tmp_path / "out" / pattern) + "'"
    read = f"read_csv({quoted}, all_varchar = true, quote = '\"', escape = '\"', delim = ',')"
    source = f"read_parquet({quoted})" if preset == "parquet" else read
    with duckdb.connect() as reader:
        rows = reader.execute(f'SELECT "{column}" FROM {source}').fetchall()  # noqa: S608
    assert sorted(user for (user,) in rows) == sorted(AWKWARD)


def test_excel_gets_a_mark_text_ids_and_no_formula(tmp_path: Path) -> None:
    run = everyone_treated(tmp_path / "run", AWKWARD)
    exported(run, tmp_path / "out", is_sound=False, preset="excel")
    written = (tmp_path / "out" / "offers-00001.csv").read_bytes()
    assert written.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"), newline="")))
    assert [row["user_id"] for row in rows] == [f"'{user}" for user in AWKWARD]
    assert not [cell for row in rows for cell in row.values() if cell[:1] in "=+-@\t\r" and cell]


def test_excel_parts_hold_no_more_rows_than_excel_shows() -> None:
    assert [sheet.rows_per_part for sheet in excel().sheets] == [1_048_576 - 1]


def test_talon_one_gets_a_file_per_campaign_with_its_dates(tmp_path: Path) -> None:
    run = made(tmp_path, valid_from="2026-11-01 20:00", valid_to="2026-11-11")
    exported(run, tmp_path / "out", preset="talon-one", key=KEY)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["_manifest.json", "a-00001.csv", "b-00001.csv"]
    (row,) = csv.DictReader((tmp_path / "out" / "a-00001.csv").read_text().splitlines())
    code = row.pop("value")
    assert len(code) == 16
    assert row == {
        "startdate": "2026-11-01T20:00:00+08:00",
        "expirydate": "2026-11-11T23:59:59+08:00",
        "recipientintegrationid": "102",
        "limitval": "1",
        "attributes": "{}",
    }


def test_eagle_eye_quotes_every_field_and_escapes_by_backslash(tmp_path: Path) -> None:
    run = everyone_treated(tmp_path / "run", AWKWARD)
    exported(run, tmp_path / "out", is_sound=False, preset="eagle-eye", key=KEY)
    tokens = (tmp_path / "out" / "tokens-00001.csv").read_bytes().decode().split("\n")
    assert tokens[0] == '"token","campaignId"'
    assert tokens[1].endswith('","b"')
    assert "\r" not in "".join(tokens)
    recipients = (tmp_path / "out" / "recipients-00001.csv").read_bytes().decode()
    assert '\n"8,\\"9","a","' in recipients
    assert '\n"\'\\\\","a","' in recipients
    reader = csv.reader(io.StringIO(recipients, newline=""), doublequote=False, escapechar="\\")
    assert [row[0] for row in reader][1:] == AWKWARD


def test_eagle_eye_takes_the_campaigns_own_id(tmp_path: Path) -> None:
    exported(made(tmp_path, campaign_id="71"), tmp_path / "out", preset="eagle-eye", key=KEY)
    lines = (tmp_path / "out" / "tokens-00001.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[1] for line in lines] == ['"campaignId"', '"b"', '"71"']


def test_braze_gets_code_lists_and_users_with_the_same_codes(tmp_path: Path) -> None:
    run = everyone_treated(tmp_path / "run", range(6))
    exported(run, tmp_path / "out", is_sound=False, preset="braze", key=KEY)
    users = pd.read_csv(tmp_path / "out" / "users-00001.csv")
    for offer in ("a", "b"):
        listed = pd.read_csv(tmp_path / "out" / f"codes-{offer}-00001.csv")
        theirs = users.loc[users["incentive_offer"] == offer, "incentive_code"]
        assert listed["code"].tolist() == theirs.tolist()
    assert users["incentive_code"].is_unique


def test_no_output_and_no_manifest_holds_the_key(tmp_path: Path) -> None:
    secret = b"SESAME-open-sesame-42"
    exported(made(tmp_path), tmp_path / "out", preset="braze", key=SecretKey(secret))
    for content in files(tmp_path).values():
        assert secret not in content
        assert secret.hex().encode() not in content


def test_a_preset_with_codes_asks_for_a_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="INCENTIVE_KEY: codes are made with a key"):
        exported(made(tmp_path), tmp_path / "out", preset="talon-one")
    assert not (tmp_path / "out").exists()


def test_hashed_ids_tell_users_apart_and_do_not_name_them(tmp_path: Path) -> None:
    exported(made(tmp_path), tmp_path / "out.csv", hash_ids=True, key=KEY)
    ids = pd.read_csv(tmp_path / "out.csv")["user_id"]
    assert ids.is_unique
    assert ids.str.fullmatch("[0-9a-f]{64}").all()


def test_a_failed_verification_is_refused_with_its_reasons(tmp_path: Path) -> None:
    run = HandMadeRun()
    run.certificate["treated"] = 3
    directory = run.write(tmp_path / "run")
    with pytest.raises(VerificationError, match="counts: treated is 3, counted 2"):
        exported(directory, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_file_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    run = made(tmp_path)
    (tmp_path / "out.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="exists already"):
        exported(run, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "run"]


def test_a_directory_with_other_files_is_left_as_it_is(tmp_path: Path) -> None:
    run = made(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="is not empty"):
        exported(run, tmp_path / "out", preset="csv")
    assert files(tmp_path / "out") == {"mine.txt": b"mine"}


@pytest.mark.parametrize("name", ["out.xlsx", "out"])
def test_another_suffix_is_refused_with_what_there_is(name: str, tmp_path: Path) -> None:
    run = made(tmp_path)
    with pytest.raises(ConfigError, match=r"\.csv, \.duckdb, \.parquet, .*presets: csv, excel"):
        exported(run, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_unknown_preset_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean `talon-one`"):
        exported(made(tmp_path), tmp_path / "out", preset="talonone", key=KEY)


def test_a_plan_without_offers_exports_its_header(tmp_path: Path) -> None:
    run = HandMadeRun()
    run.rows["offer_id"] = pd.Series([None] * 6, dtype="str")
    run.certificate["treated"] = 0
    directory = run.write(tmp_path / "run")
    assert exported(directory, tmp_path / "out.csv", is_sound=False).rows == 0
    assert (tmp_path / "out.csv").read_bytes() == HEADER


def test_the_smallest_cost_is_written_out(tmp_path: Path) -> None:
    micros = table().cost_micros.copy()
    micros[1] = 1
    write_run(tmp_path / "run", run_files(allocation=table(cost_micros=micros)))
    exported(tmp_path / "run", tmp_path / "out.csv", is_sound=False)
    assert "0.000001" in (tmp_path / "out.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_text_does_not_depend_on_how_many_users_are_read_at_a_time(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = everyone_treated(tmp_path / "run", AWKWARD)
    exported(run, tmp_path / "whole", is_sound=False, preset="braze", key=KEY)
    monkeypatch.setattr(selection, "ROWS", rows)
    exported(run, tmp_path / "small", is_sound=False, preset="braze", key=KEY)
    assert files(tmp_path / "whole") == files(tmp_path / "small")


def test_parts_join_to_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from incentive_engine.export import formats

    sheets = (replace(csv_parts().sheets[0], rows_per_part=4),)
    monkeypatch.setitem(formats.PRESETS, "csv", replace(csv_parts(), sheets=sheets))
    run = everyone_treated(tmp_path / "run", range(6))
    exported(run, tmp_path / "parts", is_sound=False, preset="csv")
    exported(run, tmp_path / "whole.csv", is_sound=False)
    names = ("offers-00001.csv", "offers-00002.csv")
    parts = [pd.read_csv(tmp_path / "parts" / name) for name in names]
    assert [len(part) for part in parts] == [4, 2]
    pd.testing.assert_frame_equal(
        pd.concat(parts, ignore_index=True), pd.read_csv(tmp_path / "whole.csv")
    )
