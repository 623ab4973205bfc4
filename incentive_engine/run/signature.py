"""A signature of a run's manifest, which holds the digests of all other files.

Whoever can write to a run directory can make its files, digests and figures fit each other; who
does not have the key cannot sign them. The signature is HMAC-SHA-256, so whoever checks it holds
the same key as who made it.

References
----------
RFC 2104.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from incentive_engine.errors import DataError, Fault, VerificationError
from incentive_engine.language import say
from incentive_engine.run.finished import FinishedRun
from incentive_engine.run.format import RunFile, read_stated
from incentive_engine.run.key_file import read_secret
from incentive_engine.run.records import write_record
from incentive_engine.run.statements import StatedSignature


class SigningKey:
    """A key that signs runs; it shows nothing of itself."""

    OPTION: ClassVar[str] = "--signing-key"
    VARIABLE: ClassVar[str] = "INCENTIVE_SIGNING_KEY"
    ALGORITHM: ClassVar[str] = "HMAC-SHA-256"

    def __init__(self, secret: bytes, *, warnings: tuple[str, ...] = ()) -> None:
        # keeps a key that serves for other things from signing by accident
        self._key = hmac.digest(secret, b"incentive engine: manifest of a run", hashlib.sha256)
        self.warnings = warnings

    def __repr__(self) -> str:
        return f"SigningKey({self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """Tells keys apart; the key cannot be had from it."""
        return self.sign(b"fingerprint")[:16]

    def sign(self, content: bytes) -> str:
        """Return the signature of a content, 64 hexadecimal digits."""
        return hmac.digest(self._key, content, hashlib.sha256).hex()


def read_signing_key(file: Path | None) -> SigningKey | None:
    """Return the key of a file, or of the environment where none is named; None without any.

    Raises
    ------
    ConfigError
        When it is too short, or others may write to the file.
    DataError
        When the file cannot be read.
    """
    secret = read_secret(file, option=SigningKey.OPTION, variable=SigningKey.VARIABLE)
    return SigningKey(secret.content, warnings=secret.warnings) if secret else None


def sign_run(directory: Path, key: SigningKey, *, now: datetime) -> None:
    """Sign a run as its manifest stands, in place of an earlier signature.

    Raises
    ------
    DataError
        When the run directory may not be written to.
    """
    content = (directory / RunFile.MANIFEST).read_bytes()
    signature = StatedSignature(
        algorithm=key.ALGORITHM,
        key=key.fingerprint,
        signature=key.sign(content),
        at=now.isoformat(timespec="seconds"),
    )
    write_record(directory / RunFile.SIGNATURE, signature.model_dump())


def signature_problem(directory: Path, key: SigningKey) -> str:
    """Return why a run does not count as signed with a key; nothing when it does."""
    path = directory / RunFile.SIGNATURE
    if not path.exists():
        return "the run is not signed, and a key is at hand"
    try:
        stated = read_stated(path, StatedSignature)
    except DataError as error:
        return str(error.faults[0])
    if stated.algorithm != key.ALGORITHM:
        return f"it is signed by {stated.algorithm}, expected {key.ALGORITHM}"
    if stated.key != key.fingerprint:
        return f"it is signed with the key {stated.key}, at hand is {key.fingerprint}"
    # the bytes as they are: a manifest that was only laid out anew is not what was signed
    expected = key.sign((directory / RunFile.MANIFEST).read_bytes())
    # in constant time: how long a comparison takes must not tell how far it came
    if not hmac.compare_digest(stated.signature, expected):
        return "manifest.json is not what was signed"
    return ""


def refuse_unsigned(run: FinishedRun, key: SigningKey | None) -> None:
    """Refuse a run that its policy wants signed, where no key is at hand to check it with.

    With a key, verification has looked at the signature.

    Raises
    ------
    VerificationError
        When there is none.
    """
    demanded = run.policy.signature is not None and run.policy.signature.required
    if demanded and key is None:
        what = "the policy demands a signature, and no key is at hand to check it with"
        remedy = say(
            "give {option} FILE, or {variable}",
            option=SigningKey.OPTION,
            variable=SigningKey.VARIABLE,
        )
        raise VerificationError(Fault(str(run.directory), what, remedy=remedy))
