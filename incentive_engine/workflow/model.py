"""The uplift model as files: train, score, evaluate, compare, and explain one user."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from incentive_engine.config.policy import Policy
from incentive_engine.data.step_cache import StepCache
from incentive_engine.data.tables.files import atomic_directory, check_suffix
from incentive_engine.fleet import SharedWork
from incentive_engine.insight.budget.policy_options import load
from incentive_engine.insight.evaluation.summary import evaluation_summary, thousand
from incentive_engine.insight.evaluation.tables import write_tables
from incentive_engine.insight.evaluation.user_effects import UserReasons, user_effects
from incentive_engine.language import Message, say
from incentive_engine.language.wording import as_warnings
from incentive_engine.pipeline.campaign import (
    drift_of,
    fit_into,
    judge_into,
    score_into,
    trained_model,
)
from incentive_engine.pipeline.campaign_tables import (
    CampaignTables,
    campaign_files,
    trial_of,
    users_of,
)
from incentive_engine.pipeline.quality import read_quality
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.run.directory import refuse_existing
from incentive_engine.uplift.diagnosis.diagnose import diagnose
from incentive_engine.uplift.diagnosis.verdicts import acceptable, check_acceptable
from incentive_engine.uplift.evaluation.paired import compare_models
from incentive_engine.uplift.storage import load_model
from incentive_engine.workflow.results.value_plan import written_to


def train(
    policy_file: Path | None,
    *,
    out: Path,
    accepted: Collection[str] = (),
    progress: Progress = quiet,
) -> tuple[Message, ...]:
    """Fit the uplift model on the policy's trial into a new directory; return what was done."""
    check_acceptable(accepted)
    policy = load(policy_file)
    refuse_existing(out)  # before the work, not after it
    steps = Steps(progress)
    campaign = _campaign(policy_file, steps)
    with atomic_directory(out) as directory, steps.step("train"):
        fit_into(campaign, policy, directory, accepted=accepted)
    quality = read_quality(out)
    warnings = as_warnings(quality.warnings if quality else ())
    return (*warnings, say("terminal.model", out=str(out), seconds=steps.seconds["train"]))


def score(
    policy_file: Path | None,
    *,
    model: Path,
    out: Path,
    progress: Progress = quiet,
    shared: SharedWork | None = None,
) -> tuple[Message, ...]:
    """Predict per user and offer into a new file; return what was done."""
    policy = load(policy_file)
    check_suffix(out)
    steps = Steps(progress, shared=shared)
    campaign = _campaign(policy_file, steps)
    with steps.step("score"):
        score_into(campaign, model, policy, out, shared=shared)
    warnings = _drift_warnings(campaign, model, policy)
    return (*warnings, say("terminal.scores", out=str(out), seconds=steps.seconds["score"]))


def evaluate_model(
    policy_file: Path | None, *, model: Path, out: Path, progress: Progress = quiet
) -> tuple[Message, ...]:
    """Write how good a model is on its trial, out of fold; return it in short."""
    policy = load(policy_file)
    refuse_existing(out)
    steps = Steps(progress)
    campaign = _campaign(policy_file, steps)
    trial = trial_of(campaign, policy)
    with atomic_directory(out) as directory:
        with steps.step("evaluate"):
            diagnosis, fitted = diagnose(trial, policy), load_model(model)
            evaluation = judge_into(
                directory, fitted, trial, policy, diagnosis=diagnosis, history=campaign.history
            )
        write_tables(directory, evaluation, diagnosis)
    return (*evaluation_summary(evaluation), written_to(out))


def _drift_warnings(campaign: CampaignTables, model: Path, policy: Policy) -> tuple[Message, ...]:
    """Return how the users differ from the trial; nothing where the policy names no trial."""
    if campaign.trial is None:
        return ()
    return as_warnings((*campaign.stale, *drift_of(campaign, model, policy).warnings))


def compare_with(
    policy_file: Path | None,
    *,
    model: Path,
    against: Path,
    out: Path,
    progress: Progress = quiet,
) -> tuple[Message, ...]:
    """Write which of two models of one trial makes the better plans; return it in short."""
    policy = load(policy_file)
    refuse_existing(out)
    trial = trial_of(_campaign(policy_file, Steps(progress)), policy)
    comparison = compare_models(load_model(model), load_model(against), trial, policy)
    with atomic_directory(out) as directory:
        text = json.dumps(comparison.to_dict(), ensure_ascii=False, indent=2, allow_nan=False)
        (directory / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    lines = [say("evaluate.compared", rows=comparison.rows)]
    lines += [
        say(
            "evaluate.compared_plan",
            budget=1000 * plan.budget,
            first=thousand(plan.first),
            second=thousand(plan.second),
            difference=thousand(plan.difference),
        )
        for plan in comparison.plans
    ]
    lines += [
        say("evaluate.compared_qini", offer=offer, more=thousand(gap))
        for offer, gap in comparison.qini.items()
    ]
    return (*lines, written_to(out))


def explain_user(
    policy_file: Path | None,
    user_id: str,
    *,
    model: Path | None,
    progress: Progress = quiet,
) -> UserReasons:
    """Return why the model thinks that each offer works on a user as it does.

    Parameters
    ----------
    model
        What `train` has written; None takes the campaign's own, trained first where needed.

    Raises
    ------
    DataError
        When no such user is among the campaign's.
    """
    policy = load(policy_file)
    steps, cache = Steps(progress), StepCache()
    campaign = campaign_files(policy, cache=cache, steps=steps)
    directory = model or trained_model(
        campaign, policy, cache=cache, steps=steps, accepted=acceptable()
    )
    users = users_of(campaign, policy)
    fitted = load_model(directory)
    return user_effects(fitted, users, user_id, policy, history=campaign.history)


def _campaign(policy_file: Path | None, steps: Steps) -> CampaignTables:
    return campaign_files(load(policy_file), cache=StepCache(), steps=steps)
