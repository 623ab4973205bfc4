"""Decide for users whom no one process holds: scores are read, and rows written, by tasks."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

from incentive_engine.config.access.location import Location
from incentive_engine.config.plausibility import doubts
from incentive_engine.data.scores import read_scored_users
from incentive_engine.data.sources import Source
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.fleet import SharedWork
from incentive_engine.insight.budget.policy_options import (
    BudgetOptions,
)
from incentive_engine.insight.findings import warned_first
from incentive_engine.insight.pages.summary import RunSummary
from incentive_engine.insight.value.gain import read_valuation
from incentive_engine.pipeline.quality import read_quality
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.report import Code
from incentive_engine.workflow.in_parts.parted_run import PartedRun, written
from incentive_engine.workflow.in_parts.stated_policy import LearnedScores, planned
from incentive_engine.workflow.origin import begin


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
    origin, inputs, directory = begin(
        policy_file, options, scores, out=out, author=author, accepted=accepted, steps=steps
    )
    policy = origin.policy
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
