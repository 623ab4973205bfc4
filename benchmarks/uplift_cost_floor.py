"""How far a plan's stated cost is from the truth at best, where only chance of the trial errs.

    python benchmarks/uplift_cost_floor.py [--rows 100000] [--draws 60] [--markets ladder,rare,…]

An oracle knows every user's true cost up to a factor, which a trial's redemptions tell it: one
factor per offer, as totals of offers do, or one for all offers. The same people draw their arms
and redeem again in every draw; plans are the best ones that spend 10, 20 and 50 % of what the best
plan would. Columns are the root mean square of true over stated cost less one, in percent, with an
error of 1 / √(2 draws) of itself: what is left of a forecast's error below that is luck.
"""

from __future__ import annotations

import argparse
from typing import Final

import numpy as np
from uplift_markets import MARKETS, Market, best_plan, draw_people, draw_trial

from incentive_engine.domain import FloatArray

BUDGETS: Final = (0.1, 0.2, 0.5)
USERS: Final = 20_000
NAMES: Final = "ladder,nominal,mixed,patchy,joint,even,rare"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--markets", default=NAMES)
    options = parser.parse_args()
    print(f"{options.rows:,} rows, {options.draws} draws; % of the stated cost")
    print("market    budget  a factor per offer  one factor")
    for name in options.markets.split(","):
        market = next(each for each in MARKETS if each.name == name)
        per_offer, common = _factors(market, options.rows, options.draws)
        for budget, cost in zip(BUDGETS, _plans(market), strict=True):
            errors = cost.sum() / (per_offer @ cost) - 1, 1 / common - 1
            own, one = (100 * float(np.sqrt(np.mean(each**2))) for each in errors)
            print(f"{name:9} {budget:6.0%} {own:19.1f} {one:11.1f}", flush=True)


def _plans(market: Market) -> list[FloatArray]:
    """Return what the best plan of each budget truly spends on each offer, (k,) each."""
    users = draw_people(market, USERS, np.random.default_rng(1))
    unlimited = float((users.cost * best_plan(users.effect, users.cost, np.inf)).sum())
    plans = (best_plan(users.effect, users.cost, share * unlimited) for share in BUDGETS)
    return [(users.cost * plan).sum(axis=0) for plan in plans]


def _factors(market: Market, rows: int, draws: int) -> tuple[FloatArray, FloatArray]:
    """Return redemptions over those expected, (draws, k) per offer and (draws,) of all."""
    people = draw_people(market, rows, np.random.default_rng(2))
    k = people.cost.shape[1]
    redeemed, expected = np.empty((draws, k)), np.empty((draws, k))
    for draw in range(draws):
        arm, _, _, paid, _ = draw_trial(people, np.random.default_rng(500 + draw))
        for offer in range(k):
            got = arm == offer + 1
            pays = float(paid[got].max())
            redeemed[draw, offer] = np.count_nonzero(paid[got])
            expected[draw, offer] = people.cost[got, offer].sum() / pays
    return redeemed / expected, redeemed.sum(axis=1) / expected.sum(axis=1)


if __name__ == "__main__":
    main()
