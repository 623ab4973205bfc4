from __future__ import annotations

import os
from pathlib import Path

import pytest

from incentive_engine.errors import ConfigError, DataError
from incentive_engine.run.key_file import Secret, read_secret

KEY = b"a key that only tests have"


def read(file: Path | None) -> Secret | None:
    return read_secret(file, option="--key-file", variable="A_TESTS_KEY")


def written(folder: Path, mode: int) -> Path:
    file = folder / "key"
    file.write_bytes(KEY + b"\n")
    file.chmod(mode)
    return file


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_key_of_ones_own_is_read_without_a_word(mode: int, tmp_path: Path) -> None:
    secret = read(written(tmp_path, mode))
    assert secret == Secret(content=KEY)
    assert "tests" not in repr(secret)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_may_read_is_a_warning(mode: int, tmp_path: Path) -> None:
    secret = read(written(tmp_path, mode))
    assert secret is not None
    assert secret.warnings == (
        f"--key-file {tmp_path / 'key'}: others may read the key; chmod 600 {tmp_path / 'key'}",
    )


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_key_that_others_may_write_is_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="others may write to it"):
        read(written(tmp_path, mode))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_key_of_another_user_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, 0o600)
    os.chown(file, 65534, 65534)
    with pytest.raises(ConfigError, match="others may write to it"):
        read(file)


def test_the_environment_holds_a_key_where_no_file_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_TESTS_KEY", KEY.decode())
    assert read(None) == Secret(content=KEY)
    monkeypatch.setenv("A_TESTS_KEY", " ")
    assert read(None) is None


def test_what_is_no_key_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is no file"):
        read(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is no file"):
        read(tmp_path)
    with pytest.raises(ConfigError, match="is no file"):
        read(Path("/dev/zero"))
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "absent")
    (tmp_path / "long").write_bytes(b"x" * 5000)
    (tmp_path / "long").chmod(0o600)
    with pytest.raises(ConfigError, match="a key of 4097 bytes, expected at most 4096"):
        read(tmp_path / "long")
