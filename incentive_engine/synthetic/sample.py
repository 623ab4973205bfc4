"""Campaigns that the program makes itself, so that it works without anyone's data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from incentive_engine.config.policy import Offer, Sample
from incentive_engine.synthetic.market import (
    DOUBLE11,
    WINBACK,
    Market,
    outcomes_of,
    react,
    run_trial,
    truth_table,
)
from incentive_engine.synthetic.population import Population, draw_population

AFTERWARDS: Final = 2
"""What tells the chances of the campaign from those of its users and of its trial."""
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
    users, for_trial = campaign_users(sample), _generator(sample, 1)
    lapsed = sample.name == "winback"
    others = draw_population(sample.trial_rows, prefix="T", lapsed=lapsed, rng=for_trial)
    trial = run_trial(others, market, react(others, market), rng=for_trial)
    truth = truth_table(users, market, react(users, market))
    return SampleCampaign(users=users.known, trial=trial, truth=truth)


def sample_outcomes(sample: Sample, plan: pd.DataFrame) -> pd.DataFrame:
    """Return what the users of a sample campaign do under a plan, as a shop would log it.

    Parameters
    ----------
    plan
        The sample's users: ``user_id``, and ``offer_id``, one of its offers or missing.

    Returns
    -------
    The plan's rows with ``conversion``, ``spend`` and ``cost`` beside them; the same plan gives
    the same outcomes.
    """
    market = MARKETS[sample.name]
    users = campaign_users(sample)
    given = plan.set_index("user_id")["offer_id"].reindex(users.known["user_id"])
    arm = pd.Index([offer.id for offer in market.offers]).get_indexer(pd.Index(given)) + 1
    rng = np.random.default_rng([sample.seed, AFTERWARDS])
    did = outcomes_of(market, react(users, market), arm, rng=rng)
    seen = pd.DataFrame({"user_id": users.known["user_id"], "offer_id": given.to_numpy(), **did})
    return seen.set_index("user_id").loc[plan["user_id"]].reset_index()


def campaign_users(sample: Sample) -> Population:
    """Return the users of a sample campaign, with what nobody sees of them."""
    lapsed = sample.name == "winback"
    return draw_population(sample.users, prefix="U", lapsed=lapsed, rng=_generator(sample, 0))


def _generator(sample: Sample, part: int) -> np.random.Generator:
    """Return the generator of the users (0) or of the trial (1)."""
    return np.random.default_rng(np.random.SeedSequence(sample.seed).spawn(2)[part])


def write_sample(sample: Sample, directory: Path) -> None:
    """Write ``users.parquet``, ``trial.parquet`` and ``truth.parquet`` into `directory`."""
    campaign = sample_campaign(sample)
    for name in ("users", "trial", "truth"):
        getattr(campaign, name).to_parquet(directory / f"{name}.parquet", index=False)
