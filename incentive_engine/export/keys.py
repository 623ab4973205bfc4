"""The secret key, and what is derived from it: codes nobody can guess, ids nobody can read.

One key gives the same codes in every run. It comes from the environment or from a file, and no
output holds it: only its fingerprint, which tells whether two exports used the same one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.run.key_file import read_secret


class SecretKey:
    """A key; it shows nothing of itself."""

    VARIABLE: ClassVar[str] = "INCENTIVE_KEY"
    ALPHABET: ClassVar = np.frombuffer(b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ", dtype=np.uint8)
    """Of codes: 32 characters without 0, 1, I and O, which people confuse; another one changes
    every code."""
    LENGTH: ClassVar[int] = 16
    """Characters of a code, five bits each: 80 bits, of which ten million users take 2^23."""

    def __init__(self, secret: bytes, *, warnings: tuple[str, ...] = ()) -> None:
        self._secret = secret
        self.warnings = warnings

    def __repr__(self) -> str:
        return f"SecretKey({self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """Tells whether two exports used the same key; the key cannot be had from it."""
        return self._derive("fingerprint").hex()[:16]

    def codes(self, campaign: str, offer: str, user_id: pa.Array) -> pa.Array:
        """Return a code per user for one offer of a campaign.

        Parameters
        ----------
        user_id
            (n,) string.

        Returns
        -------
        (n,) string, 16 characters, the same for the same key, campaign, offer and user.
        """
        hmac_of = _hmac(self._derive("code", campaign, offer))
        size = self.LENGTH * 5 // 8
        digests = b"".join(hmac_of(user)[:size] for user in user_id.to_pylist())
        return _as_codes(np.frombuffer(digests, dtype=np.uint8).reshape(-1, size))

    def hashed(self, user_id: pa.Array) -> pa.Array:
        """Return ids that tell users apart and do not say who they are, (n,) string, 64 hex."""
        hmac_of = _hmac(self._derive("user"))
        return pa.array([hmac_of(user).hex() for user in user_id.to_pylist()], pa.string())

    def _derive(self, *purpose: str) -> bytes:
        text = json.dumps(["incentive engine", *purpose])
        return hmac.digest(self._secret, text.encode(), hashlib.sha256)


def read_key(file: Path | None) -> SecretKey | None:
    """Return the key of a file, or of the environment where none is named.

    Raises
    ------
    ConfigError
        When it is too short, or others may write to the file.
    DataError
        When the file cannot be read.
    """
    secret = read_secret(file, option="--key-file", variable=SecretKey.VARIABLE)
    return SecretKey(secret.content, warnings=secret.warnings) if secret else None


class UniqueCodes:
    """Sees that no code is given twice; keeps twelve bytes of each."""

    def __init__(self) -> None:
        self._starts: list[npt.NDArray[np.uint64]] = []
        self._ends: list[npt.NDArray[np.uint32]] = []

    def add(self, codes: pa.Array) -> None:
        """Take note of codes, (n,) string."""
        text = np.array(codes.to_pylist(), dtype=f"S{SecretKey.LENGTH}")
        digits = np.searchsorted(
            SecretKey.ALPHABET, text.view(np.uint8).reshape(-1, SecretKey.LENGTH)
        )
        # characters of a code that fit into 64 bits; the rest fits into 32
        half = 12
        self._starts.append(_packed(digits[:, :half]))
        self._ends.append(_packed(digits[:, half:]).astype(np.uint32))

    def check(self) -> None:
        """Refuse codes that several users would share.

        Raises
        ------
        DataError
            When there are any: among ten million, once in ten billion campaigns.
        """
        if not self._starts:
            return
        starts = np.concatenate(self._starts)
        ordered = np.sort(starts)
        alike = np.isin(starts, ordered[1:][ordered[1:] == ordered[:-1]])
        ends = np.concatenate(self._ends)[alike].astype(np.uint64)
        pairs = np.stack([starts[alike], ends], axis=1)
        if twice := len(pairs) - len(np.unique(pairs, axis=0)):
            what = say("{twice} codes would be given twice", twice=twice)
            raise DataError(Fault("codes", what, "each once", "use another key"))


def _hmac(key: bytes) -> Callable[[str], bytes]:
    """Return HMAC-SHA-256 under one key of at most 64 bytes, which is set up once for all users.

    Half the time of `hmac.digest`, which sets up the key each time.

    References
    ----------
    RFC 2104, section 4.
    """
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def hmac_of(text: str) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(text.encode())
        second.update(first.digest())
        return second.digest()

    return hmac_of


def _packed(digits: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Return numbers of five bits a digit, (n,) uint64."""
    packed = np.zeros(len(digits), dtype=np.uint64)
    for column in digits.T.astype(np.uint64):
        packed = (packed << np.uint64(5)) | column
    return packed


def _as_codes(digests: npt.NDArray[np.uint8]) -> pa.Array:
    length = SecretKey.LENGTH
    bits = np.unpackbits(digests, axis=1).reshape(len(digests), length, 5)
    places = bits @ np.array([16, 8, 4, 2, 1], dtype=np.uint8)
    letters = np.ascontiguousarray(SecretKey.ALPHABET[places])
    offsets = np.arange(0, letters.size + 1, length, dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(letters)]
    return pa.Array.from_buffers(pa.string(), len(digests), buffers)
