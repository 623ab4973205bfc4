"""Values a plan on a trial among its users."""

from __future__ import annotations

import json
from pathlib import Path

from incentive_engine.config.access.location import Location
from incentive_engine.config.policy import Policy
from incentive_engine.data.sources import open_source
from incentive_engine.data.tables.files import atomic_directory
from incentive_engine.data.trials.trial import Trial, read_trial
from incentive_engine.data.users import open_users
from incentive_engine.errors import DataError, Fault
from incentive_engine.insight.budget.policy_options import load_for_scores
from incentive_engine.language import Code, Message, say
from incentive_engine.measurement.plan_on_trial import replay_plan
from incentive_engine.pipeline.trials import trials_of
from incentive_engine.run.directory import refuse_existing


def evaluate_run(
    policy_file: Path | None,
    *,
    run: Path,
    trial: Path | Location | None,
    model: Path | None,
    out: Path,
    lang: Code = "en",
) -> str:
    """Value a plan on a trial among its users, write it, and return it in short.

    Parameters
    ----------
    run
        A run directory, or any CSV or Parquet file with user_id and offer_id (empty or `control`:
        none).
    trial
        The log of that trial; None takes the policy's.
    model
        A model that has not seen that trial; it narrows the intervals. None: arm means.
    """
    policy = load_for_scores(policy_file)
    refuse_existing(out)
    replay = replay_plan(run, _trial(policy, trial), policy, model=model)
    with atomic_directory(out) as directory:
        text = json.dumps(replay.to_dict(), ensure_ascii=False, indent=2, allow_nan=False)
        (directory / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    return f"{replay.to_text(lang)}\n{written_to(out).text(lang)}"


def _trial(policy: Policy, trial: Path | Location | None) -> Trial:
    """Return a log, or the policy's own trial, whose features may stand with the users."""
    columns = policy.data.columns
    if trial is not None:
        return read_trial(open_source(trial, renames=columns.trial), policy, None)
    log = trials_of(policy.data)
    if log is None:
        raise DataError(Fault("--trial", "none is given", "the log of a trial"))
    if policy.data.users is None:
        return read_trial(log, policy, None)
    users = open_source(policy.data.users, renames=columns.users)
    return read_trial(log, policy, open_users(users, policy))


def written_to(out: Path) -> Message:
    """Return where an evaluation stands."""
    return say("terminal.evaluation", out=str(out / "evaluation.json"))
