"""Features of a market's people from their event log, by the engine's own pass."""

from __future__ import annotations

import numpy as np
import pandas as pd

from incentive_engine.config.policy import Policy
from incentive_engine.config.schedule.durations import DAY
from incentive_engine.features.computing.events import features_at
from incentive_engine.features.computing.history_columns import history_columns
from incentive_engine.features.computing.kernel import NO_AMOUNT, EventArrays
from incentive_engine.features.computing.program import build_program
from incentive_engine.features.computing.sorted_events import sorted_events
from incentive_engine.features.computing.standard import KINDS, LogContent, standard_declarations
from incentive_engine.features.logs.vocabulary import category_text
from incentive_engine.synthetic.habits import draw_log
from incentive_engine.synthetic.population import SyntheticPopulation


def with_history(
    people: SyntheticPopulation, policy: Policy, *, days: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Return what is known of n people, with the standard features of a log of so many days."""
    if people.habits is None or not days:
        return people.known
    log = draw_log(people, people.habits, days=days, rng=rng)
    program = build_program(
        history_columns(standard_declarations(_content(policy, days)), policy.offers),
        kinds=KINDS,
        categories=people.CATEGORIES,
        offer_categories={
            offer.id: tuple(map(category_text, offer.categories)) for offer in policy.offers
        },
    )
    n = len(people.known)
    events = sorted_events(log["person"].to_numpy(), _arrays(log), users=n)
    # everybody's moment is 0; the log's times are ages before it
    moment = np.zeros(n, dtype=np.int64)
    values = features_at(program, events, user=np.arange(n), moment=moment, delay=0)
    return pd.concat([people.known, pd.DataFrame(values.columns)], axis=1)


def _content(policy: Policy, days: int) -> LogContent:
    return LogContent(
        kinds=KINDS,
        amounts=True,
        categories=True,
        offer_categories=any(offer.categories for offer in policy.offers),
        span=days * DAY,
    )


def _arrays(log: pd.DataFrame) -> EventArrays:
    amount = log["amount"].fillna(NO_AMOUNT).to_numpy()
    return EventArrays(
        time=-log["age"].to_numpy(),
        kind=pd.Index(KINDS).get_indexer(pd.Index(log["kind"])).astype(np.int32),
        category=pd.Index(SyntheticPopulation.CATEGORIES)
        .get_indexer(pd.Index(log["category"]))
        .astype(np.int32),
        amount=np.asarray(amount, dtype=np.int64),
        known=np.empty(0, dtype=np.int64),
    )
