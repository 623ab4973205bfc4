"""Twelve campaigns in a world that drifts: one trial at the start against learning on.

Effects of two offers hang on three features; their coefficients walk at random from campaign to
campaign. Each campaign has new users, a holdout, and a budget of face values, so that no way gains
by costs that it guesses wrong. `once` learns from a trial at the
start alone, `flywheel` adds each campaign's holdout and explorers to it, `oracle` knows the truth.
Gains are true expected conversions. Written as CSV, one row per seed, campaign and way.

    python benchmarks/flywheel_campaigns.py --seeds 6 --out flywheel.csv
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

import incentive_engine as ie

OFFERS: Final = ("off5", "off10")
FEATURES: Final = ("a", "b", "c")
CAMPAIGNS: Final = 12
HOLDOUT: Final = 0.05
WAYS: Final = ("once", "flywheel", "oracle")


@dataclass(kw_only=True)
class World:
    """A market whose effects drift.

    Attributes
    ----------
    slope : (2, 3) float64
        What each feature adds to each offer's effect.
    """

    rng: np.random.Generator
    drift: float
    slope: np.ndarray = field(init=False)
    level: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.slope = self.rng.normal(0, 0.03, (2, 3))
        self.level = np.array([0.03, 0.05])

    def move(self) -> None:
        """Go on to the next campaign."""
        self.slope += self.rng.normal(0, self.drift, (2, 3))
        self.level += self.rng.normal(0, self.drift / 2, 2)

    def people(self, users: int, first: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """Return users with features, who buys anyway, and each offer's true effect, (n, 2)."""
        features = self.rng.normal(size=(users, 3))
        base = np.clip(0.1 + 0.03 * features[:, 0], 0.01, 0.4)
        effect = np.clip(self.level + features @ self.slope.T, -base[:, None] / 2, 0.4)
        frame = pd.DataFrame(features, columns=list(FEATURES))
        frame.insert(0, "user_id", np.arange(first, first + users))
        return frame, base, effect

    def bought(self, base: np.ndarray, effect: np.ndarray, arm: np.ndarray) -> np.ndarray:
        chance = base + np.where(arm > 0, effect[np.arange(len(arm)), arm - 1], 0.0)
        return np.asarray(self.rng.random(len(arm)) < chance, dtype=np.int64)


def policy_of(**changes: Any) -> ie.Policy:  # noqa: ANN401 - any field
    return ie.Policy.model_validate(
        {
            "version": 1,
            "name": "flywheel",
            "offers": [{"id": "off5", "face_value": 5}, {"id": "off10", "face_value": 10}],
            "holdout": HOLDOUT,
            **changes,
        }
    )


def rows_of(
    frame: pd.DataFrame, arm: np.ndarray, bought: np.ndarray, propensity: np.ndarray, name: str
) -> pd.DataFrame:
    """Return rows of a trial."""
    names = np.array(["control", *OFFERS])[arm]
    face = np.array([0.0, 5.0, 10.0])[arm]
    return frame.assign(
        offer=names,
        conversion=bought,
        spend=100.0 * bought,
        cost=face * bought,
        propensity=propensity,
        campaign=name,
    )


def true_scores(frame: pd.DataFrame, base: np.ndarray, effect: np.ndarray) -> pd.DataFrame:
    scores = frame[["user_id"]].copy()
    for place, (offer, face) in enumerate(zip(OFFERS, (5, 10), strict=True)):
        scores[f"conversion__{offer}"] = effect[:, place]
        scores[f"cost__{offer}"] = face * np.clip(base + effect[:, place], 0, 1)
    return scores


def one_seed(seed: int, *, users: int, trial: int, explore: float, drift: float) -> pd.DataFrame:
    world = World(rng=np.random.default_rng(seed), drift=drift)
    frame, base, effect = world.people(trial, 0)
    arm = world.rng.integers(0, 3, trial)
    start = rows_of(frame, arm, world.bought(base, effect, arm), np.full(trial, 1 / 3), "trial")
    known = {"once": start, "flywheel": start}
    models: dict[str, ie.UpliftModel] = {}
    found = []
    for campaign in range(1, CAMPAIGNS + 1):
        world.move()
        frame, base, effect = world.people(users, campaign * users + trial)
        for way in WAYS:
            asked = policy_of(
                seed=seed * 100 + campaign, explore=explore if way == "flywheel" else None
            )
            if way == "oracle":
                scores = ie.ScoreTable.from_frame(true_scores(frame, base, effect), asked)
            else:
                if way == "flywheel" or way not in models:
                    taught = ie.Trial.from_frame(known[way], asked)
                    models[way] = ie.fit(taught, asked, seed=seed)
                scores = models[way].score(frame, asked)
            plan = ie.allocate(scores, asked, budget=users * 2.0, basis="face")
            rows = plan.to_frame()
            place = rows["offer_id"].map({o: j for j, o in enumerate(OFFERS, start=1)})
            given = place.fillna(0).to_numpy(dtype=np.int64)
            gain = np.where(given > 0, effect[np.arange(users), given - 1], 0.0)
            by_lot = rows["propensity"].to_numpy() < 1
            explored = by_lot & (rows["reason"] != "holdout").to_numpy()
            found.append(
                {
                    "seed": seed,
                    "campaign": campaign,
                    "way": way,
                    "gain": float(gain.sum()),
                    "explorers": int(explored.sum()),
                    "gain_of_explorers": float(gain[explored].sum()),
                }
            )
            if way == "flywheel":
                drawn = (1 - HOLDOUT) * explore / 3
                both = HOLDOUT + (1 - HOLDOUT) * explore
                propensity = np.where(given == 0, HOLDOUT + drawn, drawn) / both
                did = world.bought(base, effect, given)
                more = rows_of(frame, given, did, propensity, f"c{campaign:02}")[by_lot]
                known[way] = pd.concat([known[way], more], ignore_index=True)
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--trial", type=int, default=6_000)
    parser.add_argument("--explore", type=float, default=0.05)
    parser.add_argument("--drift", type=float, default=0.012)
    parser.add_argument("--out")
    options = parser.parse_args()
    settings = {name: getattr(options, name) for name in ("users", "trial", "explore", "drift")}
    rows = []
    for seed in range(options.seeds):
        rows.append(one_seed(seed, **settings))
        if options.out:
            pd.concat(rows).to_csv(options.out, index=False)
    table = pd.concat(rows)
    order = table.sort_values(["way", "seed", "campaign"])
    # (ways, seeds, campaigns); ways by name
    gain = order["gain"].to_numpy(dtype=np.float64).reshape(len(WAYS), -1, CAMPAIGNS)
    by_way = dict(zip(sorted(WAYS), gain, strict=True))
    lead = by_way["flywheel"] - by_way["once"]
    print("campaign   once  flywheel  oracle   flywheel - once (95 %)   sum so far (95 %)")
    for place in range(CAMPAIGNS):
        means = [by_way[way][:, place].mean() for way in WAYS]
        leads = [lead[:, place], lead[:, : place + 1].sum(axis=1)]
        print(
            f"{place + 1:8}  {means[0]:5.0f}  {means[1]:8.0f}  {means[2]:6.0f}   "
            + "   ".join(f"{each.mean():+7.1f} ± {_half(each):5.1f}" for each in leads)
        )


def _half(each: np.ndarray) -> float:
    """Return half the width of the 95 % interval of a mean over seeds."""
    return float(1.96 * each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else float("nan")


if __name__ == "__main__":
    main()
