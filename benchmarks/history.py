# ruff: noqa: ANN401, PLW0108, S608 - peers without types, put off until they are asked, and SQL
"""History features of growing logs: seconds and peak memory beside DuckDB, Polars and pandas.

    python benchmarks/history.py [EVENTS ...]

Per number of events (one user for a hundred events, one of them with a tenth of a per cent of all;
monthly folders of Parquet in order of time; about fifty features at a moment of each user's own):
wall seconds, processor seconds and peak memory of the largest process, from the folder to the
features in memory, each engine in processes of its own. `again` is the engine's second run, when
the log has been cut into shards. Every peer's features are compared with the engine's: the largest
relative difference is printed. Peers that are not installed, and pandas beyond 10,000,000 events,
are left out.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from incentive_engine.config.history import Declaration, EventLog, History, Moments
from incentive_engine.features.computing.history_columns import HistoryColumn, history_columns
from incentive_engine.features.local import ShardFeatures, features_of_rows
from incentive_engine.features.logs.log import LogReader
from incentive_engine.features.logs.opening import open_log
from incentive_engine.features.plan import FeaturePlan
from incentive_engine.features.shards import open_sharded_log, write_sharded_log
from incentive_engine.fleet import Processes

DAY = 86_400_000_000
NOW = 1_794_312_000_000_000
YEARS = 3
KINDS = ["order", "visit", "issue", "redeem"]
WINDOWS = ["7d", "30d", "90d", "365d"]
DECLARED: list[dict[str, Any]] = [
    {"count": [*KINDS, "any"], "within": WINDOWS},
    {"sum": "amount", "of": ["order"], "within": WINDOWS},
    {"mean": "amount", "of": ["order"], "within": WINDOWS},
    {"max": "amount", "of": ["order"], "within": WINDOWS},
    {"recency": [*KINDS, "any"]},
    {"tenure": ["any"]},
    {"distinct": "category", "of": ["order"], "within": WINDOWS},
    {"gap": ["mean"], "of": ["order", "visit"], "within": ["90d", "365d"]},
    {"active_days": ["any"], "within": ["30d", "90d"]},
    {"ratio": "redeem", "to": "issue", "within": ["90d", "365d"]},
    {"recent_share": ["order"], "within": ["90d", "365d"]},
]
COLUMNS = history_columns([Declaration.model_validate(each) for each in DECLARED], [])
PANDAS_EVENTS = 10_000_000


def write_log(folder: Path, events: int) -> None:
    """Write the log and the users' moments."""
    rng = np.random.default_rng(events)
    users = max(events // 100, 10)
    months = YEARS * 12
    for month in range(months):
        rows = events // months + (month < events % months)
        user = rng.integers(0, users, rows)
        user[: rows // 1000] = 0
        age = (months - month) * 30 * DAY - np.sort(rng.integers(0, 30 * DAY, rows))
        kind = pa.DictionaryArray.from_arrays(
            rng.choice(4, rows, p=[0.15, 0.7, 0.1, 0.05]).astype(np.int8), KINDS
        )
        category = pa.DictionaryArray.from_arrays(
            rng.integers(0, 200, rows).astype(np.int16), [f"category {c}" for c in range(200)]
        )
        table = pa.table(
            {
                "user_id": rng.permutation(user),
                "ts": pa.array(NOW - age, pa.timestamp("us", "UTC")),
                "kind": kind,
                "category": category,
                "amount": rng.integers(100, 100_000, rows),
            }
        )
        part = folder / "events" / f"month={month:02d}"
        part.mkdir(parents=True)
        pq.write_table(table, part / "part.parquet")
    moment = NOW - rng.integers(0, 30 * DAY, users)
    pq.write_table(
        pa.table({"user_id": np.arange(users), "moment": moment}), folder / "rows.parquet"
    )


def engine(folder: Path) -> pd.DataFrame:
    """Return the engine's features; the log is cut into shards unless it is already."""
    named = {"time": "ts", "kind": "kind", "category": "category", "amount": "amount"}
    log = EventLog.model_validate({"source": str(folder / "events"), **named})
    history = History(events=(log,), moments=Moments(users="2026-11-10"))
    shards = folder / "shards"
    if not shards.is_dir():
        shards.mkdir()
        reader = LogReader(history=history, sources=(open_log(log),))
        write_sharded_log(reader, shards, fleet=Processes())
    rows = pq.read_table(folder / "rows.parquet")
    made = features_of_rows(
        ShardFeatures(
            log=open_sharded_log(shards),
            plan=FeaturePlan(columns=COLUMNS, offer_categories={}, delay=0),
        ),
        user=rows["user_id"].combine_chunks(),
        moment=rows["moment"].to_numpy(),
        fleet=Processes(),
    )
    return pd.DataFrame(made.columns)


def duckdb_sql(folder: Path) -> pd.DataFrame:
    """Return the features by one query."""
    import duckdb

    values = [f'{_sql(column)} AS "{column.name}"' for column in COLUMNS]
    with duckdb.connect() as database:
        database.execute("SET memory_limit = '4GB'; SET TimeZone = 'UTC'")
        return database.execute(f"""
            SELECT {", ".join(values)} FROM (
              SELECT r.user_id AS row, kind, category, amount, r.moment - epoch_us(ts) AS age
              FROM '{folder}/rows.parquet' r LEFT JOIN '{folder}/events/*/*.parquet' e
                ON e.user_id = r.user_id AND epoch_us(ts) < r.moment)
            GROUP BY row ORDER BY row""").df()


def _sql(column: HistoryColumn) -> str:
    def inside(kind: str, window: int | None) -> str:
        conditions = ["age IS NOT NULL", *([f"kind = '{kind}'"] if kind != "any" else [])]
        return " AND ".join([*conditions, *([f"age <= {window}"] if window else [])])

    window = column.window.micros if column.window else None
    where = f"FILTER ({inside(column.kind, window)})"
    count = f"count(*) {where}"
    span = f"(max(age) {where} - min(age) {where})::DOUBLE"
    half = f"FILTER ({inside(column.kind, (window or 0) // 2)})"
    other = f"FILTER ({inside(column.to or '', window)})"
    return {
        "count": count,
        "sum": f"coalesce(sum(amount) {where}, 0)",
        "mean": f"(sum(amount) {where})::DOUBLE / nullif({count}, 0)",
        "max": f"max(amount) {where}",
        "recency": f"(min(age) {where})::DOUBLE / {DAY}",
        "tenure": f"(max(age) {where})::DOUBLE / {DAY}",
        "distinct": f"count(DISTINCT category) {where}",
        "gap_mean": f"CASE WHEN {count} > 1 THEN {span} / (({count} - 1) * {DAY}) END",
        "active_days": f"count(DISTINCT (age - 1) // {DAY}) {where}",
        "ratio": f"({count})::DOUBLE / nullif(count(*) {other}, 0)",
        "recent_share": f"(count(*) {half})::DOUBLE / nullif({count}, 0)",
    }[column.verb]


def polars_streaming(folder: Path) -> pd.DataFrame:
    """Return the features by one lazy query of the streaming engine."""
    import polars as pl

    rows = pl.scan_parquet(folder / "rows.parquet")
    log = pl.scan_parquet(folder / "events/*/*.parquet", hive_partitioning=False)
    age = (pl.col("moment") - pl.col("ts").dt.epoch("us")).alias("age")
    seen = log.join(rows, on="user_id").with_columns(age).filter(pl.col("age") > 0)
    made = seen.group_by("user_id").agg([_polars(pl, c).alias(c.name) for c in COLUMNS])
    whole = rows.join(made, on="user_id", how="left").sort("user_id")
    zeros = [c.name for c in COLUMNS if c.verb in {"count", "sum", "distinct", "active_days"}]
    filled = whole.select([c.name for c in COLUMNS]).with_columns(pl.col(zeros).fill_null(0))
    table = filled.collect(engine="streaming")
    return pd.DataFrame({name: table[name].to_numpy() for name in table.columns})


def _polars(pl: Any, column: HistoryColumn) -> Any:
    def inside(kind: str, window: int | None) -> Any:
        own = pl.col("kind") == kind if kind != "any" else pl.lit(True)
        return own & (pl.col("age") <= window) if window else own

    window = column.window.micros if column.window else None
    where = inside(column.kind, window)
    age, amount = pl.col("age").filter(where), pl.col("amount").filter(where)
    count = where.sum()
    shares = {
        "ratio": lambda: (count, inside(column.to or "", window).sum()),
        "recent_share": lambda: (inside(column.kind, (window or 0) // 2).sum(), count),
    }
    if column.verb in shares:
        top, bottom = shares[column.verb]()
        return pl.when(bottom > 0).then(top / bottom)
    return {
        "count": lambda: count,
        "sum": lambda: amount.sum(),
        "mean": lambda: amount.mean(),
        "max": lambda: amount.max(),
        "recency": lambda: age.min() / DAY,
        "tenure": lambda: age.max() / DAY,
        "distinct": lambda: pl.col("category").filter(where).n_unique(),
        "gap_mean": lambda: pl.when(count > 1).then(
            (age.max() - age.min()) / ((count.cast(pl.Int64) - 1) * DAY)
        ),
        "active_days": lambda: ((age - 1) // DAY).n_unique(),
    }[column.verb]()


def pandas_groups(folder: Path) -> pd.DataFrame:
    """Return the features by one grouping per kind and window."""
    rows = pd.read_parquet(folder / "rows.parquet")
    log = pd.concat(map(pd.read_parquet, sorted((folder / "events").glob("*/*.parquet"))))
    moment = rows["moment"].to_numpy()[log["user_id"].to_numpy()]
    log["age"] = moment - log["ts"].astype("int64").to_numpy()
    log = log[log["age"] > 0]
    groups: dict[tuple[str, int | None], Any] = {}

    def inside(kind: str, window: int | None) -> Any:
        if (kind, window) not in groups:
            own = log if kind == "any" else log[log["kind"] == kind]
            own = own if window is None else own[own["age"] <= window]
            groups[kind, window] = own.groupby("user_id", observed=True)
        return groups[kind, window]

    made = {c.name: _pandas(c, inside).reindex(rows["user_id"]) for c in COLUMNS}
    zeros = {c.name for c in COLUMNS if c.verb in {"count", "sum", "distinct", "active_days"}}
    filled = {name: x.fillna(0) if name in zeros else x for name, x in made.items()}
    return pd.DataFrame(filled).reset_index(drop=True)


def _pandas(column: HistoryColumn, inside: Callable[[str, int | None], Any]) -> Any:
    window = column.window.micros if column.window else None
    own = inside(column.kind, window)
    if column.verb in {"sum", "mean", "max"}:
        return getattr(own["amount"], column.verb)()
    if column.verb in {"ratio", "recent_share"}:
        other = inside(column.to or column.kind, window).size()
        top = own.size() if column.to else inside(column.kind, (window or 0) // 2).size()
        return top.reindex(other.index).fillna(0) / other
    if column.verb == "gap_mean":
        count = own.size()
        return ((own["age"].max() - own["age"].min()) / ((count - 1) * DAY)).where(count > 1)
    return {
        "count": lambda: own.size(),
        "recency": lambda: own["age"].min() / DAY,
        "tenure": lambda: own["age"].max() / DAY,
        "distinct": lambda: own["category"].nunique(),
        "active_days": lambda: own["age"].agg(lambda ages: len(np.unique((ages - 1) // DAY))),
    }[column.verb]()


ENGINES: dict[str, Callable[[Path], pd.DataFrame]] = {
    "engine": engine,
    "again": engine,
    "DuckDB": duckdb_sql,
    "Polars": polars_streaming,
    "pandas": pandas_groups,
}


def one(name: str, folder: Path) -> None:
    """Run one engine in this process, keep its features, and print what it took."""
    started = time.perf_counter()
    table = ENGINES[name](folder)
    wall = time.perf_counter() - started
    table.astype(np.float64).to_parquet(folder / f"{name}.parquet")
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(use.ru_utime + use.ru_stime for use in used)
    peak = max(use.ru_maxrss for use in used) / 2**20
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak}))


def differs(folder: Path, name: str) -> str:
    """Return the largest relative difference to the engine's features."""
    ours, theirs = (pd.read_parquet(folder / f"{x}.parquet").to_numpy() for x in ("engine", name))
    if not (np.isnan(ours) == np.isnan(theirs)).all():
        return "other gaps"
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(ours - theirs) / np.maximum(np.abs(ours), 1e-12)
    return f"{np.nanmax(apart):.1e}"


def main(sizes: Sequence[int]) -> None:
    print(f"{len(COLUMNS)} features")
    print(f"{'events':>12} {'engine':<8} {'wall s':>8} {'cpu s':>8} {'peak GB':>8}  differs")
    for events in sizes:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_log(folder, events)
            for name in ENGINES:
                if name == "pandas" and events > PANDAS_EVENTS:
                    continue
                command = [sys.executable, __file__, "--one", name, str(folder)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
                if done.returncode:
                    print(f"{events:>12,} {name:<8} {done.stderr.strip().splitlines()[-1][:60]}")
                    continue
                took = json.loads(done.stdout.splitlines()[-1])
                figures = " ".join(f"{took[key]:>8.1f}" for key in ("wall", "cpu", "peak"))
                print(f"{events:>12,} {name:<8} {figures}  {differs(folder, name)}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], Path(sys.argv[3]))
    else:
        main([int(size) for size in sys.argv[1:]] or [1_000_000, 10_000_000])
