from __future__ import annotations

import hmac
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from incentive_engine.errors import ConfigError, DataError
from incentive_engine.export.keys import SecretKey, UniqueCodes, _hmac, read_key

from .exports import KEY


def test_a_code_that_two_users_share_is_found() -> None:
    codes = KEY.codes("c", "a", pa.array([str(user) for user in range(1000)]))
    unique = UniqueCodes()
    unique.add(codes)
    unique.check()
    unique.add(codes.slice(17, 1))
    with pytest.raises(DataError, match="1 codes would be given twice"):
        unique.check()


def test_codes_that_begin_alike_are_no_reason_to_refuse() -> None:
    unique = UniqueCodes()
    unique.add(pa.array(["AAAABBBBCCCCDDDD", "AAAABBBBCCCCDDDE"]))
    unique.check()


def test_codes_depend_on_the_key_the_campaign_the_offer_and_the_user() -> None:
    users = pa.array(["1", "2"])
    other = SecretKey(b"another key of enough bytes")
    made_codes = [
        *KEY.codes("c", "a", users).to_pylist(),
        *KEY.codes("c", "b", users).to_pylist(),
        *KEY.codes("d", "a", users).to_pylist(),
        *other.codes("c", "a", users).to_pylist(),
    ]
    assert len(set(made_codes)) == 8
    assert KEY.codes("c", "a", users).to_pylist() == made_codes[:2]


def test_every_letter_of_a_code_is_as_likely_as_any_other() -> None:
    codes = KEY.codes("c", "a", pa.array([str(user) for user in range(20_000)]))
    letters, counts = np.unique(list("".join(codes.to_pylist())), return_counts=True)
    assert "".join(letters) == "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    expected = 20_000 * 16 / 32
    chi_squared = float(((counts - expected) ** 2 / expected).sum())
    assert chi_squared < 72  # 31 degrees of freedom; exceeded once in twenty thousand keys


def test_hashes_are_those_of_the_standard() -> None:
    for text in ("", "101", "预热 😀"):
        expected = hmac.digest(b"k" * 32, text.encode(), "sha256")
        assert _hmac(b"k" * 32)(text) == expected


def test_a_key_comes_from_a_file_or_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INCENTIVE_KEY", raising=False)
    assert read_key(None) is None
    (tmp_path / "key").write_bytes(b"a key that only tests have\n")
    monkeypatch.setenv("INCENTIVE_KEY", "a key that only tests have")
    from_file, from_environment = read_key(tmp_path / "key"), read_key(None)
    assert from_file is not None
    assert from_environment is not None
    assert from_file.fingerprint == from_environment.fingerprint == KEY.fingerprint
    assert "tests" not in repr(from_file)


def test_a_key_that_is_short_or_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ConfigError, match="a key of 5 bytes, expected at least 16"):
        read_key(tmp_path / "key")
    with pytest.raises(DataError, match="cannot be read"):
        read_key(tmp_path / "absent")
