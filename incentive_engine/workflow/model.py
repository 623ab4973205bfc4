"""The uplift model as files: train, score, evaluate."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Final

from incentive_engine.config import Policy
from incentive_engine.data.step_cache import StepCache
from incentive_engine.data.tables.files import atomic_directory
from incentive_engine.insight.evaluation_tables import write_tables
from incentive_engine.insight.policy_options import load
from incentive_engine.pipeline.added import history_added
from incentive_engine.pipeline.campaign import (
    Campaign,
    campaign_files,
    drift_of,
    fit_into,
    score_into,
    trial_of,
)
from incentive_engine.pipeline.quality import read_quality, write_quality
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.uplift.diagnosis.diagnose import diagnose
from incentive_engine.uplift.diagnosis.findings import check_acceptable
from incentive_engine.uplift.evaluation.evaluation import Evaluation, evaluate
from incentive_engine.uplift.evaluation.explanation import explain_sample
from incentive_engine.uplift.evaluation.paired import compare_models
from incentive_engine.uplift.model import UpliftModel
from incentive_engine.workflow.replay import plain, thousand

SHOWN_SHARES: Final = (0.1, 0.2, 0.5)
"""Budgets that the summary names, of what the plan without one costs."""


def train(
    policy_file: Path | None,
    *,
    out: Path,
    accepted: Collection[str] = (),
    progress: Progress = quiet,
) -> str:
    """Fit the uplift model on the policy's trial into a new directory; return what was done."""
    check_acceptable(accepted)
    policy = load(policy_file)
    steps = Steps(progress)
    campaign = _campaign(policy_file, steps)
    with atomic_directory(out) as directory, steps.step("train"):
        fit_into(campaign, policy, directory, accepted=accepted)
    quality = read_quality(out)
    warnings = [f"warning: {text}" for text in (quality.warnings if quality else ())]
    return "\n".join([*warnings, f"model: {out} ({steps.seconds['train']:.1f} s)"])


def score(policy_file: Path | None, *, model: Path, out: Path, progress: Progress = quiet) -> str:
    """Predict per user and offer into a new file; return what was done."""
    policy = load(policy_file)
    steps = Steps(progress)
    campaign = _campaign(policy_file, steps)
    with steps.step("score"):
        score_into(campaign, model, policy, out)
    warnings = _drift_warnings(campaign, model, policy)
    return "\n".join([*warnings, f"scores: {out} ({steps.seconds['score']:.1f} s)"])


def evaluate_model(
    policy_file: Path | None, *, model: Path, out: Path, progress: Progress = quiet
) -> str:
    """Write how good a model is on its trial, out of fold; return it in short."""
    policy = load(policy_file)
    steps = Steps(progress)
    campaign = _campaign(policy_file, steps)
    trial = trial_of(campaign, policy)
    with steps.step("evaluate"):
        fitted = UpliftModel.load(model)
        evaluation = evaluate(fitted, trial, policy)
        drivers = explain_sample(fitted, trial.features).drivers()
        history = history_added(fitted, trial, campaign.history)
    with atomic_directory(out) as directory:
        diagnosis = diagnose(trial, policy)
        write_quality(directory, diagnosis, evaluation, drivers, history)
        write_tables(directory, evaluation, diagnosis)
    return f"{_in_short(evaluation)}\nevaluation: {out / 'evaluation.json'}"


def _drift_warnings(campaign: Campaign, model: Path, policy: Policy) -> list[str]:
    """Return how the users differ from the trial; nothing where the policy names no trial."""
    if campaign.trial is None:
        return []
    return [f"warning: {text}" for text in drift_of(campaign, model, policy).warnings]


def compare_with(
    policy_file: Path | None,
    *,
    model: Path,
    against: Path,
    out: Path,
    progress: Progress = quiet,
) -> str:
    """Write which of two models of one trial makes the better plans; return it in short."""
    policy = load(policy_file)
    trial = trial_of(_campaign(policy_file, Steps(progress)), policy)
    found = compare_models(UpliftModel.load(model), UpliftModel.load(against), trial, policy)
    with atomic_directory(out) as directory:
        text = json.dumps(found.to_dict(), ensure_ascii=False, indent=2, allow_nan=False)
        (directory / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    lines = [f"{found.rows:,} trial rows; conversions per 1,000 users, 95 % intervals"]
    lines += [
        f"  plan for {1000 * plan.budget:,.0f}: {thousand(plan.first)}, the other"
        f" {thousand(plan.second)}; difference {thousand(plan.difference)}"
        for plan in found.plans
    ]
    lines += [f"  Qini of {offer}: {thousand(gap)} more" for offer, gap in found.qini.items()]
    return "\n".join([*lines, f"evaluation: {out / 'evaluation.json'}"])


def _in_short(evaluation: Evaluation) -> str:
    test = evaluation.heterogeneity
    found = "differ" if test.found else "do not differ measurably"
    lines = [
        f"{evaluation.rows:,} trial rows; effects {found} between users (p = {test.p_value:.3g})",
        "per 1,000 users, out of fold, with 95 % intervals:",
    ]
    lines += [
        f"  {offer.offer:<12} conversions {thousand(offer.conversion)}"
        f"   spend {thousand(offer.spend)}   cost {thousand(offer.cost)}"
        for offer in evaluation.offers
    ]
    lines += [
        f"  {offer.offer:<12} Qini {thousand(offer.qini)}   AUUC {thousand(offer.auuc)}"
        f"   slope of effects {plain(offer.effect_slope)}, of costs {plain(offer.cost_slope)}"
        f"   paid ÷ predicted {plain(offer.cost_ratio)}"
        for offer in evaluation.offers
    ]
    lines += [
        f"  plan for {1000 * plan.budget:,.0f}: conversions {thousand(plan.model)},"
        f" {1000 * plan.promised:,.2f} promised; {thousand(plan.difference)} over constant effects"
        for plan in evaluation.curve.points
        if plan.share in SHOWN_SHARES
    ]
    lines.append(
        "AUUC: area under the gain from offering to the share with the highest effects first, over"
        " shares from 0 to 1; Qini: that minus the area of a random order"
    )
    return "\n".join(lines)


def _campaign(policy_file: Path | None, steps: Steps) -> Campaign:
    return campaign_files(load(policy_file), cache=StepCache(), steps=steps)
