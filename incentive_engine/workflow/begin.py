"""What a plan is asked for with, and where it goes, as the command line names both."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from incentive_engine.insight.budget.policy_options import (
    BudgetOptions,
    default_policy,
    read_policy,
)
from incentive_engine.run.directory import default_run_directory, refuse_existing
from incentive_engine.uplift.diagnosis.verdicts import check_acceptable
from incentive_engine.workflow.write_run import Origin


def begin(
    policy_file: Path | None,
    options: BudgetOptions,
    *,
    with_scores: bool,
    out: Path | None,
    author: str | None,
    accepted: Collection[str],
) -> tuple[Origin, Path]:
    """Return what a plan is made from, yet without inputs, and the new directory that it goes to.

    Parameters
    ----------
    with_scores
        Whether the planner gives scores, so that the policy needs no data.

    Raises
    ------
    ConfigError, DataError
        With every problem of the policy, or of a file.
    """
    check_acceptable(accepted)
    file = policy_file or default_policy()
    policy = read_policy(file, options, with_scores=with_scores)
    amount = policy.budget.amount if policy.budget else None
    directory = out or default_run_directory(Path("runs"), policy.name, amount)
    refuse_existing(directory)  # before the work, not after it
    origin = Origin(
        policy=policy, policy_text=file.read_bytes(), file=file, options=options, author=author
    )
    return origin, directory
