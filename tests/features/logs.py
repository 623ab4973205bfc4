"""Policies with logs in files, for tests of what is read from a disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from incentive_engine.config.history import History
from incentive_engine.features.logs.log import LogReader
from incentive_engine.features.logs.opening import open_log
from incentive_engine.features.shards import ShardedLog, open_sharded_log, write_sharded_log
from incentive_engine.fleet import Processes

LOG: Mapping[str, str] = {
    "time": "time", "kind": "kind", "category": "category", "amount": "amount",
}  # fmt: skip
NOON = "2026-11-10 12:00"


def sharded(
    folder: Path, logs: Sequence[Mapping[str, object]], *, shards: int = 1, **settings: object
) -> ShardedLog:
    """Return logs as they are read into a new directory."""
    history = History.model_validate({"events": logs, "moments": {"users": NOON}, **settings})
    reader = LogReader(history=history, sources=tuple(map(open_log, history.logs)))
    folder.mkdir(parents=True)
    write_sharded_log(reader, folder, fleet=Processes(workers=1), shards=shards)
    return open_sharded_log(folder)


def write_policy(folder: Path, **history: Any) -> Path:
    """Write a policy over the folder's `users`, `trial` and `events`, and return its path."""
    written = {
        "events": [{"source": "events.parquet", **LOG}],
        "moments": {"trial": "assigned_at", "users": NOON},
        **history,
    }
    policy = {
        "version": 1,
        "name": "history",
        "data": {"users": "users.parquet", "trial": "trial.parquet"},
        "offers": [
            {"id": "off10", "face_value": 10, "categories": ["food", "baby"]},
            {"id": "off20", "face_value": 20},
        ],
        "history": written,
        "holdout": 0,
    }
    path = folder / "policy.yaml"
    path.write_text(json.dumps(policy, indent=1), encoding="utf-8")
    return path


def write_tables(folder: Path, log: pd.DataFrame, users: pd.DataFrame) -> None:
    """Write a log, users, and a trial of the same people ninety days and more earlier."""
    log.to_parquet(folder / "events.parquet")
    users.to_parquet(folder / "users.parquet")
    days = pd.to_timedelta(90 + users.index.to_series() % 14, unit="D")
    arms = ["control", "off10", "off20"]
    trial = users.assign(
        offer=[arms[row % 3] for row in users.index],
        conversion=[int(row % 5 == 0) for row in users.index],
        spend=[40.0 * (row % 5 == 0) for row in users.index],
        cost=[8.0 * (row % 5 == 0 and row % 3 > 0) for row in users.index],
        assigned_at=(pd.Timestamp(NOON, tz="UTC") - days).to_numpy(),
    )
    trial.to_parquet(folder / "trial.parquet")
