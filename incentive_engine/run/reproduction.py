"""Whether a run came out as another one, byte for byte, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from incentive_engine.config.location import parse_location
from incentive_engine.data.sources import open_source
from incentive_engine.data.tables.files import digest_file
from incentive_engine.errors import DataError
from incentive_engine.language import Message, say
from incentive_engine.run.finished import FinishedRun

ALLOCATION = "allocation.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What came of running a plan again."""

    run_dir: Path
    differences: tuple[Message, ...]
    """Empty when allocation.parquet came out the same, byte for byte."""
    remarks: tuple[Message, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the same came out."""
        return not self.differences

    def lines(self) -> tuple[Message, ...]:
        """Return one line per difference, then the verdict."""
        verdict = "reproduce.same" if self.ok else "reproduce.other"
        return (*self.differences, *self.remarks, say(verdict, run=str(self.run_dir)))


def changed_inputs(run: FinishedRun) -> Iterator[Message]:
    """Yield the tables that the user gave and that are no longer what they were."""
    columns = run.policy.data.columns.model_dump()
    for name, stated in _given(run).items():
        location = parse_location(stated["path"])
        try:
            table = open_source(location, renames=columns[name])
        except DataError as error:
            yield say("fault.where", part=name, text=str(error))
            continue
        if table.digest() != stated["sha256"]:
            yield say("reproduce.changed", name=name, path=str(location))
    path = run.directory / ALLOCATION
    if digest_file(path) != run.manifest["outputs"][ALLOCATION]["sha256"]:
        yield say("reproduce.altered", path=str(path))


def _given(run: FinishedRun) -> Mapping[str, Mapping[str, Any]]:
    """Return the inputs that no step makes: those of a sample, and a model's scores, are made."""
    inputs: dict[str, Any] = run.manifest["inputs"]
    if is_scored(run):
        return {"scores": inputs["scores"]}
    if run.policy.data.sample is not None:
        return {}
    return {name: inputs[name] for name in ("users", "trial") if name in inputs}


def is_scored(run: FinishedRun) -> bool:
    """Whether the run was made from scores that were given."""
    return "trial" not in run.manifest["inputs"]


def differences(run: FinishedRun, again: FinishedRun) -> Iterator[Message]:
    """Yield what is another one in the second run; nothing where its offers are the same."""
    before, after = run.directory / ALLOCATION, again.directory / ALLOCATION
    if before.read_bytes() == after.read_bytes():
        return
    for name in ("users", "trial", "scores"):
        old, new = (r.manifest["inputs"].get(name, {}).get("sha256") for r in (run, again))
        if old != new:
            yield say("reproduce.another", name=name)
    old_table, new_table = pq.read_table(before), pq.read_table(after)
    if old_table.num_rows != new_table.num_rows or old_table.schema != new_table.schema:
        yield say("reproduce.rows", name=ALLOCATION)
        return
    for name in old_table.column_names:
        same = pc.equal(old_table.column(name), new_table.column(name))
        both_null = pc.and_(old_table.column(name).is_null(), new_table.column(name).is_null())
        unlike = old_table.num_rows - int(pc.sum(pc.or_kleene(same, both_null)).as_py() or 0)
        if unlike:
            yield say(
                "reproduce.differs",
                name=ALLOCATION,
                column=name,
                rows=unlike,
                all=old_table.num_rows,
            )


def other_versions(run: FinishedRun, again: FinishedRun) -> tuple[Message, ...]:
    """Return which programs are not those of the run."""
    old, new = ({"engine": r.manifest["engine"], **r.manifest["versions"]} for r in (run, again))
    changed = tuple(
        say("reproduce.version", name=name, old=old[name], new=new.get(name))
        for name in old
        if old[name] != new.get(name)
    )
    source, mine = run.manifest.get("source"), again.manifest["source"]
    if source is None:  # earlier runs do not state it
        return changed or (say("reproduce.code"),)
    if source != mine:
        return (*changed, say("reproduce.source", old=source[:12], new=mine[:12]))
    return changed or (say("reproduce.machine"),)
