"""How often the watch is wrong while all goes to plan, and how soon it sees what does not.

    python benchmarks/watch.py [--users 20000] [--campaigns 200] [--seeds 20] [--gain]

Campaigns of a day in virtual time, looked at every half hour: four offers, a budget, a stock and a
floor, each used up exactly by the plan; a fifth of the users is held out. The first table counts
campaigns with any finding, over all looks: as planned, and with the errors that every forecast has
(traffic by the hour off by 5 % at random, redemption of each offer by 7 %). The second
departs from the plan in one way each, from the start or from the middle of the traffic on, and
shows how many hours later the finding came. With `--gain` a table for holdouts of three sizes says
which gains that fall short are found, and when, beside what is told before the campaign.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
from watched_days import BASE, DAY, LOOK, START, Day, Plan, World, onset_of

from incentive_engine.live.watch.checks.gain import gain
from incentive_engine.live.watch.params import WatchParams
from incentive_engine.live.watch.watching import find
from incentive_engine.stats.sequential import (
    GAIN_TEST,
    Noticing,
    difference_error,
    noticing,
)

PLAN = (
    World(name="as planned"),
    World(name="with the errors of forecasts", noise=0.05, error=0.07),
)
FAULTS = (
    World(name="traffic -20 %", finding="traffic_short", volume=0.8),
    World(name="traffic -20 %, from the middle", finding="traffic_short", volume=0.8, begin=0.5),
    World(name="traffic -50 %, from the middle", finding="traffic_short", volume=0.5, begin=0.5),
    World(name="traffic +25 %", finding="traffic_above", volume=1.25),
    World(name="traffic x 2, from the middle", finding="traffic_above", volume=2.0, begin=0.5),
    World(name="pool dry: traffic +25 %", finding="runs_dry:budget", volume=1.25),
    World(
        name="pool dry: redemption of all +30 %",
        finding="runs_dry:budget",
        redeemed=(1.3, 1.3, 1.3, 1.3),
    ),
    World(
        name="one offer redeemed +50 %",
        finding="redemption_above:ten",
        redeemed=(1.0, 1.5, 1.0, 1.0),
    ),
    World(
        name="one offer redeemed +50 %, middle",
        finding="redemption_above:ten",
        redeemed=(1.0, 1.5, 1.0, 1.0),
        begin=0.5,
    ),
    World(
        name="one offer redeemed -50 %",
        finding="redemption_below:ten",
        redeemed=(1.0, 0.5, 1.0, 1.0),
    ),
    World(name="nobody takes an offer", finding="untaken:five", redeemed=(0.0, 1.0, 1.0, 1.0)),
    World(name="a region stays away by a half", finding="floor_behind:floor", region=0.5),
    World(name="1 % of the holdout gets offers", finding="holdout_leaking", leak=0.01),
    World(name="a user asks every minute", finding="asks_too_often:1", asks=60),
    World(name="no gain at all", finding="gain_below", gain=0.0),
    World(name="half of the gain", finding="gain_below", gain=0.5),
)


def first_found(day: Day, params: WatchParams) -> dict[str, int]:
    """Return by finding when it was first found."""
    found: dict[str, int] = {}
    for now in range(START + LOOK, START + DAY + 1, LOOK):
        for one in find(day.look(now, params)):
            if one.severity != "info":
                found.setdefault(one.name, now)
    return found


def days(
    world: World, users: int, seeds: int, first: int, *, holdout: float = 0.2
) -> Iterator[Day]:
    """Yield days of a world."""
    for seed in range(first, first + seeds):
        rng = np.random.default_rng(seed)
        yield Day.draw(Plan.draw(users, rng, holdout=holdout), world, rng)


def print_gains(users: int, seeds: int, params: WatchParams) -> None:
    """Print from which hour on a gain that falls short is found, beside what was foretold."""
    print(f"{users:,} users; looked at every two hours; hours after the start")
    print("holdout  gain  found  median   foretold: with 80 % by   least shortfall")
    for holdout in (0.02, 0.1, 0.2):
        for part in (0.0, 0.5, 1.0):
            hours: list[float] = []
            told = Noticing(nothing=None, half=None, least=None)
            for day in days(World(name="", gain=part), users, seeds, 3000, holdout=holdout):
                told = _foretold(day.plan, params)
                for now in range(START + 4 * LOOK, START + DAY + 1, 4 * LOOK):
                    if any(one.kind == "gain_below" for one in gain(day.look(now, params))):
                        hours.append((now - START) / 3.6e9)
                        break
            share = told.nothing if part == 0.0 else told.half if part == 0.5 else None
            forecast = day.plan.expected.forecast
            assert forecast is not None
            by = (
                "–"
                if share is None
                else f"{(forecast.moment(share) - START) / 3.6e9 + GAIN_TEST.settled_hours:.1f}"
            )
            median = f"{np.median(hours):.1f}" if hours else "–"
            least = "–" if told.least is None else f"{told.least:.0%}"
            found = f"{len(hours)}/{seeds}"
            print(f"{holdout:7.0%} {part:5.1f} {found:>6} {median:>7} {by:>24} {least:>17}")


def _foretold(plan: Plan, params: WatchParams) -> Noticing:
    """Return what would be noticed, by what is known before the day."""
    compared = plan.yardstick.offered
    free, held = (int((compared & mine).sum()) for mine in (~plan.held, plan.held))
    stated = plan.expected.gain.times(float((~plan.held).sum()) / free)
    return noticing(
        value=stated.value,
        low=stated.low,
        error=difference_error(BASE, BASE + stated.value, free, held),
        held=held,
        alpha=params.of_gain * GAIN_TEST.by_prices,
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--campaigns", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--gain", action="store_true", help="only of gains that fall short")
    options = parser.parse_args()
    params = WatchParams()
    if options.gain:
        print_gains(options.users, options.seeds, params)
        return
    began = time.perf_counter()
    print(f"{options.users:,} users, error {params.error:.0%} a campaign")
    print(f"{'world':34} campaigns  with a false alarm  which")
    for world in PLAN:
        alarms: Counter[str] = Counter()
        wrong = 0
        for day in days(world, options.users, options.campaigns, 1000):
            kinds = [name for name in first_found(day, params) if not name.startswith("nearly")]
            wrong += bool(kinds)
            alarms.update(kinds)
        print(f"{world.name:34} {options.campaigns:9} {wrong:18}  {dict(alarms)}")
    print(f"\n{'world':34} {'finding':22} found  hours: median  worst   looks before it false")
    for world in FAULTS:
        delays, false = [], 0
        for day in days(world, options.users, options.seeds, 0):
            found = first_found(day, params)
            onset = onset_of(day.plan, world)
            false += sum(at <= onset for at in found.values())
            if world.finding in found:
                delays.append((found[world.finding] - onset) / 3.6e9)
        median = f"{np.median(delays):.1f}" if delays else "–"
        worst = f"{max(delays):.1f}" if delays else "–"
        share = f"{len(delays)}/{options.seeds}"
        print(f"{world.name:34} {world.finding:22} {share:>5} {median:>14} {worst:>6} {false:>8}")
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
