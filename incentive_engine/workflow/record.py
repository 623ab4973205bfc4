"""What a run directory states of its inputs, and the files that go into it."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.sources import column_names
from incentive_engine.data.tables.files import digest_file
from incentive_engine.data.tables.formats import PARQUET
from incentive_engine.insight.findings import Findings
from incentive_engine.insight.policy_options import BudgetOptions
from incentive_engine.pipeline.campaign import Inputs
from incentive_engine.pipeline.steps import Steps
from incentive_engine.run.directory import (
    ROW_GROUP,
    AllocationTable,
    InputFile,
    RunFiles,
    RunRecord,
)


def run_record(
    findings: Findings,
    *,
    file: Path,
    options: BudgetOptions,
    inputs: Inputs,
    steps: Steps,
    author: str | None,
) -> RunRecord:
    """Return what the manifest says beside the digests of the outputs."""
    policy = findings.policy
    return RunRecord(
        policy=policy.model_dump(mode="json"),
        policy_file=str(file),
        overrides=options.to_dict(),
        inputs=input_files(file, inputs, users=findings.table.n_users),
        seed=policy.seed,
        holdout={"share": policy.holdout or 0.0, "users": int(findings.holdout.sum())},
        solver=findings.certificate["solver"],
        seconds=steps.seconds,
        author=author or policy.author or _user(),
        created=datetime.now(UTC),
    )


def _user() -> str | None:
    """Return who runs the program, as far as the system tells."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return None


def run_files(findings: Findings, record: RunRecord, *, file: Path, report: str) -> RunFiles:
    """Return all that goes into the run directory."""
    return RunFiles(
        allocation=AllocationTable(
            user_id=findings.table.user_id,
            offers=findings.table.offers,
            choice=findings.chosen.choice,
            conversion=findings.chosen.conversion,
            spend=findings.chosen.spend,
            cost_micros=findings.chosen.cost_micros,
            weight=findings.weight,
            reason=findings.reason,
            margin=findings.margin,
            smallest_budget=findings.smallest_budget,
        ),
        scores=_scores(findings.table, record),
        certificate=findings.certificate,
        evaluation={"plan": findings.gain.to_dict()} if findings.gain else None,
        report=report,
        record=record,
        policy_text=file.read_bytes(),
    )


def _scores(table: ScoreTable, record: RunRecord) -> Iterable[pa.Table] | Path:
    """Return what the plan was made from, so that a run can be checked from its files alone.

    A Parquet file with these columns and no others is copied as it is.
    """
    file = Path(record.inputs["scores"].path)
    if (
        file.is_file()
        and file.suffix.lower() in PARQUET
        and {*column_names(file)} == {*table.column_names}
    ):
        return file
    return table.to_blocks(ROW_GROUP)


def input_files(file: Path, inputs: Inputs, *, users: int) -> dict[str, InputFile]:
    """Return the files that a run was made from, by part; found again from any other folder.

    Parameters
    ----------
    users
        How many rows the scores have.
    """
    paths: dict[str, Path | None] = {
        "policy": file,
        "users": inputs.users,
        "trial": inputs.trial,
        "scores": inputs.scores,
    }
    rows = {"scores": users}
    return {
        name: InputFile(path=str(path.absolute()), sha256=digest_file(path), rows=rows.get(name))
        for name, path in paths.items()
        if path is not None
    }
