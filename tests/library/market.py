"""A small trial with known effects, and the users of a campaign, as frames."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd

import incentive_engine as ie


def policy(**changes: Any) -> ie.Policy:
    content: dict[str, Any] = {
        "version": 1,
        "name": "spring",
        "offers": [{"id": "off10", "face_value": 10}, {"id": "off20", "face_value": 20}],
        "limits": [{"name": "cap", "sum": "cost", "for_each": "region", "at_most": "60%"}],
        "holdout": 0.05,
        "holdout_strata": ["region"],
    }
    return ie.Policy(**{**content, **changes})


def people(n: int, *, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "region": rng.choice(["north", "south"], n),
            "visits": rng.poisson(3, n).astype(float),
            "age": rng.normal(40, 9, n),
        }
    )


def trial_frame(n: int = 6000) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    rows = people(n, seed=0)
    offer = rng.choice(["control", "off10", "off20"], n)
    effect = (offer == "off10") * 0.03 + (offer == "off20") * 0.02 * rows["visits"] / 3
    conversion = rng.random(n) < 0.05 + 0.01 * rows["visits"] + effect
    return rows.assign(
        user_id=np.arange(n),
        offer=offer,
        conversion=conversion.astype(int),
        spend=conversion * rng.gamma(2, 50, n),
        cost=conversion * np.select([offer == "off10", offer == "off20"], [10.0, 20.0], 0.0),
    )


def users_frame(n: int = 3000) -> pd.DataFrame:
    return people(n, seed=5).assign(user_id=[f"u{row}" for row in range(n)])


@functools.cache
def model() -> ie.UpliftModel:
    return ie.fit(ie.Trial.from_frame(trial_frame(), policy()), policy(), seed=11)


@functools.cache
def scores() -> ie.ScoreTable:
    return model().score(users_frame(), policy())
