"""The policies and runs of one folder, and no way out of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from incentive_engine.config.access.regular import special_file
from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.policy import Policy
from incentive_engine.errors import DataError, Fault, IncentiveError
from incentive_engine.language import say
from incentive_engine.live.ledger.ledger import ledger_of
from incentive_engine.run.finished import FinishedRun, is_run, read_run
from incentive_engine.run.format import RunFile
from incentive_engine.run.other_runs import entries_of
from incentive_engine.run.statements import StatedGain
from incentive_engine.workflow.studio.ledgers import read_ledgers


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEntry:
    """One policy of a list; without a policy where the file has faults.

    Attributes
    ----------
    path
        From the folder, with slashes.
    """

    path: str
    changed: datetime
    policy: Policy | None
    faults: tuple[Fault, ...] = ()

    def words(self) -> str:
        """Return what a search looks through."""
        policy = self.policy
        return f"{self.path} {policy.name} {policy.author or ''}" if policy else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Somebody approved or exported a run, and whether the run still is what it was then."""

    by: str
    at: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunEntry:
    """One run of a list; without content where its files are broken."""

    path: str
    run: FinishedRun | None
    approvals: tuple[Mark, ...] = ()
    exports: tuple[Mark, ...] = ()
    running: bool = False
    """Whether a ledger of live decisions lies beside it."""
    faults: tuple[Fault, ...] = ()

    @property
    def gain(self) -> StatedGain | None:
        """What the plan brings by the trial; None where that is not known."""
        return self.run.evaluation.plan if self.run else None

    @property
    def approved(self) -> bool:
        """Whether somebody approved it as it stands."""
        return any(mark.current for mark in self.approvals)

    def words(self) -> str:
        """Return what a search looks through."""
        run = self.run
        return f"{self.path} {run.policy.name} {run.author or ''}" if run else self.path


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listing:
    """What a folder holds: policies by name, runs with the latest first."""

    policies: tuple[PolicyEntry, ...]
    runs: tuple[RunEntry, ...]

    def matching(self, search: str) -> Listing:
        """Return what has every word of a search in its name, its campaign or its author."""
        words = search.casefold().split()

        def fits(text: str) -> bool:
            return all(word in text.casefold() for word in words)

        return Listing(
            policies=tuple(entry for entry in self.policies if fits(entry.words())),
            runs=tuple(entry for entry in self.runs if fits(entry.words())),
        )


class Folder:
    """A folder that a planner works in."""

    YAML: ClassVar = frozenset({".yaml", ".yml"})

    def __init__(self, root: Path) -> None:
        """Take a folder.

        Raises
        ------
        DataError
            When it is none.
        """
        if not root.is_dir():
            what = "is no folder" if root.exists() else "there is no such folder"
            raise DataError(Fault(str(root), what, "a folder of policies and runs"))
        self.root = root.resolve()
        self._policies: dict[str, tuple[tuple[int, int], PolicyEntry]] = {}

    def path(self, name: str) -> Path:
        """Return a file or folder inside by its name, which need not exist yet.

        Raises
        ------
        DataError
            When the name leads out of the folder, by itself or through a link, or can be no name.
        """
        outside = Fault(
            name, "is not inside the folder that the studio shows", remedy="name one inside it"
        )
        if not name or "\0" in name or Path(name).is_absolute():
            raise DataError(outside)
        try:
            path = (self.root / name).resolve()
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, RuntimeError) as error:  # too long; no access; links in a circle
            what = say("cannot be read: {reason}", reason=error)
            raise DataError(Fault(shortened(name), what, remedy="name another one")) from None
        if not path.is_relative_to(self.root) or path == self.root:
            raise DataError(outside)
        return path

    def name(self, path: Path) -> str:
        """Return what `path` takes to give a path again."""
        return path.resolve().relative_to(self.root).as_posix()

    def inside(self, text: str) -> str:
        """Return a text with this folder's files named from it, as its pages name them."""
        start = re.escape(f"{self.root}{os.sep}")
        # a longer path that ends like this folder's is another one
        return re.sub(rf"(?<![\w./-]){start}", "", text)

    def run(self, name: str) -> Path:
        """Return the directory of a run.

        Raises
        ------
        DataError
            When there is none of the name.
        """
        path = self.path(name)
        if not is_run(path):
            remedy = "look for it in the list of the folder"
            raise DataError(Fault(name, "there is no such run", remedy=remedy))
        return path

    def policy(self, name: str) -> Path:
        """Return the file of a policy.

        Raises
        ------
        DataError
            When there is none of the name.
        """
        path = self.path(name)
        if path.suffix.lower() not in self.YAML or not path.is_file():
            remedy = "look for it in the list of the folder"
            raise DataError(Fault(name, "there is no such policy", remedy=remedy))
        return path

    def ledger(self, run_dir: Path) -> str | None:
        """Return where a run's live decisions are written; None where it has none.

        Raises
        ------
        ConfigError
            When the folder's file of ledgers is none.
        """
        named = read_ledgers(self.root / "ledgers.yaml").get(self.name(run_dir))
        if named is not None:
            return named
        beside = Path(ledger_of(run_dir))
        return str(beside) if beside.is_file() else None

    def listing(self) -> Listing:
        """Return every policy and run; a broken one says what is wrong with it."""
        policies: list[PolicyEntry] = []
        runs: list[RunEntry] = []
        # folders inside folders that are looked into
        depth = 4
        # policies and runs that a list holds
        most = 2_000
        for path in self._walk(self.root, depth):
            if len(policies) + len(runs) >= most:
                break
            if path.is_dir():
                runs.append(self.run_entry(path))
            elif (readable := self._policy_entry(path)) is not None:
                policies.append(readable)
        return Listing(
            policies=tuple(sorted(policies, key=lambda entry: entry.path)),
            runs=tuple(sorted(runs, key=_age, reverse=True)),
        )

    def run_entry(self, path: Path) -> RunEntry:
        """Return what a list says of a run."""
        name = self.name(path)
        if (fault := _name_fault(name)) is not None:
            return RunEntry(path=str(fault.where), run=None, faults=(fault,))
        try:
            run = read_run(path)
            approvals, exports = (
                _marks(run, kind) for kind in (RunFile.APPROVALS, RunFile.EXPORTS)
            )
            ledger = self.ledger(path)
        except IncentiveError as error:
            return RunEntry(path=name, run=None, faults=error.faults)
        return RunEntry(
            path=name,
            run=run,
            approvals=approvals,
            exports=exports,
            running=ledger is not None,
        )

    def _policy_entry(self, path: Path) -> PolicyEntry | None:
        """Return what a list says of a YAML file; None where it is no policy, or has gone."""
        try:
            state = path.stat()
        except OSError:
            return None
        key, name = (state.st_mtime_ns, state.st_size), self.name(path)
        changed = datetime.fromtimestamp(state.st_mtime, UTC)
        if (fault := _name_fault(name)) is not None:
            return PolicyEntry(
                path=str(fault.where), changed=changed, policy=None, faults=(fault,)
            )
        cached = self._policies.get(name)
        if cached is not None and cached[0] == key:
            return cached[1]
        entry = _read_policy(path, name, changed)
        if entry is not None:
            self._policies[name] = (key, entry)
        return entry

    def _walk(self, folder: Path, depth: int) -> Iterator[Path]:
        """Yield run directories, and YAML files outside of them; links that lead out are left."""
        try:
            inside = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:  # a folder that may not be looked into shows nothing
            return
        for entry in inside:
            if entry.name.startswith((".", "node_modules")):
                continue
            try:
                kind = self._kind(entry)
            except (OSError, RuntimeError):  # no access, or links that lead nowhere or round
                continue
            if kind == "folder" and depth > 1:
                yield from self._walk(Path(entry.path), depth - 1)
            elif kind in {"run", "yaml"}:
                yield Path(entry.path)

    def _kind(self, entry: os.DirEntry[str]) -> Literal["run", "folder", "yaml"] | None:
        """Return what stands under a name; None where the list leaves it out."""
        path = Path(entry.path)
        if entry.is_symlink() and not path.resolve().is_relative_to(self.root):
            return None
        if path.is_dir():
            if (path / RunFile.MANIFEST).is_file():
                return "run"
            return None if entry.is_symlink() else "folder"
        return "yaml" if path.suffix.lower() in self.YAML and not special_file(path) else None


def shortened(name: str) -> str:
    """Return a name that a line has room for.

    >>> shortened("x" * 500) == "x" * 80 + "…"
    True
    """
    return name if len(name) <= 80 else f"{name[:80]}…"


def _name_fault(name: str) -> Fault | None:
    """Return what is wrong with a name that no page can show; None where one can."""
    shown = os.fsencode(name).decode("utf-8", "replace")
    if shown == name:
        return None
    return Fault(shown, "its name is not UTF-8", remedy="give it another name")


def _read_policy(path: Path, name: str, changed: datetime) -> PolicyEntry | None:
    try:
        # what tells a policy from other YAML
        if not re.search(
            r"^offers\s*:", path.read_text(encoding="utf-8", errors="replace"), flags=re.MULTILINE
        ):
            return None
        policy = load_policy(path, require_data=False)
    except OSError as error:
        fault = Fault(name, say("cannot be read: {reason}", reason=error), remedy="ask for access")
        return PolicyEntry(path=name, changed=changed, policy=None, faults=(fault,))
    except IncentiveError as error:
        return PolicyEntry(path=name, changed=changed, policy=None, faults=error.faults)
    return PolicyEntry(path=name, changed=changed, policy=policy)


def _marks(run: FinishedRun, kind: RunFile) -> tuple[Mark, ...]:
    def mark(entry: dict[str, Any]) -> Mark:
        who = str(entry.get("by") or entry.get("to") or "")
        return Mark(by=who, at=str(entry.get("at")), current=entry.get("digest") == run.digest)

    return tuple(mark(entry) for entry in entries_of(run, kind))


def _age(entry: RunEntry) -> tuple[float, str]:
    created = entry.run.created if entry.run else None
    return (created.timestamp() if created else 0.0, entry.path)
