"""Runs a plan again from its manifest, and says whether the same comes out, byte for byte."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from incentive_engine.config.access.location import parse_location
from incentive_engine.config.overridable import Override
from incentive_engine.fleet import Processes, SharedWork
from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.pipeline.steps import Progress, quiet
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.run.format import RunFile, parts_of
from incentive_engine.run.reproduction import (
    Reproduction,
    changed_inputs,
    differences,
    is_scored,
    remarks_on,
)
from incentive_engine.workflow.allocate import allocate
from incentive_engine.workflow.in_parts.allocate import allocate_in_parts


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
    if changed := tuple(changed_inputs(run)):
        return Reproduction(run_dir=run_dir, differences=changed)
    with TemporaryDirectory() as folder, _own_cache(Path(folder) / "cache"):
        again = read_run(_repeat(run, Path(folder), progress))
        unlike = tuple(differences(run, again))
        remarks = remarks_on(run, again, unlike) if unlike else ()
    return Reproduction(run_dir=run_dir, differences=unlike, remarks=remarks)


def _repeat(run: FinishedRun, folder: Path, progress: Progress) -> Path:
    """Allocate again and return the new run directory."""
    file, out = folder / "policy.yaml", folder / "run"
    # JSON is YAML, and the manifest's policy has absolute paths and every override but this one
    file.write_text(json.dumps(run.manifest.policy), encoding="utf-8")
    marginal = run.manifest.overrides.get(Override.MIN_MARGINAL_ROI)
    given = run.manifest.inputs["scores"].path
    scores = parse_location(given) if is_scored(run) else None
    options = BudgetOptions(min_marginal_roi=marginal)
    if (run.directory / RunFile.ALLOCATION).is_dir():  # as many parts, whose rows are the same
        parts = len(parts_of(run.directory / RunFile.ALLOCATION))
        shared = SharedWork(fleet=Processes(), folder=folder / "shards", shards=parts)
        allocate_in_parts(
            file, options=options, scores=scores, shared=shared, out=out, progress=progress
        )
    else:
        allocate(file, options=options, scores=scores, out=out, progress=progress)
    return out


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
