"""Random logs and declarations, and the engine's features of them in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from incentive_engine.config.history import Declaration
from incentive_engine.config.offer import Offer
from incentive_engine.config.schedule.durations import DAY
from incentive_engine.domain import IntArray
from incentive_engine.features.computing.events import ComputedFeatures, features_at
from incentive_engine.features.computing.history_columns import history_columns
from incentive_engine.features.computing.kernel import NO_AMOUNT, Codes, EventArrays
from incentive_engine.features.computing.program import build_program
from incentive_engine.features.computing.sorted_events import sorted_events

KINDS = ("order", "visit", "issue", "redeem")
CATEGORIES = ("food", "home", "baby", "sports", "pets")
OFFERS = (
    Offer(id="off10", face_value=10, categories=("food", "baby")),
    Offer(id="off20", face_value=20, categories=("pets",)),
    Offer(id="off30", face_value=30),
)
WINDOWS = ("1d", "7d", "30d", "90d", "365d", "12h", "2w", "90min", "45s")
NONE = pd.Timedelta(0)
MOMENT = pd.Timestamp("2026-11-10 12:00", tz="UTC")


def declaration(**written: object) -> Declaration:
    return Declaration.model_validate(written)


def random_declarations(rng: np.random.Generator, count: int) -> list[Declaration]:
    """Return different declarations of every sort."""
    found: dict[str, Declaration] = {}
    while len(found) < count:
        made = _random_declaration(rng)
        found[made.model_dump_json()] = made
    return list(found.values())


def _random_declaration(rng: np.random.Generator) -> Declaration:
    kinds = _some(rng, (*KINDS, "any"))
    within = _some(rng, WINDOWS)
    amounts = ("sum", "mean", "max", "min", "std")
    categories = ("distinct", "entropy", "top_share", "match")
    verbs = (
        "count",
        "active_days",
        "dormancy",
        "recent_share",
        "recency",
        "tenure",
        *amounts,
        *categories,
        "gap",
        "ratio",
    )
    verb = str(rng.choice(verbs))
    if verb in {"recency", "tenure"}:
        return declaration(**{verb: kinds})
    if verb in {"count", "active_days", "dormancy", "recent_share"}:
        return declaration(**{verb: kinds, "within": within})
    if verb == "ratio":
        one, two = rng.permutation([*KINDS, "any"])[:2]
        return declaration(ratio=str(one), to=str(two), within=within)
    if verb == "gap":
        return declaration(gap=_some(rng, ("mean", "std")), of=kinds, within=within)
    of = "amount" if verb in amounts else "category"
    return declaration(**{verb: of, "of": kinds, "within": within})


def _some(rng: np.random.Generator, values: Sequence[str]) -> list[str]:
    return [str(v) for v in rng.permutation(list(values))[: rng.integers(1, 3)]]


def _drawn(rng: np.random.Generator, values: Sequence[str | None], size: int) -> list[str | None]:
    return [values[at] for at in rng.integers(0, len(values), size)]


def random_log(rng: np.random.Generator, *, users: int, events: int) -> pd.DataFrame:
    """Return events in no order: many at edges of windows, some repeated, some late.

    Times are at most two years before the moment and a few days after it.
    """
    ages = rng.integers(-3 * DAY, 730 * DAY, events)
    edges = np.array([0, 45 * 10**6, 90 * 60 * 10**6, DAY // 2, DAY, 7 * DAY, 14 * DAY, 30 * DAY])
    near = rng.random(events) < 0.5
    ages = np.where(near, rng.choice(edges, events) + rng.integers(-1, 2, events), ages)
    minutes = rng.random(events) < 0.2
    ages = np.where(minutes, ages // (60 * 10**6) * (60 * 10**6), ages)
    time = MOMENT - pd.to_timedelta(ages, unit="us")
    log = pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in rng.integers(0, users, events)],
            "time": time,
            "kind": _drawn(rng, [*KINDS, "other", None], events),
            "category": _drawn(rng, [*CATEGORIES, None], events),
            "amount": pd.array(
                np.where(rng.random(events) < 0.2, np.nan, rng.integers(-500, 10**6, events)),
                dtype="Int64",
            ),
            "known": time + pd.to_timedelta(rng.choice([0, 1, 10**9, DAY], events), unit="us"),
        }
    )
    log = pd.concat([log, log.sample(frac=0.15, random_state=int(rng.integers(1 << 30)))])
    return log.sample(frac=1, random_state=int(rng.integers(1 << 30))).reset_index(drop=True)


def micros(times: pd.Series) -> IntArray:
    utc = times.dt.tz_convert("UTC").astype("datetime64[us, UTC]").astype("int64")
    return np.asarray(utc, dtype=np.int64)


def codes(values: pd.Series, known: Sequence[str]) -> Codes:
    return np.asarray(pd.Index(known).get_indexer(pd.Index(values)), dtype=np.int32)


def made(
    log: pd.DataFrame,
    rows: pd.DataFrame,
    declarations: Sequence[Declaration],
    *,
    delay: pd.Timedelta = NONE,
) -> tuple[pd.DataFrame, ComputedFeatures]:
    """Return the engine's features of rows (user_id, moment), as a table and as they came."""
    users = sorted({*log["user_id"], *rows["user_id"]})
    amount = log["amount"].astype("Int64")
    known = micros(log["known"]) if "known" in log else np.empty(0, dtype=np.int64)
    arrays = EventArrays(
        micros(log["time"]),
        codes(log["kind"], KINDS),
        codes(log["category"], CATEGORIES),
        np.asarray(amount.fillna(NO_AMOUNT), dtype=np.int64),
        np.where(log["known"].isna(), np.iinfo(np.int64).max, known) if len(known) else known,
    )
    place = pd.Index(users)
    program = build_program(
        history_columns(declarations, OFFERS),
        kinds=KINDS,
        categories=CATEGORIES,
        offer_categories={offer.id: [str(c) for c in offer.categories] for offer in OFFERS},
    )
    events = sorted_events(place.get_indexer(pd.Index(log["user_id"])), arrays, users=len(users))
    features = features_at(
        program,
        events,
        user=place.get_indexer(pd.Index(rows["user_id"])),
        moment=micros(rows["moment"]),
        delay=delay // pd.Timedelta(1, unit="us"),
    )
    return pd.DataFrame(features.columns, index=rows.index), features
