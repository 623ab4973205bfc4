"""From a campaign's data to scores: each step is skipped while its inputs are unchanged."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incentive_engine.config.access.location import Location
from incentive_engine.config.policy import Policy
from incentive_engine.data.sources import open_source
from incentive_engine.data.step_cache import StepCache
from incentive_engine.fleet import SharedWork
from incentive_engine.language import say, stored
from incentive_engine.pipeline.campaign_tables import (
    CampaignTables,
    campaign_files,
    trial_of,
    users_of,
)
from incentive_engine.pipeline.inputs import Inputs, given_inputs
from incentive_engine.pipeline.steps import Steps
from incentive_engine.pipeline.trials import baseline_file, baseline_of

if TYPE_CHECKING:
    import pandas as pd

    from incentive_engine.data.trials.trial import Trial
    from incentive_engine.data.users import UserTable
    from incentive_engine.features.computing.history_columns import HistoryColumn
    from incentive_engine.uplift.diagnosis.drift import Drift
    from incentive_engine.uplift.diagnosis.verdicts import Diagnosis
    from incentive_engine.uplift.evaluation.evaluation import ModelEvaluation
    from incentive_engine.uplift.model import EffectModel


def inputs_of(
    policy: Policy,
    scores: Path | Location | None,
    steps: Steps,
    *,
    accepted: Collection[str] = (),
) -> Inputs:
    """Return the inputs of a run: with the planner's own scores, or learned and scored first.

    Parameters
    ----------
    accepted
        As of `campaign_inputs`.
    """
    if scores is None:
        return campaign_inputs(policy, steps, accepted=accepted)
    return given_inputs(scores, policy)


def campaign_inputs(policy: Policy, steps: Steps, *, accepted: Collection[str] = ()) -> Inputs:
    """Return the inputs of a run that learns first, where that is not done already.

    Parameters
    ----------
    accepted
        Findings of the trial that the planner answers for; see `Diagnosis.refuse`.
    """
    cache = StepCache()
    campaign = campaign_files(policy, cache=cache, steps=steps)
    model = trained_model(campaign, policy, cache=cache, steps=steps, accepted=accepted)
    scores = scored_users(campaign, model, policy, cache=cache, steps=steps)
    valuation = valued_trial(campaign, model, policy, cache=cache, steps=steps)
    return Inputs(
        scores=open_source(scores),
        users=campaign.users,
        trial=campaign.trial,
        model=model,
        valuation=valuation,
        drift=drifted_users(campaign, model, policy, cache=cache, steps=steps),
    )


def trained_model(
    campaign: CampaignTables,
    policy: Policy,
    *,
    cache: StepCache,
    steps: Steps,
    accepted: Collection[str] = (),
) -> Path:
    """Return the directory of the model that the campaign's trial teaches."""
    answered = {"accepted": " ".join(sorted(accepted))} if accepted else {}
    with steps.step("train"):
        step = cache.run(
            "model",
            {**campaign.digests, "policy": _model_settings(policy), **answered},
            lambda directory: fit_into(campaign, policy, directory, accepted=accepted),
        )
    return step.path


def scored_users(
    campaign: CampaignTables, model: Path, policy: Policy, *, cache: StepCache, steps: Steps
) -> Path:
    """Return the score table of the campaign's users."""
    scores = "scores.parquet"
    with steps.step("score"):
        step = cache.run(
            "scores",
            _inputs_of_tables(campaign, policy),
            lambda directory: score_into(
                campaign, model, policy, directory / scores, shared=steps.shared
            ),
        )
    return step.path / scores


def valued_trial(
    campaign: CampaignTables, model: Path, policy: Policy, *, cache: StepCache, steps: Steps
) -> Path:
    """Return the table that values any plan by the campaign's trial."""
    valuation = Path("valuation.parquet")
    files = f"{valuation} {baseline_file(valuation)}"
    with steps.step("prepare the valuation"):
        step = cache.run(
            "valuation",
            {**_inputs_of_tables(campaign, policy), "files": files},
            lambda directory: value_into(campaign, model, policy, directory / valuation),
        )
    return step.path / valuation


def _inputs_of_tables(campaign: CampaignTables, policy: Policy) -> dict[str, str]:
    columns = json.dumps(policy.attribute_columns)
    return {**campaign.digests, "policy": _model_settings(policy), "columns": columns}


def drifted_users(
    campaign: CampaignTables, model: Path, policy: Policy, *, cache: StepCache, steps: Steps
) -> Path:
    """Return the file that says how the campaign's users differ from its trial."""
    with steps.step("compare users with the trial"):
        step = cache.run(
            "drift",
            {**campaign.digests, "policy": _model_settings(policy), **_stale_key(campaign)},
            lambda directory: drift_into(campaign, model, policy, directory / "drift.json"),
        )
    return step.path / "drift.json"


def fit_into(
    campaign: CampaignTables, policy: Policy, directory: Path, *, accepted: Collection[str] = ()
) -> None:
    """Check the trial, fit the uplift model, judge it, and save all into an existing directory.

    Raises
    ------
    DataError
        When the trial cannot teach effects, and nobody answers for that.
    """
    from incentive_engine.uplift.diagnosis.diagnose import diagnose
    from incentive_engine.uplift.model import fit
    from incentive_engine.uplift.storage import save_model

    trial = trial_of(campaign, policy)
    diagnosis = diagnose(trial, policy)
    diagnosis.refuse(accepted)
    model = fit(trial, policy, seed=policy.seed)
    judge_into(directory, model, trial, policy, diagnosis=diagnosis, history=campaign.history)
    save_model(model, directory)


def judge_into(
    directory: Path,
    model: EffectModel,
    trial: Trial,
    policy: Policy,
    *,
    diagnosis: Diagnosis,
    history: Sequence[HistoryColumn],
) -> ModelEvaluation:
    """Write how good a model is on its trial into an existing directory, and return it."""
    from incentive_engine.pipeline.quality import write_quality
    from incentive_engine.uplift.evaluation.evaluation import evaluate
    from incentive_engine.uplift.evaluation.explanation import explain_sample

    evaluation = evaluate(model, trial, policy)
    drivers = explain_sample(model, trial.features).drivers()
    added = _history_added(model, trial, history)
    write_quality(directory, diagnosis, evaluation.to_dict(), drivers, added)
    return evaluation


def _history_added(
    model: EffectModel, trial: Trial, columns: Sequence[HistoryColumn]
) -> dict[str, Any] | None:
    """Return what a report says of history features, as JSON; None where there are none.

    ``features`` has the words of each, ``added`` what groups of them add out of fold: nothing
    first, then each family, windows up to each length, and all.
    """
    from incentive_engine.features.computing.words import feature_words, groups_of
    from incentive_engine.uplift.evaluation.additions import additions

    if not columns:
        return None
    groups = groups_of(columns)
    gains = additions(model, trial, [names for _, names in groups])
    words = [say("added.ready"), *(words for words, _ in groups)]
    return {
        "features": {column.name: stored.to_dict(feature_words(column)) for column in columns},
        "added": [
            {"group": stored.to_dict(group), **addition.to_dict()}
            for group, addition in zip(words, gains, strict=True)
        ],
    }


def score_into(
    campaign: CampaignTables,
    model: Path,
    policy: Policy,
    file: Path,
    *,
    shared: SharedWork | None = None,
) -> None:
    """Score the campaign's users, block by block, and write the table as Parquet or CSV."""
    from incentive_engine.data.tables.frames import write_blocks
    from incentive_engine.pipeline.score_shards import scored_blocks
    from incentive_engine.uplift.model import predict
    from incentive_engine.uplift.storage import load_model

    users = users_of(campaign, policy)
    if shared is not None:
        score = partial(_scores_of, str(model.absolute()), policy)
        with scored_blocks(users, score, shared) as blocks:
            write_blocks(blocks, file)
        return
    fitted = load_model(model)
    write_blocks((predict(fitted, block, policy) for block in users.blocks()), file)


def _scores_of(model: str, policy: Policy, users: UserTable) -> pd.DataFrame:
    """Return the scores of users by the model of a directory, which each worker reads once."""
    from incentive_engine.uplift.model import predict

    return predict(_read_once(model), users, policy)


@lru_cache(maxsize=1)
def _read_once(directory: str) -> EffectModel:
    from incentive_engine.uplift.storage import load_model

    return load_model(Path(directory))


def drift_into(campaign: CampaignTables, model: Path, policy: Policy, file: Path) -> None:
    """Write how the campaign's users differ from its trial, as JSON."""
    from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict, TrialCheck

    content = drift_of(campaign, model, policy).to_dict()
    stale = [
        CheckVerdict(
            check=TrialCheck.DRIFT, verdict="warning", what=what, remedy=say("noted.stands_still")
        )
        for what in campaign.stale
    ]
    content["warnings"] += [str(finding.message) for finding in stale]
    content["findings"] += [finding.to_dict() for finding in stale]
    file.write_text(json.dumps(content, indent=2), encoding="utf-8")


def _stale_key(campaign: CampaignTables) -> dict[str, str]:
    return {"stale": " ".join(map(str, campaign.stale))} if campaign.stale else {}


def drift_of(campaign: CampaignTables, model: Path, policy: Policy) -> Drift:
    """Return how the campaign's users differ from its trial, by some of both."""
    from incentive_engine.uplift.diagnosis.drift import drift, looked_at
    from incentive_engine.uplift.storage import load_model

    trial, users = trial_of(campaign, policy), users_of(campaign, policy)
    some = users.take(looked_at(users.n_users))
    return drift(load_model(model), trial.features, some.features)


def value_into(campaign: CampaignTables, model: Path, policy: Policy, file: Path) -> None:
    """Write a score table of the trial's rows, with what each offer brought beside it.

    What the trial says of users without an offer goes beside it, into `baseline_file`.
    """
    from incentive_engine.data.tables.frames import write_table
    from incentive_engine.uplift.doubly_robust.plan_value import valued
    from incentive_engine.uplift.storage import read_out_of_fold
    from incentive_engine.uplift.trial_design import within_reach

    trial = trial_of(campaign, policy)
    out_of_fold = read_out_of_fold(model)
    scores = out_of_fold.score_frame(trial.user_id, trial.features, policy)
    scores = within_reach(scores, trial)
    write_table(scores.join(valued(trial, out_of_fold).to_frame()), file)
    baseline_file(file).write_text(json.dumps(baseline_of(trial)), encoding="utf-8")


def _model_settings(policy: Policy) -> str:
    settings = policy.model_dump(
        mode="json",
        include={"offers", "eligibility", "features", "seed"},
        # dates and titles teach a model nothing: a campaign that changes them keeps its model
        exclude={"offers": {"__all__": {"valid_from", "valid_to", "campaign_id", "title"}}},
    )
    return json.dumps(settings, sort_keys=True)
