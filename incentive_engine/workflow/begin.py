"""What a plan is made from, and where it goes, as the command line names both."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from incentive_engine.config.access.location import Location
from incentive_engine.insight.budget.policy_options import (
    BudgetOptions,
    default_policy,
    read_policy,
)
from incentive_engine.pipeline.campaign import inputs_of
from incentive_engine.pipeline.inputs import Inputs
from incentive_engine.pipeline.steps import Steps
from incentive_engine.run.directory import default_run_directory, refuse_existing
from incentive_engine.uplift.diagnosis.verdicts import check_acceptable
from incentive_engine.workflow.write_run import Origin


def begin(
    policy_file: Path | None,
    options: BudgetOptions,
    scores: Path | Location | None,
    *,
    out: Path | None,
    author: str | None,
    accepted: Collection[str],
    steps: Steps,
) -> tuple[Origin, Inputs, Path]:
    """Return what a plan is made from, its other files, and the new directory that it goes to.

    Raises
    ------
    ConfigError, DataError
        With every problem of the policy, or of a file.
    """
    check_acceptable(accepted)
    file = policy_file or default_policy()
    policy = read_policy(file, options, with_scores=scores is not None)
    amount = policy.budget.amount if policy.budget else None
    directory = out or default_run_directory(Path("runs"), policy.name, amount)
    refuse_existing(directory)  # before the work, not after it
    inputs = inputs_of(policy, scores, steps, accepted=accepted)
    origin = Origin(
        policy=policy, policy_text=file.read_bytes(), file=file, options=options, inputs=inputs,
        author=author,
    )  # fmt: skip
    return origin, inputs, directory
