"""What a plan is asked for with, and where it goes, as the command line names both."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from incentive_engine.config.policy import Policy
from incentive_engine.insight.budget.policy_options import (
    BudgetOptions,
    default_policy,
    read_policy,
)
from incentive_engine.pipeline.inputs import Inputs
from incentive_engine.run.directory import default_run_directory, refuse_existing
from incentive_engine.uplift.diagnosis.verdicts import check_acceptable


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a plan was made from, for the manifest.

    Attributes
    ----------
    policy
        As the file and the options have it, before a mandate or a model says more.
    policy_text
        What the options change: the policy file, verbatim.
    file
        Where it stands; None where the policy was given in memory.
    inputs
        The other files; None where there are none.
    author
        Who plans; None takes the policy's author, or who runs the program.
    """

    policy: Policy
    policy_text: bytes
    file: Path | None = None
    options: BudgetOptions
    inputs: Inputs | None = None
    author: str | None = None

    def overrides(self, planned: Policy) -> dict[str, object]:
        """Return where the policy of a plan departs from the file, by dotted field."""
        changed = self.options.to_dict()
        before, after = self.policy.budget, planned.budget
        if after is not None:
            for field in ("amount", "cost_error"):
                value = getattr(after, field)
                if before is None or getattr(before, field) != value:
                    changed[f"budget.{field}"] = value
        return changed


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
