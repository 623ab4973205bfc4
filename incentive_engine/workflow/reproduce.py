"""Runs a plan again from its manifest, and says whether the same comes out, byte for byte."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.compute as pc
import pyarrow.parquet as pq

from incentive_engine.config.location import parse_location
from incentive_engine.config.overrides import MIN_MARGINAL_ROI
from incentive_engine.data.sources import open_source
from incentive_engine.data.tables.files import digest_file
from incentive_engine.errors import DataError
from incentive_engine.insight.policy_options import BudgetOptions
from incentive_engine.language import Message, say
from incentive_engine.pipeline.steps import Progress, quiet
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.run.format import ALLOCATION_FILE, SCORES_FILE, InputFile
from incentive_engine.workflow.allocate import allocate


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


def reproduce(run_dir: Path, *, progress: Progress = quiet) -> Reproduction:
    """Run again all that a run's manifest names, without the cache, and compare.

    The policy is the one that the manifest holds, with what the command line overrode; users,
    trial and scores are the files that it names, and must not have changed.

    Raises
    ------
    DataError, ConfigError
        When the run cannot be read, or the program no longer understands its policy.
    """
    run = read_run(run_dir)
    if changed := tuple(_changed_inputs(run)):
        return Reproduction(run_dir=run_dir, differences=changed)
    with TemporaryDirectory() as folder, _own_cache(Path(folder) / "cache"):
        again = read_run(_repeat(run, Path(folder), progress))
        differences = tuple(_differences(run, again))
        remarks = _remarks(run, again, differences) if differences else ()
    return Reproduction(run_dir=run_dir, differences=differences, remarks=remarks)


def _changed_inputs(run: FinishedRun) -> Iterator[Message]:
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
    for name in (ALLOCATION_FILE, SCORES_FILE):
        path, listed = run.directory / name, run.manifest.outputs.get(name)
        if listed is None or digest_file(path) != listed.sha256:
            yield say("reproduce.altered", path=str(path))


def _given(run: FinishedRun) -> Mapping[str, InputFile]:
    """Return the inputs that no step makes: those of a sample, and a model's scores, are made."""
    inputs = run.manifest.inputs
    if _is_scored(run):
        return {"scores": inputs["scores"]}
    if run.policy.data.sample is not None:
        return {}
    return {name: inputs[name] for name in ("users", "trial") if name in inputs}


def _is_scored(run: FinishedRun) -> bool:
    """Whether the run was made from scores that were given."""
    return "trial" not in run.manifest.inputs


def _repeat(run: FinishedRun, folder: Path, progress: Progress) -> Path:
    """Allocate again and return the new run directory."""
    file, out = folder / "policy.yaml", folder / "run"
    # JSON is YAML, and the manifest's policy has absolute paths and every override but this one
    file.write_text(json.dumps(run.manifest.policy), encoding="utf-8")
    marginal = run.manifest.overrides.get(MIN_MARGINAL_ROI)
    given = run.manifest.inputs["scores"].path
    scores = parse_location(given) if _is_scored(run) else None
    options = BudgetOptions(min_marginal_roi=marginal)
    allocate(file, options=options, scores=scores, out=out, progress=progress)
    return out


def _differences(run: FinishedRun, again: FinishedRun) -> Iterator[Message]:
    """Yield what came out otherwise, and before it the inputs that it came from."""
    if _bytes(run, ALLOCATION_FILE) == _bytes(again, ALLOCATION_FILE):
        return
    for name in ("users", "trial", "scores"):
        old, new = (r.manifest.inputs.get(name) for r in (run, again))
        if (old and old.sha256) != (new and new.sha256):
            yield say("reproduce.another", name=name)
    if _bytes(run, SCORES_FILE) != _bytes(again, SCORES_FILE):
        yield from _table_differences(SCORES_FILE, run, again)
    yield from _table_differences(ALLOCATION_FILE, run, again)


def _bytes(run: FinishedRun, name: str) -> bytes:
    return (run.directory / name).read_bytes()


def _table_differences(name: str, run: FinishedRun, again: FinishedRun) -> Iterator[Message]:
    old, new = (pq.read_table(r.directory / name) for r in (run, again))
    if old.num_rows != new.num_rows:
        yield say("reproduce.rows", name=name, old=old.num_rows, new=new.num_rows)
        return
    if old.schema != new.schema:
        yield say("reproduce.columns", name=name)
        return
    for column in old.column_names:
        same = pc.equal(old.column(column), new.column(column))
        both_null = pc.and_(old.column(column).is_null(), new.column(column).is_null())
        unlike = old.num_rows - int(pc.sum(pc.or_kleene(same, both_null)).as_py() or 0)
        if unlike:
            yield say("reproduce.differs", name=name, column=column, rows=unlike, all=old.num_rows)


def _other_versions(run: FinishedRun, again: FinishedRun) -> tuple[Message, ...]:
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


def _remarks(
    run: FinishedRun, again: FinishedRun, differences: tuple[Message, ...]
) -> tuple[Message, ...]:
    """Return what may explain the differences: other programs, or else another machine."""
    changed = _other_versions(run, again)
    if changed or any(("name", ALLOCATION_FILE) not in text.values for text in differences):
        return changed
    return (say("reproduce.machine"),)


@contextmanager
def _own_cache(root: Path) -> Iterator[None]:
    """Keep steps in a cache of their own, so that nothing is taken over from the first run."""
    before = os.environ.get("INCENTIVE_CACHE")
    os.environ["INCENTIVE_CACHE"] = str(root)
    try:
        yield
    finally:
        if before is None:
            del os.environ["INCENTIVE_CACHE"]
        else:
            os.environ["INCENTIVE_CACHE"] = before
