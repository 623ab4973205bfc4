"""Other runs of the same policy: what came before a run, and what has taken its place.

Runs of one campaign are the run directories that stand beside each other (in the same folder)
under policies of the same name; the time that each manifest states puts them in order. A run
counts as released once somebody has approved or exported it as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from incentive_engine.errors import DataError, Fault, VerificationError
from incentive_engine.language import say
from incentive_engine.run.finished import FinishedRun, is_run, read_run
from incentive_engine.run.format import RunFile, read_json
from incentive_engine.run.records import write_record


def previous(run: FinishedRun) -> FinishedRun | None:
    """Return the last run of the same campaign before this one, a released one if there is any.

    A run that was never released may hold the very mistake that this one repeats.
    """
    before = [other for created, other in _others(run) if run.created and created < run.created]
    released = [other for other in before if is_released(other)]
    # a run that nobody used may be a try, and what changed since would mislead
    candidates = released or before
    return candidates[-1] if candidates else None


def refuse_superseded(run: FinishedRun) -> None:
    """Refuse a run when a later one of the same campaign has been released.

    Raises
    ------
    VerificationError
        With the later run.
    """
    later = [other for created, other in _others(run) if run.created and created > run.created]
    if released := [other for other in later if is_released(other)]:
        newest = released[-1]
        what = say(
            "superseded by {directory}, which is later and approved or exported",
            directory=newest.directory,
        )
        remedy = "use that one, or plan again with `incentive allocate`"
        raise VerificationError(Fault(str(run.directory), what, remedy=remedy))


def is_released(run: FinishedRun) -> bool:
    """Whether somebody approved or exported the run as it stands."""
    entries = [*entries_of(run, RunFile.APPROVALS), *entries_of(run, RunFile.EXPORTS)]
    return any(entry.get("digest") == run.digest for entry in entries)


def entries_of(run: FinishedRun, name: RunFile) -> list[dict[str, Any]]:
    """Return what a list beside the run holds; an empty one where there is no list.

    Raises
    ------
    DataError
        When it is broken.
    """
    path = run.directory / name
    entries = read_json(path).get("entries") if path.exists() else []
    if not isinstance(entries, list) or not all(_is_entry(entry, name) for entry in entries):
        raise DataError(Fault(str(path), "is broken", remedy="remove it"))
    return entries


def _is_entry(entry: object, name: RunFile) -> bool:
    # what every entry of a list must say; people edit these files by hand
    texts = {RunFile.APPROVALS: ("digest", "by"), RunFile.EXPORTS: ("digest",)}[name]
    return isinstance(entry, dict) and all(isinstance(entry.get(key), str) for key in texts)


def add_entry(run: FinishedRun, name: RunFile, entry: dict[str, Any], *, now: datetime) -> bool:
    """Append to a list beside the run; return False when the same stands there already.

    Raises
    ------
    DataError
        When the run directory may not be written to.
    """
    entries = entries_of(run, name)
    whole = {"digest": run.digest, **entry}
    # the same said again at another time is no news, and would change the file
    if any({**old, "at": None} == {**whole, "at": None} for old in entries):
        return False
    at = now.isoformat(timespec="seconds")
    write_record(run.directory / name, {"entries": [*entries, {**whole, "at": at}]})
    return True


def _others(run: FinishedRun) -> list[tuple[datetime, FinishedRun]]:
    """Return the other runs of the campaign that state a time, the oldest first."""
    siblings = [(other.created, other) for other in _beside(run.directory.resolve())]
    named = [
        (created, o) for created, o in siblings if created and o.policy.name == run.policy.name
    ]
    return sorted(named, key=lambda pair: pair[0])


def _beside(directory: Path) -> Iterator[FinishedRun]:
    for path in sorted(directory.parent.iterdir()):
        if path != directory and is_run(path):
            try:
                yield read_run(path)
            except DataError:
                continue  # a broken run is nobody's predecessor; `verify` says what it lacks
