"""Seconds and peak memory of checking, fitting, judging and scoring at full size.

    python benchmarks/uplift_speed.py [--rows 1000000] [--features 30] [--users 1000000]

Control and four ordered offers; features are the market's 16 and further noise. The peak is that
of the whole process so far, the making of the data included.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pandas as pd
from peer_learners import peak_gigabytes
from uplift_markets import MARKETS, draw_people, logged_trial, policy_of

from incentive_engine.data.users import UserTable
from incentive_engine.uplift.diagnosis.diagnose import diagnose
from incentive_engine.uplift.evaluation import evaluate
from incentive_engine.uplift.model import fit, predict

Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=30)
    parser.add_argument("--users", type=int, default=1_000_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    market = MARKETS[0]
    policy = policy_of(market)
    draw = draw_people(market, options.rows, rng)
    for at in range(options.features - draw.features.shape[1]):
        draw.features[f"further{at}"] = rng.normal(size=options.rows).astype(np.float32)
    trial = logged_trial(policy.offer_ids, draw, rng)
    rows = np.arange(options.users) % options.rows
    users = UserTable(
        user_id=pd.Series(range(options.users)),
        features=draw.features.iloc[rows].reset_index(drop=True),
    )
    del draw
    print(f"{trial.n_rows:,} rows × {trial.features.shape[1]} features, {options.users:,} users")
    print(f"{'':12} seconds  peak GB")
    print(f"{'data':12} {'':>7} {peak_gigabytes():8.2f}", flush=True)
    timed("diagnose", lambda: diagnose(trial, policy))
    model = timed("fit", lambda: fit(trial, policy, seed=0))
    timed("evaluate", lambda: evaluate(model, trial, policy))
    timed("score", lambda: predict(model, users, policy))


def timed(name: str, task: Callable[[], Result]) -> Result:
    started = time.perf_counter()
    found = task()
    seconds = time.perf_counter() - started
    print(f"{name:12} {seconds:7.1f} {peak_gigabytes():8.2f}", flush=True)
    return found


if __name__ == "__main__":
    main()
