"""The tables of a campaign: a planner's own, or a sample's, with the features of its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from incentive_engine.config.access.location import Location
from incentive_engine.config.inputs import Sample
from incentive_engine.config.policy import Policy
from incentive_engine.data.sources import open_source
from incentive_engine.data.sources.source import Source
from incentive_engine.data.step_cache import StepCache
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import Message
from incentive_engine.pipeline.steps import Steps
from incentive_engine.pipeline.trials import trials_of

if TYPE_CHECKING:
    from incentive_engine.data.trials.trial import Trial
    from incentive_engine.data.users import UserFile
    from incentive_engine.features.computing.history_columns import HistoryColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignTables:
    """The tables of a campaign and their digests."""

    users: Source | None
    trial: Source | None
    digests: Mapping[str, str]
    """`users` and `trial` to sha256."""
    log: Path | None = None
    """The event log of a sample campaign."""
    history: tuple[HistoryColumn, ...] = ()
    """The features of history that the tables have."""
    stale: tuple[Message, ...] = ()
    """The logs that end before the users' moment."""


def campaign_files(policy: Policy, *, cache: StepCache, steps: Steps) -> CampaignTables:
    """Return the campaign's tables, with features of its history where the policy names one."""
    campaign = campaign_tables(policy, cache=cache, steps=steps)
    if policy.history is None:
        return campaign
    from incentive_engine.pipeline.history import campaign_history, stale_logs, with_features

    named = {"users": campaign.users, "trial": campaign.trial}
    tables = {name: table for name, table in named.items() if table is not None}
    history = campaign_history(policy, tables, log=campaign.log, cache=cache, steps=steps)
    joined = {
        name: open_source(with_features(history, name, cache=cache, steps=steps))
        for name in tables
    }
    return CampaignTables(
        users=joined.get("users"),
        trial=joined.get("trial"),
        digests={name: table.digest() for name, table in joined.items()},
        history=history.plan.columns,
        stale=stale_logs(history),
    )


def campaign_tables(policy: Policy, *, cache: StepCache, steps: Steps) -> CampaignTables:
    """Return the campaign's own tables; a sample campaign is made first."""
    users: Source | None
    trial: Source | None
    data, log = policy.data, None
    if data.sample is not None:
        sample = data.sample
        with steps.step("sample"):
            step = cache.run(
                "sample",
                {"sample": sample.model_dump_json()},
                lambda directory: _make_sample(sample, directory),
            )
        users = open_source(step.path / "users.parquet")
        trial = open_source(step.path / "trial.parquet")
        log = step.path / "events.parquet"
    else:
        users = _opened(data.users, data.columns.users)
        trial = trials_of(data, cache=cache)
    named = {"users": users, "trial": trial}
    digests = {name: source.digest() for name, source in named.items() if source is not None}
    return CampaignTables(users=users, trial=trial, digests=digests, log=log)


def _opened(location: Location | None, renames: Mapping[str, str]) -> Source | None:
    return None if location is None else open_source(location, renames=renames)


def users_of(campaign: CampaignTables, policy: Policy) -> UserFile:
    """Return the users to decide on."""
    from incentive_engine.data.users import open_users

    if campaign.users is None:
        raise ConfigError(Fault("data.users", "is missing", "a file, or `sample: double11`"))
    return open_users(campaign.users, policy)


def trial_of(campaign: CampaignTables, policy: Policy) -> Trial:
    """Return the randomised trial, with features joined from the users where needed."""
    from incentive_engine.data.trials.trial import read_trial
    from incentive_engine.data.users import open_users

    if campaign.trial is None:
        raise ConfigError(Fault("data.trial", "is missing", "a file, or `sample: double11`"))
    users = open_users(campaign.users, policy) if campaign.users is not None else None
    return read_trial(campaign.trial, policy, users)


def _make_sample(sample: Sample, directory: Path) -> None:
    from incentive_engine.synthetic.sample import write_sample

    write_sample(sample, directory)
