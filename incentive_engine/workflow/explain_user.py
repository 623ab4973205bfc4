"""Says why one user's offers are thought to work."""

from __future__ import annotations

from pathlib import Path

from incentive_engine.data.step_cache import StepCache
from incentive_engine.insight.budget.policy_options import load
from incentive_engine.insight.evaluation.user_effects import UserReasons, user_effects
from incentive_engine.pipeline.campaign import trained_model
from incentive_engine.pipeline.campaign_tables import campaign_files, users_of
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.uplift.diagnosis.verdicts import acceptable
from incentive_engine.uplift.model import EffectModel


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
    fitted = EffectModel.load(directory)
    return user_effects(fitted, users, user_id, policy, history=campaign.history)
