"""Microseconds to decide on a user whom the run does not know, by features of the request.

    python benchmarks/live_newcomers.py [--users 2000]

A model of 16 features is learned from 30,000 rows of a market of four offers, and a plan is made
for users of another draw, who are then decided on one after the other, as `serve` decides on
newcomers, beside their scoring as tables of one row. All are compared with those of one table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from uplift_markets import MARKETS, draw_people, logged_trial, policy_of

import incentive_engine as ie
from incentive_engine.allocation.decision import decide
from incentive_engine.allocation.frozen_policy import FrozenPolicy, Prices
from incentive_engine.data.users import UserTable
from incentive_engine.live.newcomers import Newcomers
from incentive_engine.run.format import FROZEN_POLICY_FILE, PRICES_FILE, read_json
from incentive_engine.uplift.model import fit, predict


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=2_000)
    asked = parser.parse_args()
    market, rng = MARKETS[0], np.random.default_rng(0)
    policy = policy_of(market)
    model = fit(
        logged_trial(policy.offer_ids, draw_people(market, 30_000, rng), rng), policy, seed=0
    )
    people = draw_people(market, asked.users, rng).features
    ids = pd.Series([f"u{row}" for row in range(asked.users)])
    users = UserTable(user_id=ids, features=people)
    scores = predict(model, users, policy)
    with tempfile.TemporaryDirectory() as name:
        model.save(_folder(Path(name) / "model"))
        plan = ie.allocate(
            ie.ScoreTable.from_frame(scores, policy), policy, budget=asked.users / 2
        )
        plan.save(Path(name) / "run")
        frozen = FrozenPolicy.from_dict(read_json(Path(name) / "run" / FROZEN_POLICY_FILE))
        prices = Prices.from_dict(read_json(Path(name) / "run" / PRICES_FILE))
        started = time.perf_counter()
        newcomers = Newcomers(Path(name) / "model", frozen, cost_factor=1.0)
        print(f"the model is ready after {time.perf_counter() - started:.2f} s")
    rows = _rows(people)
    newcomers.user("first", rows[0])  # compiles what is not

    def alone(place: int) -> object:
        return decide(newcomers.user(ids[place], rows[place]), frozen, prices)

    def as_table(place: int) -> object:
        own = slice(place, place + 1)
        return predict(model, UserTable(user_id=ids[own], features=people[own]), policy)

    _timed("from features to the decision", alone, asked.users)
    _timed("a table of one row, scored", as_table, min(asked.users, 100))
    print(f"unlike the table of all: {_unlike(newcomers, rows, scores)} of {scores.size:,} scores")


def _unlike(newcomers: Newcomers, rows: list[dict[str, Any]], scores: pd.DataFrame) -> int:
    """Return how many scores differ from those of one table of all users."""
    unlike = 0
    for place, row in enumerate(rows):
        for measure, values in newcomers.user("u", row).measures.items():
            columns = scores.filter(regex=f"^{measure}__")
            unlike += int((columns.to_numpy()[place] != values).sum())
    return unlike


def _timed(name: str, task: Callable[[int], object], count: int) -> None:
    times, used = [], time.process_time()
    for place in range(count):
        started = time.perf_counter()
        task(place)
        times.append((time.perf_counter() - started) * 1e6)
    used = (time.process_time() - used) / count * 1e6
    middle, late = np.quantile(times, [0.5, 0.99])
    print(f"{name}: median {middle:,.0f} µs, p99 {late:,.0f}; {used:,.0f} µs of processor")


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as requests have them."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


if __name__ == "__main__":
    main()
