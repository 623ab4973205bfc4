"""From a plan and what is known of it to a run directory."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from incentive_engine.config.access.location import without_secrets
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.tables.files import digest_file
from incentive_engine.insight.findings import PlanFindings
from incentive_engine.insight.pages.plan_content import titles_of
from incentive_engine.insight.pages.report_content import report_content
from incentive_engine.insight.value.plan_gain import PlanGain
from incentive_engine.language import Code
from incentive_engine.pipeline.inputs import Inputs
from incentive_engine.pipeline.quality import ModelQuality
from incentive_engine.pipeline.steps import Steps
from incentive_engine.report.pages.page import render_report
from incentive_engine.run.directory import (
    AllocationTable,
    RunFiles,
    RunRecord,
    written_policy,
)
from incentive_engine.run.directory import write_run as write_files
from incentive_engine.run.signature import read_signing_key
from incentive_engine.run.statements import InputFile, StatedExploring, StatedHoldout
from incentive_engine.workflow.begin import Origin


def write_run(
    directory: Path, findings: PlanFindings, *, origin: Origin, steps: Steps, lang: Code = "en"
) -> None:
    """Write a plan and all that is known of it as a run directory: whole, or not at all.

    Raises
    ------
    DataError
        When the directory exists or cannot be written.
    """
    record = run_record(
        findings.policy,
        origin,
        steps,
        users=findings.table.n_users,
        holdout=int(findings.holdout.sum()),
        explorers=int(findings.explores.sum()),
        solver=findings.certificate["solver"],
    )
    with steps.step("draw the page"):
        report = render_report(
            report_content(findings, record), lang=lang, titles=titles_of(findings.policy)
        )
    write_files(directory, _files(findings, record, origin, report))


def run_record(
    policy: Policy,
    origin: Origin,
    steps: Steps,
    *,
    users: int,
    holdout: int,
    explorers: int,
    solver: Mapping[str, Any],
) -> RunRecord:
    """Return what the manifest says beside the digests of the outputs.

    Parameters
    ----------
    policy
        As it was planned.
    users, holdout, explorers
        How many have scores, never get an offer, and got an arm by lot.
    solver
        How it went, as the certificate states it.
    """
    return RunRecord(
        policy=policy.model_dump(mode="json"),
        policy_file=None if origin.file is None else str(origin.file),
        overrides=origin.overrides(policy),
        inputs=input_files(origin.file, origin.inputs, users=users),
        seed=policy.seed,
        holdout=StatedHoldout(share=policy.holdout or 0.0, users=holdout),
        explored=StatedExploring(share=policy.explore or 0.0, users=explorers),
        solver=solver,
        seconds=steps.seconds,
        author=origin.author or policy.author or _user_name(),
        created=datetime.now(UTC),
    )


def _user_name() -> str | None:
    """Return who runs the program, as far as the system tells."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return None


def _files(findings: PlanFindings, record: RunRecord, origin: Origin, report: str) -> RunFiles:
    """Return all that goes into the run directory."""
    return RunFiles(
        allocation=findings.rows,
        scores=_given_scores(findings.table, origin, corrected=findings.correction.factor != 1.0)
        or findings.table.to_blocks(AllocationTable.ROW_GROUP),
        certificate=findings.certificate,
        evaluation=evaluation_of(findings.gain, findings.quality),
        frozen_policy=findings.frozen.to_dict(),
        prices=findings.prices.to_dict(),
        report=report,
        record=record,
        policy_text=shareable(origin),
        key=read_signing_key(None),
    )


def shareable(origin: Origin) -> bytes:
    """Return the policy file without the passwords in it, which are in no run."""
    locations = origin.policy.locations
    if not any(location.secrets for location in locations):
        return origin.policy_text
    # editors of Windows put a mark before the text
    text = without_secrets(origin.policy_text.decode("utf-8-sig"), locations)
    if text is None:  # written with escapes, or by an option
        return written_policy(origin.policy.model_dump(mode="json"))
    return text.encode()


def evaluation_of(gain: PlanGain | None, quality: ModelQuality | None) -> dict[str, Any] | None:
    """Return what the trial says of a plan, and what was found of the trial."""
    content: dict[str, Any] = {"plan": gain.to_dict()} if gain else {}
    if quality is not None:
        content["findings"] = [check.to_dict() for check in quality.checks]
    return content or None


def _given_scores(table: ScoreTable, origin: Origin, *, corrected: bool) -> Path | None:
    """Return a Parquet file of scores with the columns used and no others, to copy as it is."""
    given = None if origin.inputs is None else origin.inputs.scores
    if corrected:
        return None
    if given is not None and given.single_file and {*given.columns} == {*table.column_names}:
        return given.single_file
    return None


def input_files(file: Path | None, inputs: Inputs | None, *, users: int) -> dict[str, InputFile]:
    """Return what a run was made from, by part; found again from any other folder.

    Parameters
    ----------
    users
        How many rows the scores have.
    """
    files = {}
    if file is not None:
        files["policy"] = InputFile(path=str(file.absolute()), sha256=digest_file(file))
    if inputs is None:
        return files
    rows = {"scores": users}
    tables = {"users": inputs.users, "trial": inputs.trial, "scores": inputs.scores}
    return files | {
        name: InputFile(path=table.location.written(), sha256=table.digest(), rows=rows.get(name))
        for name, table in tables.items()
        if table is not None
    }
