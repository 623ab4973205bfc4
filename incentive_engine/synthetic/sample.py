"""Campaigns that the program makes itself, so that it works without anyone's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import pandas as pd

from incentive_engine.config.inputs import Sample
from incentive_engine.domain import IntArray
from incentive_engine.synthetic.habits import Habits, draw_habitual, draw_log
from incentive_engine.synthetic.market import (
    Market,
    double11,
    everyday,
    outcomes_of,
    react,
    run_trial,
    truth_table,
    weekly,
    winback,
)
from incentive_engine.synthetic.population import SyntheticPopulation, draw_population

MARKETS: Final[dict[str, Market]] = {
    "double11": double11(),
    "winback": winback(),
    "everyday": everyday(),
    "weekly": weekly(),
}


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
    events : DataFrame or None
        What users and people of the trial did before: ``user_id``, ``ts``, ``kind``,
        ``category``, ``amount`` (cents); for a market whose people have habits.
    """

    MOMENT: ClassVar = pd.Timestamp("2026-06-15 10:00", tz="Asia/Shanghai")
    """When the users of a campaign with a log are decided on."""
    TRIAL_DAYS: ClassVar = (120, 14)
    """How many days earlier the last row of its trial was dealt its arm, and over how many."""
    ASSIGNED: ClassVar = "assigned_at"
    """The column of the trial that says when."""
    LOG_COLUMNS: ClassVar[Mapping[str, str]] = {
        "time": "ts", "kind": "kind", "category": "category", "amount": "amount",
    }  # fmt: skip
    """What the columns of its event log are."""

    users: pd.DataFrame
    trial: pd.DataFrame
    truth: pd.DataFrame
    events: pd.DataFrame | None = None


def sample_campaign(sample: Sample) -> SampleCampaign:
    """Make a campaign; the same sample gives the same tables.

    Users do not change with the number of trial rows, nor the trial with the number of users.
    """
    market = MARKETS[sample.name]
    users, for_trial = campaign_users(sample), _generator(sample, 1)
    others = market_people(sample.name, sample.trial_rows, prefix="T", rng=for_trial)
    trial = run_trial(others, market, react(others, market), rng=for_trial)
    truth = truth_table(users, market, react(users, market))
    if users.habits is None or others.habits is None:
        return SampleCampaign(users=users.known, trial=trial, truth=truth)
    # what tells the chances of the log from those of users and trial
    logged = 2
    rng = np.random.default_rng([sample.seed, logged])
    last, spread = SampleCampaign.TRIAL_DAYS
    moment, assigned = SampleCampaign.MOMENT, SampleCampaign.ASSIGNED
    apart = pd.to_timedelta(rng.integers(0, spread * 86_400, len(trial)), unit="s")
    trial[assigned] = moment - pd.Timedelta(days=last) - apart
    events = pd.concat(
        [
            _log_of(users, users.habits, np.full(sample.users, moment.value // 1000), rng),
            _log_of(others, others.habits, _micros(trial[assigned]), rng),
        ],
        ignore_index=True,
    )
    in_time = events.sort_values("ts", kind="stable", ignore_index=True)
    return SampleCampaign(users=users.known, trial=trial, truth=truth, events=in_time)


def market_people(
    name: str, n: int, *, prefix: str, rng: np.random.Generator
) -> SyntheticPopulation:
    """Return n people of a market."""
    if name == "everyday":
        return draw_habitual(n, prefix=prefix, rng=rng)[0]
    return draw_population(n, prefix=prefix, lapsed=name == "winback", rng=rng)


def _micros(times: pd.Series) -> IntArray:
    """Return times as microseconds since 1970, UTC."""
    return np.asarray(times.astype("datetime64[us, UTC]").astype("int64"), dtype=np.int64)


def _log_of(
    people: SyntheticPopulation, habits: Habits, moment: IntArray, rng: np.random.Generator
) -> pd.DataFrame:
    """Return what people did, as a shop would log it."""
    # how far back the event log of a sample campaign reaches before the first moment
    log_days = 730
    log = draw_log(people, habits, days=log_days + sum(SampleCampaign.TRIAL_DAYS), rng=rng)
    person = log["person"].to_numpy()
    return pd.DataFrame(
        {
            "user_id": people.known["user_id"].to_numpy()[person],
            "ts": pd.to_datetime(moment[person] - log["age"].to_numpy(), unit="us", utc=True),
            "kind": log["kind"].to_numpy(),
            "category": log["category"].to_numpy(),
            "amount": log["amount"].astype("Int64").to_numpy(),
        }
    )


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
    # what tells the chances of the campaign from those of its users and of its trial
    afterwards = 2
    rng = np.random.default_rng([sample.seed, afterwards])
    did = outcomes_of(market, react(users, market), arm, rng=rng)
    seen = pd.DataFrame({"user_id": users.known["user_id"], "offer_id": given.to_numpy(), **did})
    return seen.set_index("user_id").loc[plan["user_id"]].reset_index()


def campaign_users(sample: Sample) -> SyntheticPopulation:
    """Return the users of a sample campaign, with what nobody sees of them."""
    return market_people(sample.name, sample.users, prefix="U", rng=_generator(sample, 0))


def _generator(sample: Sample, stream: int) -> np.random.Generator:
    """Return the generator of the users (0) or of the trial (1)."""
    return np.random.default_rng(np.random.SeedSequence(sample.seed).spawn(2)[stream])


def write_sample(sample: Sample, directory: Path) -> None:
    """Write ``users.parquet``, ``trial.parquet`` and ``truth.parquet`` into `directory`.

    A market whose people have habits adds ``events.parquet``.
    """
    campaign = sample_campaign(sample)
    for name in ("users", "trial", "truth", "events"):
        table: pd.DataFrame | None = getattr(campaign, name)
        if table is not None:
            table.to_parquet(directory / f"{name}.parquet", index=False)
