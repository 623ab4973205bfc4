"""An object store of one's own: enough of S3 to list a bucket and read objects."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pandas as pd
import pytest

from incentive_engine.config.access.location import parse_location
from incentive_engine.data.sources import open_source
from incentive_engine.errors import DataError

SECRET = "hunter2hunter2"  # noqa: S105 - of no store
ENTRY = (
    "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>&quot;{size}&quot;</ETag>"
    "<LastModified>2026-11-01T00:00:00.000Z</LastModified></Contents>"
)
LISTING = (
    '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Name>bucket</Name><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
)


class Bucket(ThreadingHTTPServer):
    """Serves the files of a folder as objects of `bucket`, and counts what was read."""

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root
        self.read: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Bucket

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        file = self.server.root / key
        if bucket != "bucket":
            self._send(404, b"<Error><Code>NoSuchBucket</Code></Error>", with_body=with_body)
        elif not key:
            prefix = parse_qs(url.query).get("prefix", [""])[0]
            self._send(200, self._listing(prefix), with_body=with_body)
        elif file.is_file():
            if with_body:
                self.server.read.append(key)
            self._send(200, file.read_bytes(), with_body=with_body)
        else:
            self._send(404, b"<Error><Code>NoSuchKey</Code></Error>", with_body=with_body)

    def _listing(self, prefix: str) -> bytes:
        root = self.server.root
        keys = {str(file.relative_to(root)): file for file in root.rglob("*") if file.is_file()}
        entries = "".join(
            ENTRY.format(key=key, size=file.stat().st_size)
            for key, file in sorted(keys.items())
            if key.startswith(prefix)
        )
        return LISTING.format(entries=entries).encode()

    def _send(self, code: int, body: bytes, *, with_body: bool) -> None:
        start, end = 0, len(body)
        if code == 200 and (asked := self.headers.get("Range")):
            low, _, high = asked.removeprefix("bytes=").partition("-")
            start, end = int(low), min(int(high) + 1, end) if high else end
            code = 206
            self.send_response(code)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(body)}")
        else:
            self.send_response(code)
        self.send_header("Content-Length", str(end - start))
        self.send_header("Last-Modified", formatdate(1_793_000_000, usegmt=True))
        self.send_header("ETag", f'"{len(body)}"')
        self.end_headers()
        if with_body:
            self.wfile.write(body[start:end])


@pytest.fixture(name="bucket")
def _bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    root = tmp_path / "bucket"
    for year in (2025, 2026):
        (root / "users" / f"year={year}").mkdir(parents=True)
        frame = pd.DataFrame({"user_id": [year * 10, year * 10 + 1]})
        frame.to_parquet(root / "users" / f"year={year}" / "a.parquet")
    (root / "one.csv").write_text("user_id,x\n007,1\n")
    (root / "notes.txt").write_text("no table")
    server = Bucket(root)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "INCENTIVE_CACHE": str(tmp_path / "cache"),
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    yield server
    server.shutdown()
    server.server_close()


def place(bucket: Bucket, path: str) -> str:
    port = bucket.server_address[1]
    return f"s3://{path}?scheme=http&region=x&endpoint_override=127.0.0.1%3A{port}"


def test_a_folder_of_an_object_store_is_read_once_with_its_folder_columns(bucket: Bucket) -> None:
    location = parse_location(place(bucket, "bucket/users"))
    rows = open_source(location).table().to_pylist()
    assert [row["year"] for row in rows] == [2025, 2025, 2026, 2026]
    assert rows[0]["user_id"] == 20250
    read = len(bucket.read)
    assert open_source(location).table().num_rows == 4
    assert len(bucket.read) == read


def test_one_file_and_a_pattern_are_read(bucket: Bucket) -> None:
    file = open_source(parse_location(place(bucket, "bucket/one.csv")))
    assert file.table()["user_id"].to_pylist() == ["007"]
    some = open_source(parse_location(place(bucket, "bucket/users/year=2026/*.parquet")))
    assert some.table()["user_id"].to_pylist() == [20260, 20261]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("users/*.parquet", None),
        ("users/*", [20250, 20251, 20260, 20261]),
        ("users/**/*.parquet", [20250, 20251, 20260, 20261]),
        ("users/year=202[6]/[ab].parquet", [20260, 20261]),
    ],
)
def test_a_pattern_means_the_same_in_an_object_store_and_on_a_disk(
    bucket: Bucket, pattern: str, expected: list[int] | None
) -> None:
    found = []
    for text in (place(bucket, f"bucket/{pattern}"), str(bucket.root / pattern)):
        try:
            found.append(open_source(parse_location(text)).table()["user_id"].to_pylist())
        except DataError:
            found.append(None)
    assert found == [expected, expected]


@pytest.mark.parametrize("path", ["bucket/none.csv", "bucket/none/", "elsewhere/a.parquet"])
def test_what_an_object_store_does_not_have_is_told_without_keys(
    bucket: Bucket, path: str
) -> None:
    with pytest.raises(DataError) as caught:
        open_source(parse_location(place(bucket, path)))
    assert path.split("/", maxsplit=1)[0] in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_address_that_is_none_is_told_without_keys(bucket: Bucket) -> None:
    for path in ("bucket/?.parquet", "bucket/one.csv?wrong=1"):
        with pytest.raises(DataError, match="is no address of an object store") as caught:
            open_source(parse_location(place(bucket, path)))
        assert SECRET not in str(caught.value)
