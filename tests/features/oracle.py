"""An independent reckoning of history features with pandas, one row and column at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import pandas as pd

from incentive_engine.config.history import Declaration
from incentive_engine.config.offer import Offer

NONE = pd.Timedelta(0)


def reckoned(
    events: pd.DataFrame,
    rows: pd.DataFrame,
    declarations: Sequence[Declaration],
    offers: Sequence[Offer],
    *,
    delay: pd.Timedelta = NONE,
) -> pd.DataFrame:
    """Return the features of rows (user_id, moment), from events (user_id, time, kind, …)."""
    made = []
    for user, moment in zip(rows["user_id"], rows["moment"], strict=True):
        own = events[(events["user_id"] == user) & (events["time"] < moment - delay)]
        own = own[own["known"] <= moment] if "known" in events else own
        features: dict[str, float] = {}
        for declared in declarations:
            features.update(_features(own.sort_values("time"), moment, declared, offers))
        made.append(features)
    return pd.DataFrame(made, index=rows.index)


def _features(
    own: pd.DataFrame, moment: pd.Timestamp, declared: Declaration, offers: Sequence[Offer]
) -> dict[str, float]:
    verb, features = declared.verb, {}
    for window in declared.within or (None,):
        inside, suffix = own, ""
        if window is not None:
            since = moment - pd.Timedelta(window.micros, unit="us")
            inside, suffix = own[own["time"] >= since], f"_{window.text}"
        if verb == "ratio":
            top, bottom = (len(_of_kind(inside, k)) for k in (declared.ratio, declared.to))
            name = f"ratio_{declared.ratio}_{declared.to}{suffix}"
            features[name] = top / bottom if bottom else math.nan
            continue
        for kind in declared.kinds:
            some = _of_kind(inside, kind)
            length = window.micros if window else 0
            for name, value in _values(some, moment, declared, offers, length).items():
                stem, _, offer = name.partition("__")
                features[f"{stem}_{kind}{suffix}{'__' + offer if offer else ''}"] = value
    return features


def _of_kind(events: pd.DataFrame, kind: str | None) -> pd.DataFrame:
    return events if kind == "any" else events[events["kind"] == kind]


def _values(  # noqa: C901, PLR0911 - one answer per verb
    some: pd.DataFrame,
    moment: pd.Timestamp,
    declared: Declaration,
    offers: Sequence[Offer],
    window_micros: int,
) -> Mapping[str, float]:
    verb = declared.verb
    ages = [(moment - time) // pd.Timedelta(1, unit="us") for time in some["time"]]
    if verb == "count":
        return {verb: len(some)}
    if verb in {"recency", "tenure"}:
        days = min(ages, default=None) if verb == "recency" else max(ages, default=None)
        return {verb: math.nan if days is None else float(Fraction(days, 86_400_000_000))}
    if verb == "dormancy":
        gaps = max(ages, default=0) - min(ages, default=0)
        return {verb: min(ages) * (len(ages) - 1) / gaps if gaps else math.nan}
    if verb == "recent_share":
        half = window_micros // 2
        return {verb: sum(a <= half for a in ages) / len(ages) if ages else math.nan}
    if verb == "active_days":
        spans = {-(-age // 86_400_000_000) - 1 for age in ages}
        return {verb: len(spans)}
    if verb in {"sum", "mean", "max", "min", "std"}:
        return {f"{verb}_amount": _of_amounts(verb, [int(x) for x in some["amount"].dropna()])}
    if verb == "gap":
        gaps = [a - b for a, b in zip(sorted(ages)[1:], sorted(ages), strict=False)]
        return {f"gap_{what}": _of_gaps(what, gaps) for what in declared.gap or ()}
    counts = some["category"].dropna().value_counts().tolist()
    if verb == "match":
        return {
            f"match_category__{offer.id}": int(some["category"].isin(offer.categories).sum())
            for offer in offers
        }
    if verb == "distinct":
        return {"distinct_category": len(counts)}
    if not counts:
        return {f"{verb}_category": math.nan}
    if verb == "top_share":
        return {"top_share_category": max(counts) / sum(counts)}
    shares = np.array(counts) / sum(counts)
    return {"entropy_category": float(-(shares * np.log(shares)).sum())}


def _of_amounts(verb: str, amounts: list[int]) -> float:
    if not amounts:
        return 0 if verb == "sum" else math.nan
    if verb == "std":
        return _deviation(amounts)
    mean = float(Fraction(sum(amounts), len(amounts)))
    return {"sum": sum(amounts), "mean": mean, "max": max(amounts), "min": min(amounts)}[verb]


def _of_gaps(what: str, gaps: list[int]) -> float:
    if len(gaps) < (1 if what == "mean" else 2):
        return math.nan
    if what == "mean":
        return float(Fraction(sum(gaps), len(gaps) * 86_400_000_000))
    return _deviation(gaps) / 86_400_000_000


def _deviation(values: list[int]) -> float:
    mean = Fraction(sum(values), len(values))
    return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
