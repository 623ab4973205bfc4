"""Files, folders, patterns and compressed CSV, most of them written by another tool."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incentive_engine.config.access.location import parse_location
from incentive_engine.data.sources import open_source
from incentive_engine.errors import DataError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCENTIVE_CACHE", str(tmp_path / "cache"))


def complaint(place: str | Path) -> str:
    with pytest.raises(DataError) as caught:
        open_source(parse_location(str(place))).table()
    return str(caught.value)


def hive(folder: Path) -> Path:
    """Write a partitioned folder with DuckDB."""
    connection = duckdb.connect()
    statement = (
        "COPY (SELECT i AS user_id, i / 2.0 AS spend, 2020 + i % 2 AS year,"
        " CASE WHEN i % 3 = 0 THEN NULL ELSE 'R ' || i % 3 END AS region FROM range(12) t(i))"
        " TO 'FOLDER' (FORMAT parquet, PARTITION_BY (year, region))"
    )
    connection.execute(statement.replace("FOLDER", str(folder)))
    return folder


def test_folders_of_a_partitioned_table_become_columns(tmp_path: Path) -> None:
    source = open_source(hive(tmp_path / "users"))
    assert source.columns == ("user_id", "spend", "year", "region")
    frame = source.table().to_pandas().sort_values("user_id")
    assert frame["year"].tolist() == [2020 + i % 2 for i in range(12)]
    assert frame["region"].fillna("none").tolist() == ["none", "R 1", "R 2"] * 4
    assert source.rows() == 12
    assert source.gaps()["region"] == 4


def test_blocks_of_a_folder_have_one_type_and_only_the_columns_asked_for(tmp_path: Path) -> None:
    source = open_source(hive(tmp_path / "users"))
    blocks = list(source.blocks(["region", "spend"]))
    assert {tuple(block.schema.names) for block in blocks} == {("spend", "region")}
    assert len({block.schema for block in blocks}) == 1
    assert sum(block.num_rows for block in blocks) == 12


def test_a_folder_name_with_leading_zeros_stays_text(tmp_path: Path) -> None:
    for month in ("01", "11"):
        (tmp_path / "t" / f"month={month}").mkdir(parents=True)
        table = pa.table({"user_id": [int(month)]})
        pq.write_table(table, tmp_path / "t" / f"month={month}" / "a.parquet")
    assert open_source(tmp_path / "t").table()["month"].to_pylist() == ["01", "11"]


def test_a_pattern_names_files_and_the_folders_below_its_fixed_part(tmp_path: Path) -> None:
    folder = hive(tmp_path / "users")
    source = open_source(parse_location(f"{folder}/year=2021/*/*.parquet"))
    assert sorted(source.table()["user_id"].to_pylist()) == [1, 3, 5, 7, 9, 11]
    assert source.columns == ("user_id", "spend", "region")
    assert "no file is called like that" in complaint(f"{folder}/*.csv")


def test_compressed_csv_is_read_as_the_plain_file_is(tmp_path: Path) -> None:
    text = "user_id,tier,age\n007,88VIP,31\n8,,\n"
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    plain, packed = (open_source(tmp_path / name).table() for name in ("a.csv", "a.csv.gz"))
    assert plain.to_pylist() == packed.to_pylist()
    assert plain.schema == packed.schema


def test_a_pattern_of_csv_files_is_one_table(tmp_path: Path) -> None:
    pd.DataFrame({"user_id": ["a"], "age": [1]}).to_csv(tmp_path / "1.csv", index=False)
    pd.DataFrame({"user_id": ["b"], "age": [1.5]}).to_csv(tmp_path / "2.csv", index=False)
    source = open_source(parse_location(f"{tmp_path}/*.csv"))
    assert source.table().to_pydict() == {"user_id": ["a", "b"], "age": [1.0, 1.5]}


def test_ids_of_several_csv_files_are_text_where_one_has_leading_zeros(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("uid,tier\n7,\n8,\n")
    (tmp_path / "2.csv").write_text("uid,tier\n007,gold\n")
    source = open_source(parse_location(f"{tmp_path}/*.csv"), renames={"uid": "user_id"})
    assert source.table().to_pydict() == {
        "user_id": ["7", "8", "007"],
        "tier": [None, None, "gold"],
    }


def test_csv_files_that_disagree_are_named_as_they_are_called(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("user_id,age\n7,31\n")
    (tmp_path / "2.csv").write_text("user_id,age\n8,old\n")
    assert "int64 in 1.csv, string in 2.csv" in complaint(f"{tmp_path}/*.csv")


def test_a_file_that_a_pattern_names_twice_is_read_once(tmp_path: Path) -> None:
    folder = hive(tmp_path / "users")
    for pattern in ("**", "**/*", "**/*.parquet"):
        assert open_source(parse_location(f"{folder}/{pattern}")).rows() == 12


def test_a_column_of_the_file_counts_where_its_folder_names_one_too(tmp_path: Path) -> None:
    folder = tmp_path / "users" / "region=01"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"user_id": [1], "region": [1]}), folder / "a.parquet")
    source = open_source(tmp_path / "users")
    assert source.table().to_pylist() == [{"user_id": 1, "region": 1}]
    assert [block.to_pylist() for block in source.blocks()] == [source.table().to_pylist()]


def test_parts_whose_ids_differ_in_type_are_refused_with_both_types(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": ["a"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"user_id": [1]}), tmp_path / "2.parquet")
    assert complaint(tmp_path) == (
        f"{tmp_path}: the parts disagree on column `user_id`: string in 1.parquet, int64 in"
        " 2.parquet, expected the same type in each part; write all parts with one schema"
    )


def test_whole_numbers_of_any_width_fit_together(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": pa.array([1], pa.int32())}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"user_id": pa.array([2], pa.int64())}), tmp_path / "2.parquet")
    assert open_source(tmp_path).table()["user_id"].to_pylist() == [1, 2]


def test_compressed_csv_keeps_renamed_ids_and_says_which_times_have_a_zone(
    tmp_path: Path,
) -> None:
    text = "uid,at\n007,2026-11-01T08:00:00Z\n8,2026-11-02T08:00:00Z\n"
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    source = open_source(tmp_path / "a.csv.gz", renames={"uid": "user_id"})
    assert source.table()["user_id"].to_pylist() == ["007", "8"]
    assert source.zoned() == {"at"}


def test_compressed_csv_with_a_repeated_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"user_id,age,age\n1,2,3\n"))
    assert "columns appear more than once: age" in complaint(tmp_path / "a.csv.gz")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"not compressed at all", "is damaged, cut off, or not compressed"),
        (gzip.compress(b"user_id,x\n" + b"1,2\n" * 9999, mtime=0)[:-20], "is damaged, cut off"),
    ],
)
def test_damaged_compression_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "a.csv.gz").write_bytes(content)
    assert expected in complaint(tmp_path / "a.csv.gz")


def test_lines_that_end_with_a_carriage_return_alone_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"user_id,x\r1,2\r3,4\r")
    assert "lines end with a carriage return alone" in complaint(tmp_path / "a.csv")


def test_a_pipe_and_a_device_are_refused_without_waiting_for_them(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    told: list[str] = []
    thread = threading.Thread(
        target=lambda: told.extend(complaint(tmp_path / n) for n in ("pipe.csv", "zero.csv")),
        daemon=True,
    )
    thread.start()
    thread.join(timeout=20)
    assert ["is a pipe" in told[0], "is a device" in told[1]] == [True, True]


def test_renamed_columns_are_read_under_our_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("uid,converted,age\n007,1,3\n8,0,4\n")
    renames = {"uid": "user_id", "converted": "conversion"}
    source = open_source(tmp_path / "a.csv", renames=renames)
    assert source.table(["user_id", "conversion"]).to_pydict() == {
        "user_id": ["007", "8"],
        "conversion": [1, 0],
    }
    assert source.digest() != open_source(tmp_path / "a.csv").digest()


def test_names_that_are_not_there_or_taken_are_refused_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("uid,converted,conversion\n1,1,3\n")
    renames = {"uidd": "user_id", "converted": "conversion"}
    with pytest.raises(DataError) as caught:
        open_source(tmp_path / "a.csv", renames=renames)
    first, second = str(caught.value).splitlines()
    assert "column `uidd`, meant as `user_id`, is missing; did you mean `uid`?" in first
    assert "there is a column `conversion` already" in second


def test_the_digest_follows_every_part_and_folder_name(tmp_path: Path) -> None:
    folder = hive(tmp_path / "users")
    before = open_source(folder).digest()
    assert open_source(folder).digest() == before
    (folder / "year=2021").rename(folder / "year=2022")
    assert open_source(folder).digest() != before


def test_a_sample_reads_only_the_beginning(tmp_path: Path) -> None:
    rows = "".join(f'{i},"a, {i}\n"\n' for i in range(600_000))
    (tmp_path / "a.csv").write_text(f"user_id,x\n{rows}broken\n")
    head = open_source(tmp_path / "a.csv").head(5)
    assert head["user_id"].to_pylist() == [0, 1, 2, 3, 4]
