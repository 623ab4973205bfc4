"""Microseconds to decide on a user whom the run does not know, by features of the request.

    python benchmarks/live_newcomers.py [--users 2000]

A model of 16 features is learned from 30,000 rows of a market of four offers, and a plan is made
for users of another draw, who are then decided on one after the other, as `serve` decides on
newcomers, beside their scoring as tables of one row. All are compared with those of one table.
Then the features of the standard set are made of the 100,000 events of one request: reading the
body, and from its columns to features, with the compiled pass alone for comparison.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from uplift_markets import MARKETS, draw_people, logged_trial, policy_of

import incentive_engine as ie
from incentive_engine.allocation.decisions.decision import decide
from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy
from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.data.users import UserTable
from incentive_engine.features.computing.events import features_at
from incentive_engine.features.computing.history_columns import history_columns
from incentive_engine.features.computing.kernel import EventArrays
from incentive_engine.features.computing.program import build_program
from incentive_engine.features.computing.sorted_events import SortedEvents
from incentive_engine.features.computing.standard import KINDS, LogContent, standard_declarations
from incentive_engine.features.one_user import UserEvents, UserHistory
from incentive_engine.live.newcomers import Newcomers
from incentive_engine.run.format import RunFile, read_json
from incentive_engine.service.api.bodies import read_decision_request
from incentive_engine.uplift.model import fit, predict
from incentive_engine.uplift.storage import save_model

EVENTS = 100_000
NOW = 1_794_312_000_000_000
YEARS = 3 * 365 * 86_400_000_000


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
        save_model(model, _folder(Path(name) / "model"))
        plan = ie.allocate(
            ie.ScoreTable.from_frame(scores, policy), policy, budget=asked.users / 2
        )
        plan.save(Path(name) / "run")
        frozen = FrozenPolicy.from_dict(read_json(Path(name) / "run" / RunFile.FROZEN_POLICY))
        prices = Prices.from_dict(read_json(Path(name) / "run" / RunFile.PRICES))
        started = time.perf_counter()
        newcomers = Newcomers(Path(name) / "model", frozen, cost_factor=1.0)
        print(f"the model is ready after {time.perf_counter() - started:.2f} s")
    rows = _rows(people)
    newcomers.user("first", rows[0])  # compiles what is not

    def alone(place: int) -> object:
        return decide(newcomers.user(ids[place], rows[place]), frozen, prices)

    ready = [newcomers.user(ids[place], row) for place, row in enumerate(rows)]

    def decided(place: int) -> object:
        return decide(ready[place], frozen, prices)

    def as_table(place: int) -> object:
        own = slice(place, place + 1)
        return predict(model, UserTable(user_id=ids[own], features=people[own]), policy)

    _timed("from features to the decision", alone, asked.users)
    _timed("the decision alone, of scores", decided, asked.users)
    _timed("a table of one row, scored", as_table, min(asked.users, 100))
    print(f"unlike the table of all: {_unlike(newcomers, rows, scores)} of {scores.size:,} scores")
    _measure_events(rng)


def _measure_events(rng: np.random.Generator) -> None:
    """Measure the features of the events of one request."""
    log = {name: name for name in ("time", "kind", "category", "amount")}
    history = {
        "events": [{"source": "log", **log}],
        "moments": {"users": "2026-11-10"},
        "features": "standard",
    }
    offers = [{"id": "off10", "face_value": 10, "categories": ["c1", "c2"]}]
    policy = ie.Policy.model_validate(
        {"version": 1, "name": "events", "offers": offers, "history": history}
    )
    columns = history_columns(standard_declarations(LogContent.everything()), policy.offers)
    made = UserHistory.of(policy, {column.name for column in columns})
    assert made is not None
    times = NOW - np.sort(rng.integers(1, YEARS, EVENTS))[::-1]
    sent = {
        "time": times.tolist(),
        "kind": rng.choice([*KINDS], EVENTS).tolist(),
        "category": [f"c{code}" for code in rng.integers(0, 200, EVENTS)],
        "amount": rng.integers(0, 100_000, EVENTS).tolist(),
    }
    text = [str(np.datetime64(int(at), "us")) + "Z" for at in times]
    for name, body in (("as integers", sent), ("as text", {**sent, "time": text})):
        content = json.dumps({"user_id": "u", "events": body}).encode()
        asked = read_decision_request(content)
        assert asked.events is not None
        events = UserEvents(**msgspec.structs.asdict(asked.events))
        size = f"{EVENTS:,} events, times {name} ({len(content) / 1e6:.1f} MB)"
        _timed(f"{size}: read", _reading(content), 20)
        _timed(f"{size}: {len(made.names)} features", _making(made, events), 20)
    arrays = EventArrays(
        time=times,
        kind=rng.integers(0, 4, EVENTS).astype(np.int32),
        category=rng.integers(0, 200, EVENTS).astype(np.int32),
        amount=rng.integers(0, 100_000, EVENTS),
        known=np.empty(0, np.int64),
    )
    program = build_program(
        columns,
        kinds=KINDS,
        categories=[f"c{code}" for code in range(200)],
        offer_categories={"off10": ["c1", "c2"]},
    )
    one = SortedEvents(arrays=arrays, start=np.array([0, EVENTS]))
    user, moment = np.zeros(1, np.int64), np.array([NOW])
    _timed(
        "the compiled pass alone",
        lambda _: features_at(program, one, user=user, moment=moment, delay=0),
        100,
    )


def _reading(content: bytes) -> Callable[[int], object]:
    return lambda _: read_decision_request(content)


def _making(history: UserHistory, events: UserEvents) -> Callable[[int], object]:
    return lambda _: history.features(events, NOW)


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
