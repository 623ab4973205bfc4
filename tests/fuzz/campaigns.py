"""Random campaigns that are wrong in random places: files, tables and policies."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Rng = np.random.Generator

POLICY: Final = {
    "version": 1,
    "name": "fuzz",
    "data": {"users": "users.parquet", "trial": "trial.parquet"},
    "offers": [
        {"id": "a", "face_value": 5, "ladder": "l"},
        {"id": "b", "face_value": 10, "ladder": "l"},
    ],
    "objective": {"weight": [{"column": "tier", "values": {"gold": 3}}]},
    "eligibility": [{"offers": ["b"], "where": {"age": {"at_least": 20}}}],
    "limits": [
        {"name": "floor", "sum": "cost", "where": {"tier": "gold"}, "at_least": "5%"},
        {"name": "each", "sum": "cost", "for_each": "tier", "at_most": "70%"},
        {"name": "roi", "ratio": ["spend", "cost"], "at_least": 0.1, "report_only": True},
    ],
    "budget": {"amount": 200},
    "holdout": 0.1,
    "holdout_strata": ["tier"],
    "seed": 3,
}
VALUES: Final[tuple[Any, ...]] = (
    0, -1, 1, 2, 0.3, 1e308, 5e-324, 1e-300, 1e15, -0.0, 10**30, True, False, None, "", " ", "x",
    "5%", "101%", "-5%", "200k", "50万", "1e6", "nan", "inf", "control", "budget", "a", "gold",
    "金卡", "\U0001f600", "x" * 300, "2026-11-11", "12:30", [], {}, [1], ["a"], {"a": 1}, [[]],
    {"at_least": 1}, {"below": 0}, "../x", "users.parquet", "postgresql://a:b@127.0.0.1:9/x?table=t",
    "sqlite:///x.db?table=t", "s.*", "profit", "cost", "expected", "at-risk",
)  # fmt: skip
MOMENT: Final = "2026-11-10 20:00"
NUMBERS: Final = (
    np.nan, np.inf, -np.inf, 0.0, -1.0, 2.0, 1e308, 1e300, 1e16, 5e-324, 1e-300, 1e-45, -1e308,
)  # fmt: skip
TEXTS: Final = (
    None,
    "",
    " ",
    "NA",
    "nan",
    "007",
    "1",
    "x" * 2000,
    "控制",
    "control ",
    "\x00",
    "a,b",
    'q"',
)


def tables(rng: Rng, rows: int) -> dict[str, pd.DataFrame]:
    """Return good tables: users, trial, scores and outcomes."""
    ids = [f"U{i}" for i in range(rows)]
    people = pd.DataFrame(
        {
            "user_id": ids,
            "tier": rng.choice(["gold", "silver", "plain"], rows),
            "age": rng.integers(18, 80, rows),
            "spend_12m": rng.gamma(2.0, 100.0, rows).round(2),
        }
    )
    arms = rng.choice(["control", "a", "b"], rows)
    bought = rng.random(rows) < 0.2 + 0.1 * (arms != "control")
    trial = people.assign(
        user_id=[f"T{i}" for i in range(rows)],
        offer=arms,
        conversion=bought.astype(int),
        spend=np.where(bought, 50.0, 0.0),
        cost=np.where(bought & (arms != "control"), 5.0, 0.0),
        propensity=1 / 3,
    )
    scores = people.assign(
        conversion__a=rng.random(rows) * 0.1,
        conversion__b=rng.random(rows) * 0.2,
        cost__a=rng.random(rows),
        cost__b=rng.random(rows) * 2,
        spend__a=rng.random(rows) * 9,
        spend__b=rng.random(rows) * 9,
    )
    outcomes = pd.DataFrame({"user_id": ids, "conversion": rng.integers(0, 2, rows), "cost": 1.0})
    found = {"users": people, "trial": trial, "scores": scores, "outcomes": outcomes}
    return found | {"events": events(rng, ids)}


def events(rng: Rng, ids: list[str]) -> pd.DataFrame:
    """Return a log of what the users did in the weeks before `MOMENT`."""
    rows = len(ids) * 3
    minutes = pd.to_timedelta(rng.integers(1, 90 * 24 * 60, rows), unit="min")
    return pd.DataFrame(
        {
            "user_id": rng.choice(ids, rows),
            "ts": pd.Timestamp(MOMENT) - minutes,
            "kind": rng.choice(["order", "visit"], rows),
            "amount": rng.integers(0, 50_000, rows),
        }
    )


def history(rng: Rng, source: str) -> dict[str, Any]:
    """Return the part of a policy that makes features of a log, wrong in one place at times."""
    log = {"source": source, "user": "user_id", "time": "ts", "kind": "kind", "amount": "amount"}
    whole: dict[str, Any] = {
        "events": [log],
        "moments": {"users": MOMENT},
        "timezone": "Asia/Shanghai",
        "delay": "1h",
        "features": [
            {"count": ["order"], "within": ["7d", "30d"]},
            {"mean": "amount", "of": ["order"], "within": ["30d"]},
            {"recency": ["any"]},
        ],
    }
    if rng.random() < 0.5:
        mutate(whole, rng)
    return whole


def spoil(  # noqa: C901, PLR0911 - a list of ways
    frame: pd.DataFrame, rng: Rng
) -> tuple[pd.DataFrame, str]:
    """Return a table with one thing wrong, or merely odd, and what that is."""
    name = str(rng.choice(frame.columns))
    rows = rng.integers(0, len(frame), max(1, int(len(frame) * rng.choice([0.01, 0.3, 1.0]))))
    odd = frame.copy()
    kind = rng.integers(0, 12)
    if kind == 0:
        return odd.drop(columns=name), f"without {name}"
    if kind == 1:
        other = name[::-1] if rng.random() < 0.5 else name + "s"
        return odd.rename(columns={name: other}), f"{name} is called {other}"
    if kind == 2:
        value = float(rng.choice(NUMBERS))
        odd[name] = pd.to_numeric(odd[name], errors="coerce").astype("float64")
        odd.loc[odd.index[rows], name] = value
        return odd, f"{name} has {value!r}"
    if kind == 3:
        text = TEXTS[rng.integers(len(TEXTS))]
        odd[name] = odd[name].astype("str").astype(object)
        odd.loc[odd.index[rows], name] = text
        return odd, f"{name} has {text!r}"
    if kind == 4:
        return odd.head(int(rng.choice([0, 1, 2]))), "has few rows"
    if kind == 5:
        return pd.concat([odd, odd.head(2)], ignore_index=True), "repeats rows"
    if kind == 6:
        types = ("float32", "Int64", "boolean", "category", "datetime64[ns]")
        wanted: Any = str(rng.choice(types))
        try:
            odd[name] = odd[name].astype(wanted)
        except (TypeError, ValueError):
            odd[name] = pd.array([None] * len(odd), dtype="object")
        return odd, f"{name} as {wanted}"
    if kind == 7:
        odd[name] = [[1, 2]] * len(odd)
        return odd, f"{name} holds lists"
    if kind == 8:
        big = np.array([2**64 - 1 - i for i in range(len(odd))], dtype=np.uint64)
        return odd.assign(**{name: big}), f"{name} is uint64"
    if kind == 9:
        return odd.assign(**{name: odd[name].iloc[0]}), f"{name} is constant"
    if kind == 10:
        return odd.assign(**{f"{name}.x": 1, "": 2}), "has odd names"
    return odd.sample(frac=1.0, random_state=int(rng.integers(1 << 30))), "is shuffled"


def write(frame: pd.DataFrame, path: Path, rng: Rng) -> tuple[str, str]:
    """Write a table in some way and return how a policy names it, and what was done."""
    kind = str(rng.choice(["parquet", "csv", "csv.gz", "folder", "sqlite", "damaged", "cr"],
                          p=[0.6, 0.14, 0.06, 0.1, 0.06, 0.02, 0.02]))  # fmt: skip
    text = frame.to_csv(index=False).encode()
    if kind in {"csv", "csv.gz", "cr"}:
        file = path.with_suffix(".csv" if kind != "csv.gz" else ".csv.gz")
        text = text.replace(b"\n", b"\r") if kind == "cr" else text
        file.write_bytes(gzip.compress(text) if kind == "csv.gz" else text)
        return file.name, kind
    if kind == "sqlite":
        with closing(sqlite3.connect(path.with_suffix(".db"))) as connection:
            try:
                frame.to_sql("t", connection, index=False, if_exists="replace")
            except Exception:  # noqa: BLE001 - what SQLite cannot hold is no table of it
                return write_parquet(frame, path.with_suffix(".parquet")), "parquet"
        return f"sqlite:///{path.with_suffix('.db').name}?table=t", kind
    if kind == "folder":
        path.mkdir(exist_ok=True)
        half = len(frame) // 2
        for number, part in enumerate((frame[:half], frame[half:])):
            folder = path / f"part={number}"
            folder.mkdir(exist_ok=True)
            write_parquet(part, folder / "rows.parquet")
        return path.name, kind
    name = write_parquet(frame, path.with_suffix(".parquet"))
    if kind == "damaged":
        content = bytearray(path.with_suffix(".parquet").read_bytes())
        for place in rng.integers(0, len(content), 3):
            content[place] ^= int(rng.integers(1, 256))
        path.with_suffix(".parquet").write_bytes(content)
    return name, kind


def write_parquet(frame: pd.DataFrame, path: Path) -> str:
    """Write a table as Parquet, as text what has no type there."""
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, ValueError):
        table = pa.Table.from_pandas(frame.astype("str"), preserve_index=False)
    pq.write_table(table, path)
    return path.name


def places(content: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to everything in plain data."""
    items: list[tuple[Any, Any]] = []
    if isinstance(content, dict):
        items = list(content.items())
    elif isinstance(content, list):
        items = list(enumerate(content))
    found = [(*before, key) for key, _ in items]
    for key, inner in items:
        found += places(inner, (*before, key))
    return found


BOUNDS: Final = ("5%", "0%", "100%", 0, 1, 1e-9, 1e9, 1e18, "200k", 150, 0.3)
TURNS: Final[tuple[tuple[tuple[Any, ...], tuple[Any, ...]], ...]] = (
    (("limits", 0, "at_least"), BOUNDS),
    (("limits", 0, "at_most"), BOUNDS),
    (("limits", 0, "sum"), ("cost", "spend", "face", "issued", "conversion")),
    (("limits", 1, "at_most"), BOUNDS),
    (("limits", 1, "for_each"), ("tier", "age", "spend_12m", "user_id")),
    (("limits", 2, "at_least"), (0, 0.1, 1.5, 100, 1e9, -1)),
    (("limits", 2, "report_only"), (False,)),
    (("limits", 2, "ratio"), (["cost", "spend"], ["conversion", "issued"], ["cost", "face"])),
    (("holdout",), (0, 0.5, 0.999, 1, "5%", 1e-9)),
    (("holdout_strata",), ([], ["age"], ["spend_12m", "tier"])),
    (("assignment",), ("exactly_one",)),
    (("budget",), ({"amount": 0}, {"amount": 1e12}, {"amount": 0.01},
                   {"amount": 100, "basis": "face"}, {"amount": 100, "basis": "at-risk"},
                   {"amount": 90, "basis": "at-risk", "confidence": 0.999999})),
    (("objective", "maximise"), ("spend", "cost", "face", {"conversion": -1}, {"spend": 1e-300},
                                 {"conversion": 1, "cost": -1}, {"conversion": 1e300})),
    (("objective", "weight", 0), ({"column": "age", "power": 3}, {"column": "age", "power": -300},
                                  {"column": "spend_12m", "power": 0.5, "clip": [0, 1e300]},
                                  {"column": "tier", "values": {"gold": 0}},
                                  {"column": "tier", "values": {"gold": 1e300}})),
    (("eligibility",), ([], [{"offers": ["a", "b"], "where": {"tier": "nobody"}}],
                        [{"offers": ["a"], "where": {"age": {"below": -5}}}])),
    (("offers", 0, "face_value"), (0, 1e-6, 1e9, 5.0000001)),
    (("offers", 1, "id"), ("A-_9", "x" * 64)),
    (("name",), ("x" * 120, "../up", "a/b", "金" * 100, ".", "\x07", " ", "con")),
    (("timezone",), ("UTC", "Pacific/Apia")),
    (("features",), ({"deny": ["age"]}, {"allow": ["tier"]}, {"deny": ["age", "tier"]})),
    (("seed",), (0, 2**31 - 1)),
)  # fmt: skip
"""Places of a policy, and values there that may well be meant."""


def turn(policy: dict[str, Any], rng: Rng) -> str:
    """Give one place of a policy another value that it can have, and say which."""
    way, values = TURNS[rng.integers(len(TURNS))]
    parent: Any = policy
    for key in way[:-1]:
        parent = parent[key]
    parent[way[-1]] = value = values[rng.integers(len(values))]
    return f"{way} = {value!r}"


def mutate(policy: dict[str, Any], rng: Rng) -> str:
    """Change one place of a policy and say which."""
    ways = places(policy)
    way = ways[rng.integers(len(ways))]
    parent: Any = policy
    for key in way[:-1]:
        parent = parent[key]
    kind = rng.integers(0, 4)
    if kind == 0:
        del parent[way[-1]]
        return f"without {way}"
    value = deepcopy(VALUES[rng.integers(len(VALUES))])  # which may be changed in its turn
    if kind == 1 and isinstance(parent, dict):
        parent[str(way[-1]) + "x"] = value
        return f"{way}x = {value!r}"
    parent[way[-1]] = value
    return f"{way} = {value!r}"


def campaign(folder: Path, rng: Rng, *, rows: int = 300) -> tuple[dict[str, str], list[str]]:
    """Write a campaign with some things wrong; return the tables' names, and what is wrong."""
    policy: dict[str, Any] = json.loads(json.dumps(POLICY))
    told: list[str] = []
    names: dict[str, str] = {}
    for name, good in tables(rng, rows).items():
        frame = good
        if rng.random() < 0.2:
            frame, what = spoil(good, rng)
            told.append(f"{name} {what}")
        names[name], how = write(frame, folder / name, rng)
        if how != "parquet":
            told.append(f"{name} as {how}")
        if name in policy["data"]:
            policy["data"][name] = names[name]
    told += [turn(policy, rng) for _ in range(rng.integers(0, 4))]
    if rng.random() < 0.2:
        told.append(mutate(policy, rng))
    text = json.dumps(policy, ensure_ascii=False)
    if rng.random() < 0.05:
        place = int(rng.integers(len(text)))
        text = text[:place] + str(rng.choice(list("{}[]:,\t'\"#&*%@`\u0000\u2028"))) + text[place:]
        told.append(f"a letter at {place}")
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    return names, told
