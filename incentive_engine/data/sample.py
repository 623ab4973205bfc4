"""Campaigns that the program makes itself, so that it works without anyone's data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from incentive_engine.config.schema import Offer, Sample
from incentive_engine.data.market import DOUBLE11, WINBACK, Market, react, run_trial, truth_table
from incentive_engine.data.population import draw_population

MARKETS: Final[dict[str, Market]] = {"double11": DOUBLE11, "winback": WINBACK}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleCampaign:
    """A campaign made from a seed.

    Attributes
    ----------
    users : DataFrame
        One row per user to decide on: ``user_id``, attributes, features.
    trial : DataFrame
        An earlier randomised campaign among other people of the same kind: the same columns, and
        ``offer``, ``propensity``, ``conversion``, ``spend``, ``cost``.
    truth : DataFrame
        What no planner knows: the true effects for `users`, see `market.truth_table`.
    """

    users: pd.DataFrame
    trial: pd.DataFrame
    truth: pd.DataFrame


def sample_offers(name: str) -> tuple[Offer, ...]:
    """Return the offers of a sample campaign, in its order."""
    return MARKETS[name].offers


def sample_campaign(sample: Sample) -> SampleCampaign:
    """Make a campaign; the same sample gives the same tables.

    Users do not change with the number of trial rows, nor the trial with the number of users.
    """
    market = MARKETS[sample.name]
    lapsed = sample.name == "winback"
    for_users, for_trial = map(np.random.default_rng, np.random.SeedSequence(sample.seed).spawn(2))
    users = draw_population(sample.users, prefix="U", lapsed=lapsed, rng=for_users)
    others = draw_population(sample.trial_rows, prefix="T", lapsed=lapsed, rng=for_trial)
    trial = run_trial(others, market, react(others, market), rng=for_trial)
    truth = truth_table(users, market, react(users, market))
    return SampleCampaign(users=users.known, trial=trial, truth=truth)


def write_sample(sample: Sample, directory: Path) -> None:
    """Write ``users.parquet``, ``trial.parquet`` and ``truth.parquet`` into `directory`."""
    campaign = sample_campaign(sample)
    for name in ("users", "trial", "truth"):
        getattr(campaign, name).to_parquet(directory / f"{name}.parquet", index=False)
