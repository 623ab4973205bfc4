"""Decide for users whom no one process holds: scores are read, and rows written, by tasks."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.config.access.location import Location
from incentive_engine.config.plausibility import doubts
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import read_scored_users, score_columns
from incentive_engine.data.sources.source import Source
from incentive_engine.domain import MICROS
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.fleet import SharedWork
from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.insight.budget.returns import returned
from incentive_engine.insight.findings import PlanTotals, over_budget, warned_first
from incentive_engine.insight.pages.plan_content import titles_of
from incentive_engine.insight.pages.report_content import content_of
from incentive_engine.insight.pages.summary import RunSummary
from incentive_engine.insight.stated_problem import mandate_of
from incentive_engine.insight.value.cost_correction import evaluated_cost
from incentive_engine.insight.value.gain import read_valuation
from incentive_engine.insight.value.plan_gain import PlanGain
from incentive_engine.language import Code, Message, say
from incentive_engine.pipeline.campaign import inputs_of
from incentive_engine.pipeline.quality import read_quality
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.report.pages.page import render_report
from incentive_engine.run.directory import AllocationTable, RunFiles
from incentive_engine.run.directory import write_run as write_files
from incentive_engine.run.signature import read_signing_key
from incentive_engine.workflow.begin import Origin, begin
from incentive_engine.workflow.in_parts.rows import PlanSums, WriteRows, total
from incentive_engine.workflow.in_parts.stated_policy import LearnedScores, PlannedPolicy, planned
from incentive_engine.workflow.write_run import evaluation_of, run_record, shareable


def allocate_in_parts(
    policy_file: Path | None,
    *,
    options: BudgetOptions,
    scores: Path | Location | None,
    shared: SharedWork,
    out: Path | None = None,
    author: str | None = None,
    accepted: Collection[str] = (),
    lang: Code = "en",
    progress: Progress = quiet,
) -> RunSummary:
    """Decide one offer or none for each user, and write a run whose rows stand in parts.

    The plan is the one of `allocate`. This process reads who the users are and what the policy
    asks of their attributes; no score, and no user's choice, comes here. Scores that are learned
    first are made by tasks, and pass through block by block.

    Raises
    ------
    ConfigError, DataError
        With every problem of the policy, or of a file.
    InfeasibleError
        When no plan meets all limits.
    """
    refuse(options)
    steps = Steps(progress, shared=shared)
    origin, directory = begin(
        policy_file,
        options,
        with_scores=scores is not None,
        out=out,
        author=author,
        accepted=accepted,
    )
    policy = origin.policy
    inputs = inputs_of(policy, scores, steps, accepted=accepted)
    origin = replace(origin, inputs=inputs)
    refuse_csv(inputs.scores)
    learned = LearnedScores(
        valued=None if inputs.valuation is None else read_valuation(inputs.valuation, policy),
        quality=read_quality(inputs.model, inputs.drift),
    )
    with steps.step("read"):
        users = read_scored_users(inputs.scores, policy)
    shared.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=shared.folder, prefix="rows-") as folder:
        parts = Path(folder) / "parts"
        doubtful = doubts(policy)
        with (
            warned_first(learned.quality, users, doubtful),
            steps.step("solve", 1.0) as advance,
            planned(policy, users, inputs.scores, learned, shared, advance=advance) as made,
        ):
            sums = written(made, parts)
        made_of = PartedRun(made=made, sums=sums, known=learned, origin=origin)
        summary = made_of.summary(directory, (*doubtful, *users.warnings))
        made_of.write(directory, parts, summary, steps=steps, lang=lang)
    return summary


def refuse(options: BudgetOptions) -> None:
    """Refuse what needs all users in one place.

    Raises
    ------
    ConfigError
        When the return of the last money is asked for: shards hold no spend that is neither
        maximised nor limited.
    """
    if options.min_marginal_roi is not None:
        what, remedy = "needs all users in one place", "leave --parts out"
        raise ConfigError(Fault("--min-marginal-roi", what, remedy=remedy))


def refuse_csv(scores: Source) -> None:
    """Refuse scores of which tasks cannot read some rows alone.

    Raises
    ------
    ConfigError
        When they are CSV.
    """
    if scores.is_csv:
        what, remedy = "--parts reads row groups", "leave --parts out"
        raise ConfigError(Fault(scores.where, what, "Parquet", remedy))


def written(made: PlannedPolicy, folder: Path) -> PlanSums:
    """Let tasks write the rows of a plan into a new folder, and return what they add up to."""
    folder.mkdir()
    write = WriteRows(
        state=made.stated.state,
        question=replace(made.plan.question, explorers=None),
        prices=made.plan.prices,
        frozen=made.stated.frozen,
        folder=str(folder),
    )
    sums = total(made.plan.each(write))
    for left in folder.glob(".*"):  # of tasks that were killed
        left.unlink()
    return sums


@dataclass(frozen=True, kw_only=True, eq=False)
class PartedRun:
    """A plan in parts, and what is known of it.

    Attributes
    ----------
    sums
        What its rows add up to.
    """

    made: PlannedPolicy
    sums: PlanSums
    known: LearnedScores
    origin: Origin

    @property
    def policy(self) -> Policy:
        """The policy as it was planned."""
        return self.made.stated.policy

    @cached_property
    def gain(self) -> PlanGain | None:
        """The plan's gain by the trial; None where scores are given."""
        users = self.made.stated.decided - self._explorers
        return self.made.gain(self.known, self.policy, users=users)

    @cached_property
    def certificate(self) -> dict[str, Any]:
        """The content of certificate.json."""
        proven, sums = self.made.plan.solved.certificate.to_dict(), self.sums
        if self.gain is not None:
            correction = self.made.stated.correction
            proven["budget"]["evaluated"] = evaluated_cost(self.gain.cost, correction)
        return {
            **proven,
            "returns": returned(sums.spend, sums.cost_micros / MICROS, None),
            "mandate": mandate_of(self.origin.policy, self.origin.options).to_dict(),
        }

    @property
    def totals(self) -> PlanTotals:
        """What the plan adds up to."""
        return PlanTotals(
            policy=self.policy,
            certificate=self.certificate,
            users=self.sums.offers,
            conversions=self.sums.conversion,
            spend=self.sums.spend,
            cost=self.sums.cost_micros / MICROS,
            reasons=self.sums.reasons,
            missing=self.sums.missing,
            correction=self.certificate["budget"].get("evaluated", {}).get("correction", 1.0),
            gain=self.gain,
            quality=self.known.quality,
        )

    def summary(self, directory: Path, doubts: Iterable[Message]) -> RunSummary:
        """Return what a planner sees of the run; doubts are of its policy and its scores."""
        return RunSummary.of(self.totals, directory, (*doubts, *self._warnings()))

    def write(
        self, directory: Path, parts: Path, summary: RunSummary, *, steps: Steps, lang: Code
    ) -> None:
        """Write the run directory, whole or not at all; the parts of its rows move into it."""
        holdout = self.made.stated.members.holdout
        record = run_record(
            self.policy,
            self.origin,
            steps,
            users=len(holdout),
            holdout=int(holdout.sum()),
            explorers=self._explorers,
            solver=self.certificate["solver"],
        )
        content = content_of(self.totals, record, warnings=summary.warnings)
        frozen = self.made.stated.frozen
        prices = Prices(
            policy=frozen.digest, by_limit=self.made.plan.prices, settled=self.sums.settled
        )
        write_files(
            directory,
            RunFiles(
                allocation=parts,
                scores=self._scores(),
                certificate=self.certificate,
                evaluation=evaluation_of(self.gain, self.known.quality),
                frozen_policy=frozen.to_dict(),
                prices=prices.to_dict(),
                report=render_report(content, lang=lang, titles=titles_of(self.policy)),
                record=record,
                policy_text=shareable(self.origin),
                key=read_signing_key(None),
            ),
        )

    @property
    def _explorers(self) -> int:
        explorers = self.made.plan.question.explorers
        return 0 if explorers is None else len(explorers.users)

    def _warnings(self) -> Iterator[Message]:
        if self.known.quality is not None:
            yield from self.known.quality.warnings
        if not self.policy.holdout:
            yield say("notes.no_holdout")
        if self.gain is not None and (over := over_budget(self.policy, self.gain.cost)):
            yield over

    def _scores(self) -> Path | Iterator[pa.Table]:
        """Return the score table that the run keeps, as a file or block by block."""
        state = self.made.stated.state
        if state.costs != 1.0:  # shard by shard, as the tasks read them
            tables = (state.table(item) for item in self.made.plan.items)
            return (
                block for table in tables for block in table.to_blocks(AllocationTable.ROW_GROUP)
            )
        columns = score_columns(state.scores.columns, self.policy)
        if state.scores.single_file is not None and {*columns} == {*state.scores.columns}:
            return state.scores.single_file
        return state.scores.blocks(columns)
