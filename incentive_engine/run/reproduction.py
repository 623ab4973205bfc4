"""Whether a run came out as another one, byte for byte, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incentive_engine.config.access.location import parse_location
from incentive_engine.data.sources import open_source
from incentive_engine.data.tables.files import digest_file
from incentive_engine.errors import DataError
from incentive_engine.language import Message, say
from incentive_engine.run.finished import FinishedRun
from incentive_engine.run.format import RunFile, parts_of
from incentive_engine.run.statements import InputFile


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
        location = parse_location(stated.path)
        try:
            table = open_source(location, renames=columns[name])
        except DataError as error:
            yield say("fault.where", part=name, text=error.text("en"))
            continue
        if table.digest() != stated.sha256:
            yield say("reproduce.changed", name=name, path=str(location))
    for name in (RunFile.ALLOCATION, RunFile.SCORES):
        for path in parts_of(run.directory / name):
            listed = run.manifest.outputs.get(path.relative_to(run.directory).as_posix())
            if listed is None or digest_file(path) != listed.sha256:
                yield say("reproduce.altered", path=str(path))


def _given(run: FinishedRun) -> Mapping[str, InputFile]:
    """Return the inputs that no step makes; a sample's tables and a model's scores are made."""
    inputs = run.manifest.inputs
    if is_scored(run):
        return {"scores": inputs["scores"]}
    if run.policy.data.sample is not None:
        return {}
    # several trials are put together by a step, whose cache may be gone
    named = ("users", "trial") if len(run.policy.data.trials) < 2 else ("users",)
    return {name: inputs[name] for name in named if name in inputs}


def is_scored(run: FinishedRun) -> bool:
    """Whether the run was made from scores that were given."""
    return "trial" not in run.manifest.inputs


def differences(run: FinishedRun, again: FinishedRun) -> Iterator[Message]:
    """Yield what came out otherwise, and before it the inputs that it came from."""
    if _bytes(run, RunFile.ALLOCATION) == _bytes(again, RunFile.ALLOCATION):
        return
    for name in ("users", "trial", "scores"):
        old, new = (r.manifest.inputs.get(name) for r in (run, again))
        if (old and old.sha256) != (new and new.sha256):
            yield say("reproduce.another", name=name)
    if _bytes(run, RunFile.SCORES) != _bytes(again, RunFile.SCORES):
        yield from _table_differences(RunFile.SCORES, run, again)
    in_rows = list(_table_differences(RunFile.ALLOCATION, run, again))
    yield from in_rows or [say("reproduce.bytes", name=RunFile.ALLOCATION)]


def _bytes(run: FinishedRun, name: str) -> tuple[bytes, ...]:
    return tuple(file.read_bytes() for file in parts_of(run.directory / name))


def _table_differences(name: str, run: FinishedRun, again: FinishedRun) -> Iterator[Message]:
    old, new = (pq.read_table(r.directory / name) for r in (run, again))
    if old.num_rows != new.num_rows:
        yield say("reproduce.rows", name=name, old=old.num_rows, new=new.num_rows)
        return
    if old.schema != new.schema:
        yield say("reproduce.columns", name=name)
        return
    for column in old.column_names:
        unlike = _unlike(old.column(column), new.column(column))
        if unlike:
            yield say("reproduce.differs", name=name, column=column, rows=unlike, all=old.num_rows)


def _unlike(old: pa.ChunkedArray, new: pa.ChunkedArray) -> int:
    """Return how many values of a column differ; a missing one, or NaN, is like another."""
    # NaN is equal to nothing, and arrow cannot compare columns of nothing at all
    missing = pc.and_(old.is_null(nan_is_null=True), new.is_null(nan_is_null=True))
    if pa.types.is_null(old.type):
        return 0
    alike = pc.or_kleene(pc.equal(old, new), missing)
    return len(old) - int(pc.sum(alike).as_py() or 0)


def other_versions(run: FinishedRun, again: FinishedRun) -> tuple[Message, ...]:
    """Return which programs are not those of the run."""
    old, new = ({"engine": r.manifest.engine, **r.manifest.versions} for r in (run, again))
    changed = tuple(
        say("reproduce.version", name=name, old=old[name], new=new.get(name))
        for name in old
        if old[name] != new.get(name)
    )
    source, mine = run.manifest.source, again.manifest.source
    if source != mine:
        return (*changed, say("reproduce.source", old=source[:12], new=mine[:12]))
    return changed


def remarks_on(
    run: FinishedRun, again: FinishedRun, differences: tuple[Message, ...]
) -> tuple[Message, ...]:
    """Return what may explain the differences: other programs, or else another machine."""
    changed = other_versions(run, again)
    if changed or any(("name", RunFile.ALLOCATION) not in text.values for text in differences):
        return changed
    return (say("reproduce.machine"),)
