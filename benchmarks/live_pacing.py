"""Prices that follow a running campaign, beside unchanged ones, PID and mirror descent.

    python benchmarks/live_pacing.py [--arrivals 100000] [--seeds 3] [--every 15]

A day in virtual time: a budget, ten stocks and five regional caps; who comes is decided at the
prices of that moment, and gets an offer if every cap has room for it. Each line is a share of the
optimum of all who came, known afterwards (its bound, so the truth is not lower). Every way draws
on the same arrivals and the same caps. Money counts as expected: what redemption returns is not
simulated here.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from incentive_engine.allocation import Choosers, Limit, Pool, Problem, solve, sum_limit
from incentive_engine.allocation.pacing import Bounds, Memory, Moment, Pacer
from incentive_engine.domain import COST, ISSUED, FloatArray, IntArray

OFFERS, REGIONS = 10, 5
MINUTES = 24 * 60
Choice = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Day:
    """A way in which a day departs from its forecast."""

    name: str
    volume: float = 1.0
    rush: float = 1.0
    """Traffic of the first 20 minutes, as a multiple of what was forecast."""
    drift: float = 0.0
    """By so much those who come in the second half react more, on average."""


DAYS = (
    Day(name="as forecast"),
    Day(name="volume +30 %", volume=1.3),
    Day(name="volume -30 %", volume=0.7),
    Day(name="rush x 10", rush=10.0),
    Day(name="mix drifts +15 %", drift=0.3),
)


def people(n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return values and costs (k, n), and regions."""
    taste = rng.lognormal(0.0, 0.6, n)
    depth = np.linspace(0.4, 2.2, OFFERS)[:, None]
    value = taste * depth**0.7 * rng.lognormal(-0.1, 0.5, (OFFERS, n)) - 0.2
    cost = np.round(depth * rng.lognormal(0.0, 0.35, n) * rng.lognormal(0.0, 0.2, (OFFERS, n)), 6)
    return value, cost, rng.integers(0, REGIONS, n)


def problem_of(value: FloatArray, cost: FloatArray, region: IntArray, n: int) -> Problem:
    """Return the campaign of so many users, with caps made for `n` of them."""
    budget = 0.35 * n
    limits: list[Limit] = [sum_limit("budget", COST, at_most=budget)]
    for j in range(OFFERS):
        alone = np.arange(OFFERS) == j
        limits.append(sum_limit(f"stock{j}", ISSUED, at_most=float(n // 12), offers=alone))
    for r in range(REGIONS):
        alone = np.arange(REGIONS) == r
        limits.append(sum_limit(f"region{r}", COST, at_most=0.22 * budget, cells=alone))
    return Problem(
        offers=tuple(f"o{j}" for j in range(OFFERS)),
        value=value,
        measures=(COST,),
        columns=cost[None],
        cell=region.astype(np.uint16),
        n_cells=REGIONS,
        limits=tuple(limits),
        pool=Pool(amount=budget),
    )


def forecast_shape() -> FloatArray:
    """Return the share of the day's traffic per minute, (1440,): low at night, an evening peak."""
    hour = np.arange(MINUTES) / 60
    shape = 1.2 - np.cos((hour - 4) * np.pi / 12) + 0.8 * np.exp(-(((hour - 21) / 1.5) ** 2))
    shape[:20] *= 6.0
    return np.asarray(shape / shape.sum())


def minutes_of(day: Day, n: int, rng: np.random.Generator) -> IntArray:
    """Return the minutes in which n users come, sorted."""
    shape = forecast_shape()
    shape[:20] *= day.rush
    return np.sort(rng.choice(MINUTES, n, p=shape / shape.sum()))


class Caps:
    """What is left of the budget, of stocks and of regional caps."""

    def __init__(self, problem: Problem) -> None:
        most = {limit.name: float(limit.at_most or 0.0) for limit in problem.limits}
        self.budget = most["budget"]
        self.stock = np.array([most[f"stock{j}"] for j in range(OFFERS)])
        self.region = np.array([most[f"region{r}"] for r in range(REGIONS)])

    def hand_out(
        self, choice: Choice, value: FloatArray, cost: FloatArray, region: IntArray
    ) -> float:
        """Give users their choice, in order, where every cap has room; return what it is worth."""
        total = 0.0
        for user in np.flatnonzero(choice >= 0):
            j, r = int(choice[user]), int(region[user])
            asked = float(cost[j, user])
            if self.budget >= asked and self.region[r] >= asked and self.stock[j] >= 1:
                self.budget -= asked
                self.region[r] -= asked
                self.stock[j] -= 1
                total += float(value[j, user])
        return total

    def left(self) -> dict[str, Bounds]:
        """Return what is left by limit."""
        named = {"budget": self.budget}
        named |= {f"stock{j}": float(x) for j, x in enumerate(self.stock)}
        named |= {f"region{r}": float(x) for r, x in enumerate(self.region)}
        return {name: Bounds(at_least=None, at_most=rest) for name, rest in named.items()}


Steer = Callable[[Mapping[str, float], Caps, int, int], Mapping[str, float]]
"""From prices, caps, the users who came, and the minute to the prices from now on."""


def play(
    arrived: Problem, minute: IntArray, start: Mapping[str, float], steer: Steer, every: int
) -> tuple[float, float]:
    """Return what a way earns in a day, and its slowest step in seconds."""
    caps, chooser, prices = Caps(arrived), Choosers.of(arrived), start
    earned, slowest, cost = 0.0, 0.0, arrived.columns[0]
    for begin in range(0, MINUTES, every):
        here = slice(*np.searchsorted(minute, [begin, begin + every]))
        choice = chooser.at(prices)[here]
        earned += caps.hand_out(
            choice, arrived.value[:, here], cost[:, here], arrived.cell[here].astype(np.int64)
        )
        before = time.perf_counter()
        prices = steer(prices, caps, here.stop, begin + every)
        slowest = max(slowest, time.perf_counter() - before)
    return earned, slowest


def ways(planned: Problem, prices: Mapping[str, float], places: IntArray) -> dict[str, Steer]:
    """Return the ways to steer; `places` are those of planned users, −1 for strangers."""
    come = np.concatenate([[0.0], np.cumsum(forecast_shape())])
    whole = Caps(planned)
    pacer = Pacer(Choosers.of(planned), forecast=planned.n_users)
    errors: list[float] = []
    course: tuple[list[int], list[float]] = ([0], [0.0])
    memory: list[Memory | None] = [None]

    def unchanged(now: Mapping[str, float], *_: object) -> Mapping[str, float]:
        return now

    def pid(now: Mapping[str, float], caps: Caps, _: int, minute: int) -> Mapping[str, float]:
        errors.append((1 - caps.budget / whole.budget) - float(come[minute]))
        push = 2.0 * errors[-1] + 0.05 * sum(errors)
        return {**now, "budget": prices["budget"] * float(np.exp(np.clip(4 * push, -3, 3)))}

    last: dict[str, float] = {}

    def descent(now: Mapping[str, float], caps: Caps, _: int, minute: int) -> Mapping[str, float]:
        left = {name: rest.at_most or 0.0 for name, rest in caps.left().items()}
        full = {name: rest.at_most or 1.0 for name, rest in whole.left().items()}
        before = last or full
        moved = {}
        for name, price in now.items():
            spent = (before[name] - left[name]) / full[name]
            rest = max(1 - float(come[minute]), 1e-3)
            fair = left[name] / full[name] / rest
            scale = max(price, 0.02 * prices["budget"])
            pace = spent - fair * float(come[minute] - come[max(minute - 15, 0)])
            moved[name] = max(0.0, price + 4.0 * scale * pace) if prices[name] > 0 else price
        last.clear()
        last.update(left)
        return moved

    def solved(
        now: Mapping[str, float], caps: Caps, came: int, minute: int
    ) -> Mapping[str, float]:
        seen = np.zeros(planned.n_users, dtype=np.bool_)
        known = places[:came]
        seen[known[known >= 0]] = True
        course[0].append(came)
        course[1].append(float(come[minute]))
        moment = Moment(seen=seen, came=course[0], shares=course[1], left=caps.left())
        repriced = pacer.reprice(moment, now, memory[-1])
        memory.append(repriced.memory)
        return repriced.prices

    return {
        "the plan's prices, unchanged": unchanged,
        "PID on the plan's spending": pid,
        "mirror descent on it": descent,
        "solved anew": solved,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arrivals", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=15)
    options = parser.parse_args()
    n = options.arrivals
    print(f"{n:,} arrivals forecast, {options.seeds} seeds, new prices every {options.every} min")
    for day in DAYS:
        shares: dict[str, list[float]] = {}
        slowest: dict[str, float] = {}
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            rng = np.random.default_rng(100 + seed)
            value, cost, region = people(n, rng)
            planned = problem_of(value, cost, region, n)
            plan = solve(planned)
            came = round(n * day.volume)
            known = rng.permutation(n)[: min(came, n)]
            more = people(max(came - n, 0), rng)
            order = rng.permutation(came)
            places = np.concatenate([known, np.full(max(came - n, 0), -1)])[order]
            their_value, their_cost, their_region = (
                np.concatenate([mine[..., known], extra], axis=-1)[..., order]
                for mine, extra in zip((value, cost, region), more, strict=True)
            )
            their_value[:, came // 2 :] *= 1 + day.drift
            arrived = problem_of(their_value, their_cost, their_region, n)
            minute = minutes_of(day, came, rng)
            bound = solve(arrived).certificate.bound
            for name, steer in ways(planned, plan.prices, places).items():
                earned, seconds = play(arrived, minute, plan.prices, steer, options.every)
                shares.setdefault(name, []).append(100 * earned / bound)
                slowest[name] = max(slowest.get(name, 0.0), seconds)
        for name, found in shares.items():
            print(
                f"{day.name:18} {name:30} {np.mean(found):6.2f} %   worst {min(found):6.2f} %"
                f"   slowest step {slowest[name]:.2f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
