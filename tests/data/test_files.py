import errno
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.data.sources import open_source, read_table
from incentive_engine.data.tables.files import digest_file
from incentive_engine.data.tables.frames import to_frame, write_table
from incentive_engine.errors import DataError
from incentive_engine.verify.recomputed.blocks import slices

PERSON = "Zhang San"


def read_frame(path: Path, columns: Collection[str] | None = None) -> pd.DataFrame:
    return to_frame(read_table(path, columns))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def complaint(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path)
    return str(caught.value).removeprefix(f"{path}: ")


def blocks_of(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    return open_source(path).blocks(columns)


@pytest.mark.parametrize("reader", [blocks_of, slices])
def test_what_is_held_of_a_file_does_not_grow_with_its_row_groups(
    reader: Callable[[Path, list[str]], Iterator[pa.Table]], tmp_path: Path
) -> None:
    rows, path = 1 << 21, tmp_path / "scores.parquet"
    noise = pa.array(np.random.default_rng(1).random(rows))
    pq.write_table(pa.table({"score": noise}), path, row_group_size=rows // 16)
    del noise
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in reader(path, ["score"])]
    assert len(held) >= 8
    assert max(held) < 0.5 * 8 * rows


def test_csv_types_follow_from_all_of_a_column(tmp_path: Path) -> None:
    rows = "U1,88VIP,31,1.5,2024-01-31,true\nU2,,,2,2024-02-01,false\n"
    text = f"user_id,tier,age,spend,joined,vip\n{rows}"
    frame = read_frame(write(tmp_path / "users.csv", text))
    assert frame.dtypes.astype("str").to_dict() == {
        "user_id": "str", "tier": "str", "age": "float64", "spend": "float64",
        "joined": "datetime64[ms]", "vip": "bool",
    }  # fmt: skip
    assert frame["tier"].isna().tolist() == [False, True]


def test_a_number_column_with_one_late_text_is_text_throughout(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i}\n" for i in range(300_000))
    frame = read_frame(write(tmp_path / "a.csv", f"user_id,x\n{rows}last,word\n"))
    assert frame["x"].tolist()[-2:] == ["299999", "word"]
    assert frame["user_id"].dtype == "str"


@pytest.mark.parametrize("odd", ["007", "+7", "7.0", "1e3", " 7", "12345678901234567890"])
def test_csv_ids_are_integers_only_if_all_are_canonical(tmp_path: Path, odd: str) -> None:
    assert read_frame(write(tmp_path / "a.csv", "user_id,x\n7,1\n-8,2\n"))["user_id"].tolist() == [
        7,
        -8,
    ]
    frame = read_frame(write(tmp_path / "b.csv", f"user_id,x\n7,1\n{odd},2\n"))
    assert frame["user_id"].tolist() == ["7", odd]


def test_text_that_looks_like_a_missing_number_stays_text(tmp_path: Path) -> None:
    frame = read_frame(write(tmp_path / "a.csv", "user_id,code,n\nNA,NA,NA\nNULL,x,2\n"))
    assert frame["user_id"].tolist() == ["NA", "NULL"]
    assert frame["code"].tolist() == ["NA", "x"]
    assert np.isnan(frame["n"][0])


def test_a_byte_order_mark_and_quoted_commas_and_newlines_are_read(tmp_path: Path) -> None:
    text = b'\xef\xbb\xbfuser_id,note\n1,"a, b"\n2,"c\nd"\n'
    assert read_frame(write(tmp_path / "a.csv", text))["note"].tolist() == ["a, b", "c\nd"]


def test_an_unnamed_index_is_no_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"user_id": [5, 6]}, index=[3, 4])
    frame.to_csv(tmp_path / "a.csv")
    frame.to_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        assert list(read_frame(tmp_path / name).columns) == ["user_id"]


def test_an_index_that_has_a_name_is_a_column(tmp_path: Path) -> None:
    pd.DataFrame({"user_id": [5, 9, 6], "x": 1}).set_index("user_id").to_parquet(tmp_path / "a.pq")
    assert read_frame(tmp_path / "a.pq")["user_id"].tolist() == [5, 9, 6]


def test_only_named_columns_are_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1], "b": [2], "c": [3]})
    for name in ("t.csv", "t.parquet"):
        write_table(frame, tmp_path / name)
        assert list(read_frame(tmp_path / name, {"c", "a", "z"}).columns) == ["a", "c"]
        assert open_source(tmp_path / name).columns == ("a", "b", "c")


def test_parquet_types_become_plain(tmp_path: Path) -> None:
    table = pa.table(
        {
            "user_id": pa.array([1, 2], pa.int32()),
            "tier": pa.array(["a", None]).dictionary_encode(),
            "money": pa.array([1, None], pa.decimal128(10, 2)),
            "flag": pa.array([True, None]),
            "nothing": pa.nulls(2),
            "day": pa.array([0, 1], pa.date32()),
            "at": pa.array([0, 1], pa.timestamp("us", tz="Asia/Shanghai")),
            "blob": pa.array([b"x", b"y"]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    frame = read_frame(tmp_path / "a.parquet")
    assert frame.dtypes.astype("str").to_dict() == {
        "user_id": "int32", "tier": "str", "money": "float64", "flag": "float64",
        "nothing": "float64", "day": "datetime64[ms]", "at": "datetime64[us]", "blob": "str",
    }  # fmt: skip


TABLES = st.integers(1, 30).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "user_id": st.lists(st.integers(0, 10**9), min_size=n, max_size=n, unique=True),
            "tier": st.lists(
                st.text(st.characters(codec="utf-8", exclude_characters="\x00\r")),
                min_size=n,
                max_size=n,
            ),
            "x": st.lists(st.floats(allow_nan=False), min_size=n, max_size=n),
        }
    )
)


@given(columns=TABLES, suffix=st.sampled_from([".csv", ".parquet"]))
def test_a_table_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, list[object]], suffix: str
) -> None:
    path = tmp_path_factory.mktemp("trip") / f"t{suffix}"
    frame = pd.DataFrame(columns)
    write_table(frame, path)
    back = read_frame(path)
    assert back["user_id"].tolist() == columns["user_id"]
    assert back["x"].tolist() == columns["x"]
    if suffix == ".parquet":
        pd.testing.assert_frame_equal(back, frame)


def test_a_missing_file_is_named_with_its_nearest_neighbour(tmp_path: Path) -> None:
    write(tmp_path / "trial.csv", "a\n1\n")
    assert complaint(tmp_path / "tril.csv") == "no such file; did you mean `trial.csv`?"
    assert complaint(tmp_path / "no" / "t.csv") == "no such file; look at the path"


def test_a_directory_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    assert complaint(tmp_path / "t.csv") == (
        "is a directory without Parquet files, expected files that end in .parquet;"
        " name the file itself"
    )


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "t.csv").touch()
    monkeypatch.setattr(Path, "open", forbid)
    assert complaint(tmp_path / "t.csv").startswith("cannot be read: access is not permitted; ask")
    with pytest.raises(DataError, match="access is not permitted"):
        digest_file(tmp_path / "t.csv")


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    assert complaint(write(tmp_path / name, "")) == (
        "is empty, expected a table with a header; write it anew"
    )


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    assert complaint(write(tmp_path / "t.csv", "user_id,x\n")).startswith("has no rows")
    pd.DataFrame({"user_id": [], "x": []}).to_parquet(tmp_path / "t.parquet")
    assert complaint(tmp_path / "t.parquet").startswith("has no rows")


@pytest.mark.parametrize("name", ["t.xlsx", "t"])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    assert "expected .csv or .parquet" in complaint(write(tmp_path / name, "x"))


def test_a_file_cut_off_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    pd.DataFrame({"user_id": range(1000)}).to_parquet(whole)
    cut = write(tmp_path / "cut.parquet", whole.read_bytes()[:-100])
    assert complaint(cut).startswith("is damaged, cut off, or not Parquet")


def test_a_file_with_a_damaged_middle_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    pd.DataFrame({"user_id": np.arange(9000) * 7919 % 9001}).to_parquet(whole)
    content = bytearray(whole.read_bytes())
    content[100:2000] = b"\xff" * 1900
    assert complaint(write(tmp_path / "t.parquet", bytes(content))).startswith("is damaged")


def test_csv_named_parquet_is_refused(tmp_path: Path) -> None:
    assert complaint(write(tmp_path / "t.parquet", "user_id\n1\n")).startswith("is damaged")


@pytest.mark.parametrize(
    "content",
    [
        f"user_id,name\n1,{PERSON}\n".encode("utf-16"),
        b"user_id,n\xe4me\n1,2\n",
        b"user_id,name\n1,\xb2\xe2\xca\xd4\n",
        b"user_id,name\n\xb2\xe2,1\n",
    ],
)
def test_text_that_is_not_utf8_is_refused(tmp_path: Path, content: bytes) -> None:
    message = complaint(write(tmp_path / "t.csv", content))
    assert message.endswith('expected UTF-8; save it as "CSV UTF-8"')


def test_bytes_in_parquet_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": pa.array([b"\xff"])}), tmp_path / "t.parquet")
    assert complaint(tmp_path / "t.parquet") == (
        "column `x` is not UTF-8, expected UTF-8; write it anew as UTF-8"
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_that_appears_twice_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        write(path, "user_id,x,x,y,y,y\n1,2,3,4,5,6\n")
    else:
        names = ["user_id", "x", "x", "y", "y"]
        pq.write_table(pa.Table.from_arrays([pa.array([1])] * 5, names=names), path)
    assert complaint(path) == (
        "columns appear more than once: x, y, expected each name once; rename or drop one of each"
    )


def test_rows_of_uneven_length_are_counted_and_located_but_not_shown(tmp_path: Path) -> None:
    rows = ["1,2", "2", f"3,{PERSON},9", "4,5", "5,6,7", "6"]
    message = complaint(write(tmp_path / "t.csv", "user_id,x\n" + "\n".join(rows) + "\n"))
    assert "4 rows have another number of columns than the header" in message
    assert "line 3 has 1, line 4 has 3, line 6 has 3" in message
    assert PERSON not in message


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_is_recognised(tmp_path: Path, separator: str) -> None:
    message = complaint(write(tmp_path / "t.csv", f"user_id{separator}x\n1{separator}2\n"))
    assert message == (
        f"the header is separated by {separator!r}, expected columns separated by commas;"
        " save it with commas"
    )


def test_a_quote_that_is_never_closed_is_refused(tmp_path: Path) -> None:
    message = complaint(write(tmp_path / "t.csv", 'user_id,x\n1,"a\n2,b\n'))
    assert message.startswith("a quoted value is never closed")


def test_a_name_with_a_dot_is_a_name(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"a.b": [1], "a": [2], "c": [3]}), tmp_path / "t.parquet")
    assert list(read_frame(tmp_path / "t.parquet", {"a"}).columns) == ["a"]


def test_lists_in_cells_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": [1], "tags": [["a"]]}), tmp_path / "t.parquet")
    message = complaint(tmp_path / "t.parquet")
    assert message == (
        "columns hold lists or structures: tags (list<element: string>), expected one value per"
        " cell; flatten or leave them out"
    )


# --- parts


def write_parts(directory: Path) -> None:
    directory.mkdir()
    pd.DataFrame({"x": [3, 4], "y": ["c", None]}).to_parquet(directory / "part-1.parquet")
    pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}).to_parquet(directory / "part-0.parquet")
    (directory / "_SUCCESS").write_text("", encoding="ascii")
    (directory / ".part-2.parquet.crc").write_bytes(b"x")


def test_parts_of_a_directory_follow_one_another_by_name(tmp_path: Path) -> None:
    write_parts(tmp_path / "scores")
    table = read_table(tmp_path / "scores")
    assert table.to_pydict() == {"x": [1, 2, 3, 4], "y": ["a", "b", "c", None]}
    blocks = list(blocks_of(tmp_path / "scores", ["x"]))
    assert [value for block in blocks for value in block["x"].to_pylist()] == [1, 2, 3, 4]
    digest = digest_file(tmp_path / "scores")
    pd.DataFrame({"x": [9], "y": ["z"]}).to_parquet(tmp_path / "scores" / "part-2.parquet")
    assert digest_file(tmp_path / "scores") != digest


def test_parts_with_other_columns_are_named(tmp_path: Path) -> None:
    write_parts(tmp_path / "scores")
    pd.DataFrame({"x": [5]}).to_parquet(tmp_path / "scores" / "part-2.parquet")
    with pytest.raises(DataError, match=r"part-2.parquet: has other columns than part-0.parquet"):
        read_table(tmp_path / "scores")


def test_a_changed_file_has_another_digest_however_soon_it_is_asked_for(tmp_path: Path) -> None:
    """Files of the same size, changed just now, and long after the first look."""
    file = tmp_path / "t.csv"
    seen = set()
    for content, later in (("a", 0.0), ("b", 1.1), ("c", 0.0), ("d", 0.0)):
        file.write_text(content, encoding="utf-8")
        time.sleep(later)
        seen |= {digest_file(file), digest_file(file)}
    assert len(seen) == 4
