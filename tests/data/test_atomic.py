import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from incentive_engine.data.tables.files import atomic_directory, atomic_file
from incentive_engine.errors import DataError


def left_in(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_a_directory_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "first"
    with atomic_directory(target) as partial:
        (partial / "sub").mkdir()
        (partial / "sub" / "a.txt").write_text("a")
        assert not target.exists()
        assert partial.parent == target.parent
    assert left_in(tmp_path) == ["runs", "runs/first", "runs/first/sub", "runs/first/sub/a.txt"]
    assert target.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("make", [atomic_directory, atomic_file])
def test_a_place_that_is_taken_is_left_alone(
    tmp_path: Path, make: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(DataError, match="exists already"), make(tmp_path / "run"):
        pass
    assert (tmp_path / "run").read_text() == "mine"
    assert left_in(tmp_path) == ["run"]


def write_half(
    target: Path, make: Callable[[Path], AbstractContextManager[Path]], end: Callable[[], None]
) -> None:
    with make(target) as partial:
        (partial / "half.txt" if partial.is_dir() else partial).write_text("half")
        end()


def test_a_directory_that_appears_meanwhile_is_left_alone(tmp_path: Path) -> None:
    def interfere() -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "theirs.txt").write_text("theirs")

    with pytest.raises(DataError, match="cannot be written"):
        write_half(tmp_path / "run", atomic_directory, interfere)
    assert left_in(tmp_path) == ["run", "run/theirs.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("make", [atomic_directory, atomic_file])
def test_an_error_in_the_middle_leaves_nothing(
    tmp_path: Path,
    error: type[BaseException],
    make: Callable[[Path], AbstractContextManager[Path]],
    *,
    existing: bool,
) -> None:
    def fail() -> None:
        raise error

    parent = tmp_path / "runs" / "today"
    if existing:
        parent.mkdir(parents=True)
    before = left_in(tmp_path)
    with pytest.raises(error):
        write_half(parent / "run", make, fail)
    assert left_in(tmp_path) == before


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full; nothing half-written stays; free some space"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EACCES, "may not be written to; name another place, or ask for access"),
        (errno.EROFS, "may not be written to"),
    ],
)
def test_errors_of_the_disk_are_said_in_words(tmp_path: Path, code: int, words: str) -> None:
    def fail() -> None:
        raise OSError(code, os.strerror(code))

    with pytest.raises(DataError, match=words) as caught:
        write_half(tmp_path / "run", atomic_directory, fail)
    assert str(caught.value).startswith(f"{tmp_path / 'run'}: ")
    assert left_in(tmp_path) == []


def test_an_error_about_another_file_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_directory(tmp_path / "run"):
        (tmp_path.parent / "elsewhere" / "gone.txt").read_text()


def test_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DataError, match="cannot be written"),
        atomic_directory(tmp_path / "file" / "run"),
    ):
        pass


FILL = """
import resource, signal, sys
from pathlib import Path
import numpy as np, pandas as pd
from incentive_engine.data.tables.files import atomic_directory
from incentive_engine.data.tables.frames import write_table
from incentive_engine.errors import DataError
limit = int(sys.argv[3])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
frame = pd.DataFrame({"x": np.random.default_rng(1).random(400_000)})
target = Path(sys.argv[1])
try:
    if sys.argv[2] == "directory":
        with atomic_directory(target) as partial:
            (partial / "small.txt").write_text("small")
            frame.to_parquet(partial / "big.parquet")
    else:
        write_table(frame, target)
except DataError as error:
    sys.exit(f"refused: {error}")
"""


def fill(target: Path, how: str, limit: int = 0) -> str:
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", FILL, str(target), how, str(limit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("name", ["directory", "t.csv", "t.parquet"])
def test_a_file_that_outgrows_its_room_leaves_nothing(tmp_path: Path, name: str) -> None:
    message = fill(tmp_path / name, name, limit=1_000_000)
    assert "the disk is full; nothing half-written stays" in message
    assert left_in(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("mount is not installed")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603 - fixed words
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run([umount, str(disk)], check=True)  # noqa: S603 - fixed words


@pytest.mark.parametrize("name", ["directory", "t.csv", "t.parquet"])
def test_a_full_disk_in_the_middle_of_writing_leaves_nothing(small_disk: Path, name: str) -> None:
    assert "the disk is full; nothing half-written stays" in fill(small_disk / name, name)
    assert left_in(small_disk) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from incentive_engine.data.tables.files import atomic_directory, atomic_file
make = {"run": atomic_directory, "t.csv": atomic_file}[Path(sys.argv[1]).name]
with make(Path(sys.argv[1])) as partial:
    print(partial, flush=True)
    sys.stdin.read(1)
"""


@pytest.mark.parametrize("name", ["run", "t.csv"])
def test_the_next_try_removes_what_a_killed_one_left_and_not_what_another_writes(
    tmp_path: Path, name: str
) -> None:
    target = tmp_path / name
    words = [sys.executable, "-c", KILLED, str(target)]
    writers = [
        subprocess.Popen(  # noqa: S603 - our own
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    left, others = [Path(w.stdout.readline().strip()) for w in writers if w.stdout]
    writers[0].kill()
    writers[0].communicate()
    assert left.exists()
    for partial in (left, others):  # what is new may not have its lock yet, and is left alone
        os.utime(partial, (0, 0))
    with (atomic_directory if name == "run" else atomic_file)(target):
        assert not left.exists()
        assert others.exists()
    writers[1].communicate("x")
