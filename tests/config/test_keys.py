"""Callers are told apart by their keys."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from incentive_engine.config.access.keys import Keys
from incentive_engine.errors import ConfigError

LETTERS = "0123456789abcdef"


def written(folder: Path, *entries: str) -> Path:
    file = folder / "keys.yaml"
    file.write_text("keys:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries))
    return file


def test_two_callers_with_one_key_are_refused(tmp_path: Path) -> None:
    digest = hashlib.sha256(LETTERS.encode()).hexdigest()
    file = written(
        tmp_path,
        f"name: shop, key: {LETTERS}, roles: [decide]",
        f"name: boss, sha256: '{digest}', roles: [admin]",
    )
    with pytest.raises(ConfigError, match="`boss` has the key of `shop`"):
        Keys(file)


def test_each_caller_is_found_by_the_own_key(tmp_path: Path) -> None:
    other = LETTERS[::-1]
    keys = Keys(
        written(
            tmp_path,
            f"name: shop, key: {LETTERS}, roles: [decide]",
            f"name: boss, key: {other}, roles: [admin]",
        )
    )
    assert [getattr(keys.find(secret), "name", None) for secret in (LETTERS, other, "x")] == [
        "shop", "boss", None,
    ]  # fmt: skip
