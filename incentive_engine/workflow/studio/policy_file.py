"""A policy's text, read and saved so that nobody's change is lost.

Two people's changes of one policy are both kept where they touch different fields.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incentive_engine.config.document.draft import PolicyDraft, read_draft
from incentive_engine.config.document.editing import Edit, edited, flow_text, plain_of
from incentive_engine.config.document.places import Loc, items_by_name
from incentive_engine.data.tables.files import atomic_file, publish, writing_to
from incentive_engine.data.tables.unfinished import held, remove_path, unfinished_name
from incentive_engine.errors import DataError, Fault
from incentive_engine.insight.budget.policy_options import default_policy
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


def copy_samples(folder: Path) -> tuple[Path, ...]:
    """Copy the sample policies into a folder, and return those that were not there.

    Raises
    ------
    DataError
        When the folder may not be written to, or the disk is full.
    """
    copies = []
    for source in sorted(default_policy().parent.glob("*.yaml")):
        target = folder / source.name
        if not target.exists():
            with atomic_file(target) as partial:
                shutil.copyfile(source, partial)
            copies.append(target)
    return tuple(copies)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A text with both changes.

    Attributes
    ----------
    both
        Fields that both have changed, each to something else: mine stand in the text.
    """

    text: str
    both: tuple[str, ...]


def merged(base: str, mine: str, theirs: str) -> Merged:
    """Return the other's text with my changes on top.

    Parameters
    ----------
    base
        What both began with.

    Raises
    ------
    ConfigError
        When a text is no YAML, or my changes do not fit the other's text.
    """
    before, after, other = (plain_of(text) for text in (base, mine, theirs))
    changed = {difference.path for difference in _differences(before, other, before)}
    text, both = theirs, []
    for difference in _differences(before, after, other):
        if any(_overlap(difference.path, path) for path in changed):
            both.append(".".join(difference.path))
        value = None if difference.value is None else flow_text(difference.value)
        text = edited(text, [Edit(loc=difference.loc, value=value)])
    return Merged(text=text, both=tuple(both))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    """A value that is another.

    Attributes
    ----------
    loc
        The way to it in the text that is to be changed.
    path
        The same by names, whatever stands before it in lists.
    value
        The new one; None where it is removed.
    """

    loc: Loc
    path: tuple[str, ...]
    value: object


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one way leads to the other, or into it."""
    return one[: len(other)] == other or other[: len(one)] == one


def _differences(
    before: Any,  # noqa: ANN401 - whatever YAML holds
    after: Any,  # noqa: ANN401 - likewise
    target: Any,  # noqa: ANN401 - likewise
    loc: Loc = (),
    path: tuple[str, ...] = (),
) -> Iterator[_Difference]:
    """Yield where two contents differ, by the way to it in a third.

    What is removed from a list comes last and from behind, so that earlier ways stay right.
    """
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            below = target.get(key) if isinstance(target, Mapping) else None
            where = (*path, str(key))
            yield from _differences(before.get(key), after.get(key), below, (*loc, key), where)
        return
    first, second, third = (items_by_name(items) for items in (before, after, target))
    if first is None or second is None or third is None:
        yield _Difference(loc=loc, path=path, value=after)
        return
    places, size = list(third), len(third)
    for name, item in second.items():
        if name in third:
            at = (*loc, places.index(name))
            yield from _differences(first.get(name), item, third[name], at, (*path, name))
        elif first.get(name) != item:
            yield _Difference(loc=(*loc, size), path=(*path, name), value=item)
            size += 1
    for name in reversed(places):
        if name in first and name not in second:
            yield _Difference(loc=(*loc, places.index(name)), path=(*path, name), value=None)
