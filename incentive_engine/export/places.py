"""Where an export goes: a directory, or one file; complete, begun, or not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incentive_engine.data.tables.files import digest_file, writing_to
from incentive_engine.errors import DataError, Fault
from incentive_engine.export.formats import Sheet
from incentive_engine.language import say
from incentive_engine.run.format import read_json
from incentive_engine.run.records import only_one, write_record


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedFile:
    """A finished file."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Destination:
    """A directory with parts, or one file.

    Attributes
    ----------
    target
        What the user named.
    is_file
        Whether it is one file; its parts are made in a hidden directory beside it.
    """

    target: Path
    is_file: bool

    @property
    def work(self) -> Path:
        """The directory in which the export is made."""
        return (
            self.target.with_name(f".{self.target.name}.export") if self.is_file else self.target
        )

    @property
    def manifest(self) -> Path:
        """The file that says that the export is complete, and what is in it."""
        if self.is_file:
            return self.target.with_name(f"{self.target.name}.manifest.json")
        # written last; the underscore keeps it out of the way of readers of a directory of Parquet
        manifest = "_manifest.json"
        return self.target / manifest

    @property
    def journal(self) -> Path:
        """What is finished of a begun export."""
        # what a begun export has finished; gone once it is complete
        journal = ".export.json"
        return self.work / journal

    def part_name(self, sheet: Sheet, offer: str, number: int) -> str:
        """Return a part's path inside the export."""
        return self.target.name if self.is_file else sheet.file_name(offer, number)

    def path(self, name: str) -> Path:
        """Return where a finished part stands."""
        return self.target if self.is_file else self.target / name

    def partial(self, name: str) -> Path:
        """Return where a part is written; readers pass over names that begin with a dot."""
        path = self.work / name
        return path.with_name(f".{path.name}.partial")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the place for this process; a place that stays without parts is left as it was.

        Raises
        ------
        DataError
            When another process holds it, or it may not be written to.
        """
        made = [folder for folder in (self.work, *self.work.parents) if not folder.exists()]
        with writing_to(self.target):
            self.work.mkdir(parents=True, exist_ok=True)
        with only_one(self.work, "exporting to it"):
            try:
                yield
            finally:
                # beside a file the hidden folder goes, too; a directory that was there stays
                for folder in made or [self.work][: self.is_file]:
                    with suppress(OSError):  # what is not empty stays
                        folder.rmdir()

    def finished(self, identity: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the manifest of the same export when it is complete already.

        Raises
        ------
        DataError
            When something else stands there, or its files are not what the manifest says.
        """
        if not self.manifest.exists():
            self._refuse_strangers()
            return None
        manifest = read_json(self.manifest)
        if manifest.get("export") != dict(identity):
            what = say(
                "holds another export ({differences})",
                differences=_differences(manifest.get("export"), identity),
            )
            raise DataError(Fault(str(self.target), what, "a new place", "name another one"))
        parts = _parts_of(manifest, self.manifest)
        changed = [file.name for file in parts if not self.holds(file)]
        if changed:
            what = say("changed since the export: {changed}", changed=tuple(changed[:3]))
            raise DataError(Fault(str(self.target), what, remedy="remove it, and export again"))
        self.journal.unlink(missing_ok=True)
        return manifest

    def _refuse_strangers(self) -> None:
        """Refuse a place that somebody else filled."""
        begun = self.journal.exists()
        taken = self.target.exists() if self.is_file else any(self.target.iterdir())
        if taken and not begun:
            what = "exists already" if self.is_file else "is not empty"
            remedy = "name another, or remove it first"
            raise DataError(Fault(str(self.target), what, "a new place", remedy))

    def begun(self, identity: Mapping[str, Any]) -> list[FinishedFile]:
        """Return what an earlier, unfinished try of the same export has finished.

        Raises
        ------
        DataError
            When the place holds a begun export of another kind.
        """
        if not self.journal.exists():
            return []
        journal = read_json(self.journal)
        if journal.get("export") != dict(identity):
            differences = _differences(journal.get("export"), identity)
            what = say("another export was begun here ({differences})", differences=differences)
            remedy = "finish that one, or remove what is there"
            raise DataError(Fault(str(self.target), what, remedy=remedy))
        return _parts_of(journal, self.journal)

    def holds(self, part: FinishedFile) -> bool:
        """Whether a part stands there as it was written."""
        path = self.path(part.name)
        if not path.is_file() or path.stat().st_size != part.bytes:
            return False
        return digest_file(path) == part.sha256

    def note(self, identity: Mapping[str, Any], parts: list[FinishedFile]) -> None:
        """Write down what is finished."""
        write_record(self.journal, _content(identity, parts))

    def complete(
        self, identity: Mapping[str, Any], parts: list[FinishedFile], accepted: Iterable[str]
    ) -> dict[str, Any]:
        """Write the manifest, the last file of an export, and return it."""
        content = _content(identity, sorted(parts, key=lambda part: part.name))
        content["accepted"] = sorted(accepted)
        write_record(self.manifest, content)
        self.journal.unlink()
        return content

    def forget(self, parts: list[FinishedFile]) -> None:
        """Remove a journal that lists nothing, after an error."""
        if not parts:
            self.journal.unlink(missing_ok=True)


def _content(identity: Mapping[str, Any], parts: list[FinishedFile]) -> dict[str, Any]:
    listed = [
        {"name": file.name, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256}
        for file in parts
    ]
    return {"export": dict(identity), "parts": listed}


def _parts_of(content: Mapping[str, Any], path: Path) -> list[FinishedFile]:
    try:
        return [FinishedFile(**file) for file in content["parts"]]
    except (KeyError, TypeError) as error:
        remedy = "remove what is there, and export again"
        raise DataError(Fault(str(path), "is broken", remedy=remedy)) from error


def _differences(before: object, identity: Mapping[str, Any]) -> str:
    stated = before if isinstance(before, dict) else {}
    names = [key for key in {**stated, **identity} if stated.get(key) != identity.get(key)]
    return "another " + ", ".join(names)
