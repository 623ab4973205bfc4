"""A policy's text, read and saved so that nobody's change is lost."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from incentive_engine.config.document.draft import PolicyDraft, read_draft
from incentive_engine.data.tables.files import publish, writing_to
from incentive_engine.data.tables.unfinished import held, remove_path, unfinished_name
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import message_of, say

_saving = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyText:
    """A policy as its file has it.

    Attributes
    ----------
    digest
        sha256 of the bytes, by which a later save tells whether somebody was faster.
    """

    text: str
    digest: str
    draft: PolicyDraft


def read_policy_text(path: Path, *, require_data: bool = False) -> PolicyText:
    """Read a policy's text; faults of its content stand in the draft.

    Raises
    ------
    DataError
        When the file cannot be read, or is no text.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise DataError(
            Fault(path.name, say("studio.unreadable"), remedy=message_of(error))
        ) from None
    except UnicodeDecodeError:
        raise DataError(Fault(path.name, say("studio.unreadable"), "UTF-8")) from None
    # bytes of a policy that the studio opens
    largest = 1_000_000
    if len(content) > largest:
        raise DataError(
            Fault(path.name, say("studio.too_large", most=largest), remedy=say("studio.send_less"))
        )
    return PolicyText(
        text=text,
        digest=_digest(content),
        draft=read_draft(text, path, require_data=require_data),
    )


class ConflictError(DataError):
    """A file is not what the change was made to; both texts are kept.

    Attributes
    ----------
    current
        What stands in the file now.
    """

    def __init__(self, path: Path, current: PolicyText) -> None:
        """Say so, with what stands there."""
        super().__init__(
            Fault(path.name, say("studio.conflict"), remedy=say("studio.conflict_remedy"))
        )
        self.current = current


def save_policy_text(path: Path, text: str, *, digest: str) -> PolicyText:
    """Put a text in a policy's place, whole or not at all.

    Parameters
    ----------
    digest
        Of the text that the change was made to.

    Raises
    ------
    ConflictError
        When the file holds another text by now.
    DataError
        When it cannot be written, or the disk is full: the file is as it was.
    """
    with _saving:
        current = read_policy_text(path)
        if current.digest != digest:
            raise ConflictError(path, current)
        with _replacing(path) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    return read_policy_text(path)


def save_new_policy(path: Path, text: str) -> PolicyText:
    """Write a policy under a name that is free.

    Raises
    ------
    DataError
        When it is taken, or the file cannot be written.
    """
    with _saving:
        if path.exists():
            raise DataError(Fault(path.name, say("studio.name_taken"), remedy="name another one"))
        with _replacing(path) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    return read_policy_text(path)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a file beside a path that takes its place at the end, or vanishes on any error."""
    mode = path.stat().st_mode & 0o777 if path.exists() else None
    partial = unfinished_name(path)
    try:
        with writing_to(path):
            partial.touch()
            with held(partial):
                yield partial
            publish(partial, path)
            if mode is not None:
                path.chmod(mode)
    finally:
        remove_path(partial)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
