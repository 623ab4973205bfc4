"""The compiled pass equals plain SQL over the same log."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest

from features.examples import (
    MOMENT,
    OFFERS,
    made,
    micros,
    random_declarations,
    random_log,
)
from features.sql import compiled
from incentive_engine.features.computing.history_columns import history_columns


@pytest.mark.parametrize("seed", [11, 12])
def test_a_hundred_declarations_equal_what_sql_makes_of_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log = random_log(rng, users=30, events=1200)
    apart = pd.to_timedelta(rng.choice([0, 1, 86_400_000_000, 7], 40), unit="us")
    rows = pd.DataFrame({"user_id": [f"u{i}" for i in range(40)], "moment": MOMENT - apart})
    declared, delay = random_declarations(rng, 100), pd.Timedelta(seed - 11, unit="us")
    ours, _ = made(log, rows, declared, delay=delay)
    events = log.assign(time=micros(log["time"]), known=micros(log["known"]))
    numbered = rows.assign(row=range(40), moment=micros(rows["moment"]))
    categories = {offer.id: tuple(map(str, offer.categories)) for offer in OFFERS}
    query = compiled(
        history_columns(declared, OFFERS),
        categories,
        delay=delay // pd.Timedelta(1, unit="us"),
    )
    with duckdb.connect() as database:
        database.register("events", events)
        database.register("rows", numbered)
        theirs = database.execute(query).df()
    assert set(theirs) == set(ours)
    names = [str(name) for name in ours]
    exact = [name for name in names if not name.startswith("entropy_")]
    np.testing.assert_array_equal(ours[exact].to_numpy(float), theirs[exact].to_numpy(float))
    np.testing.assert_allclose(
        ours[names].to_numpy(float), theirs[names].to_numpy(float), rtol=1e-14
    )
