"""Decide for users whom no one process holds: scores are read, and rows written, by tasks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from incentive_engine.allocation.build import Members, build_question
from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, Prices
from incentive_engine.allocation.plans.sharded_plan import ShardedPlan, solve_in_shards
from incentive_engine.allocation.problem import Question
from incentive_engine.allocation.score_rows import ScoreRows, StateRows, cut_rows
from incentive_engine.config import Policy
from incentive_engine.config.access.location import Location
from incentive_engine.config.plausibility import doubts
from incentive_engine.data.scores import ScoreTable, read_scored_users, score_columns
from incentive_engine.data.sources import Source
from incentive_engine.domain import MICROS
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.fleet import SharedWork
from incentive_engine.insight.budget.mandate import mandate_of, returned
from incentive_engine.insight.budget.policy_options import (
    BudgetOptions,
    default_policy,
    read_policy,
)
from incentive_engine.insight.findings import holdout_of
from incentive_engine.insight.pages.report_content import titles_of
from incentive_engine.insight.pages.summary import RunSummary
from incentive_engine.language import Message, say
from incentive_engine.pipeline.campaign import given_inputs
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.report import Code, render_report
from incentive_engine.run.directory import (
    RunFiles,
    RunRecord,
    default_run_directory,
    refuse_existing,
)
from incentive_engine.run.directory import write_run as write_files
from incentive_engine.run.signature import read_signing_key
from incentive_engine.run.statements import StatedExploring, StatedHoldout
from incentive_engine.workflow.in_parts.page import advice_of, short_content
from incentive_engine.workflow.in_parts.rows import PlanSums, WriteRows, total
from incentive_engine.workflow.write_run import Origin, input_files, shareable, user_name


def allocate_in_parts(
    policy_file: Path | None,
    *,
    options: BudgetOptions,
    scores: Path | Location | None,
    shared: SharedWork,
    out: Path | None = None,
    author: str | None = None,
    lang: Code = "en",
    progress: Progress = quiet,
) -> RunSummary:
    """Decide one offer or none for each user, and write a run whose rows stand in parts.

    The plan is the one of `allocate`. This process reads who the users are and what the policy
    asks of their attributes; no score, and no user's choice, comes here.

    Raises
    ------
    ConfigError, DataError
        With every problem of the policy, or of a file.
    InfeasibleError
        When no plan meets all limits.
    """
    steps, file = Steps(progress, shared=shared), policy_file or default_policy()
    if scores is None:
        expected = "--scores with a Parquet table"
        raise ConfigError(Fault("--parts", "does not learn scores first", expected))
    policy = read_policy(file, options, with_scores=True)
    inputs = given_inputs(scores, policy)
    _refuse(policy, options, inputs.scores)
    amount = policy.budget.amount if policy.budget else None
    directory = out or default_run_directory(Path("runs"), policy.name, amount)
    refuse_existing(directory)  # before the work, not after it
    with steps.step("read"):
        users = read_scored_users(inputs.scores, policy)
        stated = _stated(policy, users, inputs.scores)
    origin = Origin(
        policy=policy, policy_text=file.read_bytes(), file=file, options=options,
        inputs=inputs, author=author,
    )  # fmt: skip
    items = list(cut_rows(stated.members, shared.number(users.n_users)))
    shared.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=shared.folder, prefix="rows-") as folder:
        with (
            steps.step("solve", 1.0) as advance,
            solve_in_shards(
                stated.question, stated.state, items, shared, users=users.n_users, advance=advance
            ) as plan,
        ):
            sums = _written(stated, plan, Path(folder) / "parts")
        certificate = _certificate(stated, plan, sums, options)
        warnings = (*doubts(policy), *users.warnings, *_warnings(policy))
        record = _record(stated, plan, origin, steps)
        content = short_content(policy, certificate, sums, record, warnings=warnings)
        prices = Prices(policy=stated.frozen.digest, by_limit=plan.prices, settled=sums.settled)
        write_files(
            directory,
            RunFiles(
                allocation=Path(folder) / "parts",
                scores=_scores(inputs.scores, policy),
                certificate=certificate,
                frozen_policy=stated.frozen.to_dict(),
                prices=prices.to_dict(),
                report=render_report(content, lang=lang, titles=titles_of(policy)),
                record=record,
                policy_text=shareable(origin),
                key=read_signing_key(None),
            ),
        )
    return RunSummary(
        directory=directory,
        verdict=advice_of(policy, certificate, sums).verdict,
        certificate=certificate,
        conversions_by_scores=sums.conversion,
        gain=None,
        currency=policy.currency,
        margin=policy.margin,
        warnings=warnings,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatedPolicy:
    """A policy and what it means among the users of a plan."""

    policy: Policy
    question: Question
    members: Members
    frozen: FrozenPolicy
    state: StateRows


def _refuse(policy: Policy, options: BudgetOptions, scores: Source) -> None:
    """Refuse what needs all users in one place."""
    faults = []
    remedy = "leave --parts out"
    if scores.is_csv:
        faults.append(Fault(scores.where, "--parts reads row groups", "Parquet", remedy))
    if options.min_marginal_roi is not None:
        faults.append(Fault("--min-marginal-roi", "needs all users in one place", remedy=remedy))
    if policy.budget is not None and policy.budget.basis == "at-risk":
        faults.append(
            Fault("budget.basis: at-risk", "needs all users in one place", remedy=remedy)
        )
    if faults:
        raise ConfigError(*faults)


def _stated(policy: Policy, users: ScoreTable, scores: Source) -> StatedPolicy:
    holdout = holdout_of(policy, users)
    question, members = build_question(policy, users, holdout)
    return StatedPolicy(
        policy=policy,
        question=question,
        members=members,
        frozen=FrozenPolicy.of(policy, users, holdout),
        state=StateRows(policy=policy, scores=scores.from_anywhere()),
    )


def _written(stated: StatedPolicy, plan: ShardedPlan[ScoreRows], folder: Path) -> PlanSums:
    """Let tasks write the rows, and return what they add up to."""
    folder.mkdir()
    write = WriteRows(
        state=stated.state,
        question=replace(plan.question, explorers=None),
        prices=plan.prices,
        frozen=stated.frozen,
        folder=str(folder),
    )
    sums = total(plan.each(write))
    for left in folder.glob(".*"):  # of tasks that were killed
        left.unlink()
    return sums


def _certificate(
    stated: StatedPolicy, plan: ShardedPlan[ScoreRows], sums: PlanSums, options: BudgetOptions
) -> dict[str, Any]:
    return {
        **plan.solved.certificate.to_dict(),
        "returns": returned(sums.spend, sums.cost_micros / MICROS, None),
        "mandate": mandate_of(stated.policy, options).to_dict(),
    }


def _warnings(policy: Policy) -> Iterator[Message]:
    if not policy.holdout:
        yield say("notes.no_holdout")


def _record(
    stated: StatedPolicy, plan: ShardedPlan[ScoreRows], origin: Origin, steps: Steps
) -> RunRecord:
    policy, holdout = stated.policy, stated.members.holdout
    explorers = plan.question.explorers
    explores = 0 if explorers is None else len(explorers.users)
    return RunRecord(
        policy=policy.model_dump(mode="json"),
        policy_file=str(origin.file),
        overrides=origin.overrides(policy),
        inputs=input_files(origin.file, origin.inputs, users=len(holdout)),
        seed=policy.seed,
        holdout=StatedHoldout(share=policy.holdout or 0.0, users=int(holdout.sum())),
        explored=StatedExploring(share=policy.explore or 0.0, users=explores),
        solver=plan.solved.certificate.to_dict()["solver"],
        seconds=steps.seconds,
        author=origin.author or policy.author or user_name(),
        created=datetime.now(UTC),
    )


def _scores(scores: Source, policy: Policy) -> Path | Iterator[pa.Table]:
    """Return the score table that the run keeps, as a file or block by block."""
    columns = score_columns(scores.columns, policy)
    if scores.single_file is not None and {*columns} == {*scores.columns}:
        return scores.single_file
    return scores.blocks(columns)
