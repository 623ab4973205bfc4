"""Learners on trials of some thousand rows with large effects, as trials of incentives have.

    python benchmarks/uplift_few_rows.py [--rows 1200] [--draws 7] [--first-seed 0]
        [--kinds regions,hillstrom,…]

A kind is a population of worlds, and each draw makes another one: 4 to 30 features, 30 to 50 %
who convert without an offer, one offer or two that add 0 to 45 points on average, and effects
that differ between people by a standard deviation of 4 to 15 points. Its trial has so many rows,
and plans treat 10, 30 or 50 % of 4,000 other people, by whose true effects they are valued. The
name of a real trial stands for so many of its rows, drawn anew each time; all its other rows say
what plans bring, doubly robust. Columns are increments per 1,000 people, as the mean of the three
plans, and by how much the engine is ahead of each other learner of `uplift_bank.py`, with one
standard error of the paired differences over draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from uplift_bank import DATA, LEARNERS, Case, brought, gained
from uplift_hard_markets import (
    HardMarket,
    correlated,
    draw_hard,
    hard_trial,
    policy_of_hard,
    with_mean,
)
from uplift_real import draw_real

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.boosting.boosting import expit

USERS: Final = 4_000
Shape = Callable[[FloatArray, FloatArray], FloatArray]
"""From the features that matter (n, 3) and random numbers (8,) to how effects differ, (n,)."""
Change = Callable[[FloatArray, FloatArray], FloatArray]
"""From chances without an offer and points added on average (n,) to those added here, (n,)."""


def _added(_chance: FloatArray, points: FloatArray) -> FloatArray:
    return points


def _in_odds(chance: FloatArray, points: FloatArray) -> FloatArray:
    """Return points that a shift of the log-odds adds, 1 for 20 points."""
    return np.asarray(expit(np.log(chance / (1 - chance)) + 5 * points) - chance)


def _below_ceiling(chance: FloatArray, points: FloatArray) -> FloatArray:
    """Return points that add up to 80 % at most, and take nobody from there."""
    return np.minimum(points, np.maximum(0.8 - chance, 0.0))


def _regions(x: FloatArray, numbers: FloatArray) -> FloatArray:
    """Return heights that change at three values of a number, as where it is a place's code."""
    return np.asarray(numbers[:4][np.searchsorted(np.sort(numbers[4:7]), x[:, 0])])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """A population of worlds.

    Attributes
    ----------
    shape
        How effects differ, of any scale.
    change
        What that adds to a person's chance.
    unlike
        Whether there are two offers, each for people of its own.
    """

    shape: Shape
    change: Change = _added
    unlike: bool = False


KINDS: Final = {
    "slope": Kind(shape=lambda x, _: x[:, 0]),
    "sum": Kind(shape=lambda x, _: x[:, 0] + 0.7 * x[:, 1] + 0.5 * np.tanh(x[:, 2])),
    "threshold": Kind(shape=lambda x, _: np.heaviside(x[:, 0], 0.5)),
    "both of two": Kind(shape=lambda x, _: np.heaviside(x[:, :2] + 0.3, 0.5).prod(axis=1)),
    "all of three": Kind(shape=lambda x, _: np.heaviside(x + 0.6, 0.5).prod(axis=1)),
    "product": Kind(shape=lambda x, _: x[:, 0] * x[:, 1]),
    "band": Kind(shape=lambda x, _: np.heaviside(0.7 - np.abs(x[:, 0]), 0.5) + 0.3 * x[:, 1]),
    "regions": Kind(shape=_regions),
    "odds": Kind(shape=lambda x, _: x[:, 0], change=_in_odds),
    "ceiling": Kind(shape=lambda x, _: 0.5 * x[:, 0], change=_below_ceiling),
    "unlike": Kind(shape=lambda x, _: np.tanh(2 * x[:, 0]) + 0.6 * x[:, 1], unlike=True),
    "nothing": Kind(shape=lambda x, _: np.zeros(len(x))),
}


def of_all_sorts(sorts: FloatArray) -> Callable[[int, np.random.Generator], pd.DataFrame]:
    """Return independent bells, skewed amounts, counts and flags, by a number from 0 to 1 each."""

    def draw(rows: int, rng: np.random.Generator) -> pd.DataFrame:
        columns = {}
        for j, sort in enumerate(sorts):
            z = rng.normal(size=rows)
            shapes = (z, np.exp(z), np.floor(np.abs(2 * z)), (z > 0.3) * 1.0)
            columns[f"x{j}"] = shapes[int(4 * sort)]
        return pd.DataFrame(columns)

    return draw


def world(kind: Kind, rows: int, rng: np.random.Generator) -> HardMarket:
    """Return a world of a kind."""
    p = int(rng.integers(4, 31))
    features = correlated(p) if rng.random() < 0.5 else of_all_sorts(rng.random(p))
    base, spread = float(rng.uniform(0.3, 0.5)), float(rng.uniform(0.04, 0.15))
    average = float(rng.uniform(0.0, 0.05) if rng.random() < 0.3 else rng.uniform(0.1, 0.45))
    weight = np.where(rng.permutation(p) < 3, rng.normal(0, 0.6, p), 0.0)
    strengths = (0.7, 1.2) if kind.unlike or rng.random() < 0.4 else (1.0,)
    matter, sign = rng.permutation(p)[:4], rng.choice([-1.0, 1.0], 4)
    numbers = rng.normal(size=8)

    def score(x: FloatArray) -> FloatArray:
        return np.asarray(x @ weight)

    def effects(x: FloatArray) -> FloatArray:
        chance = with_mean(score(x), base)
        columns = []
        for offer, strength in enumerate(strengths):
            mine = np.arange(3) + (offer if kind.unlike else 0)
            deviation = kind.shape(x[:, matter[mine]] * sign[mine], numbers)
            deviation = (deviation - deviation.mean()) / max(float(deviation.std()), 1e-9)
            columns.append(kind.change(chance, strength * (average + spread * deviation)))
        return np.column_stack(columns)

    return HardMarket(
        name="few rows",
        rows=rows,
        offers=len(strengths),
        control=1 / (1 + len(strengths)),
        base=base,
        features=features,
        effects=effects,
        score=score,
    )


def case(name: str, rows: int, seed: int) -> Case:
    """Return a draw of a kind, or of a real trial."""
    if name not in KINDS:
        real = draw_real(DATA / f"{name}.parquet", rows=rows, seed=seed)
        return Case(
            trial=real.learn,
            policy=real.policy,
            ask=real.ask.features,
            values=lambda effect: brought(real.ask, effect),
        )
    rng = np.random.default_rng([seed, [*KINDS].index(name)])
    market = world(KINDS[name], rows, rng)
    learned, users = draw_hard(market, rows, rng), draw_hard(market, USERS, rng)
    return Case(
        trial=hard_trial(market, learned, rng),
        policy=policy_of_hard(market),
        ask=users.features,
        values=lambda effect: gained(users.effect, effect),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", default=",".join([*KINDS, "hillstrom", "welfare_wording"]))
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--draws", type=int, default=7)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    others = [name for name in LEARNERS if name != "this engine"]
    print("| trial | draws | this engine |", *(f"ahead of {name} |" for name in others))
    print("|---|---|---|" + "---|" * len(others))
    every = []
    for name in options.kinds.split(","):
        seeds = range(options.first_seed, options.first_seed + options.draws)
        every.append(np.stack([_values(name, options.rows, seed) for seed in seeds]))
        _tell(name, every[-1])
    _tell("all", np.concatenate(every))


def _values(name: str, rows: int, seed: int) -> FloatArray:
    """Return what each learner's plans bring on average, (learners,)."""
    drawn = case(name, rows, seed)
    return np.array([np.mean(drawn.values(of(drawn, seed))) for of in LEARNERS.values()])


def _tell(name: str, values: FloatArray) -> None:
    ahead = values[:, :1] - values[:, 1:]
    error = ahead.std(axis=0, ddof=1) / len(ahead) ** 0.5
    told = (f"{m:+.1f} ± {e:.1f}" for m, e in zip(ahead.mean(axis=0), error, strict=True))
    print(f"| {name} | {len(values)} | {values[:, 0].mean():.1f} |", *(f"{t} |" for t in told),
          flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
