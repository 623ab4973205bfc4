"""Prices that follow a running campaign, beside unchanged ones, PID and mirror descent.

    python benchmarks/live_pacing.py [--arrivals 100000] [--seeds 3] [--every 15]
        [--basis expected|face|at-risk] [--hold 120] [--feedback 3]

A day in virtual time: a budget, ten stocks and five regional caps; who comes is decided at the
prices of that moment, and gets an offer if every cap has room for it. An offer is redeemed with
its face value at a random moment of its hold (minutes), with the probability that makes its
expected cost, or runs out; until then it holds what the basis says, and one of the stock. Each
line is a share of the optimum of all who came, known afterwards: the bound on what could have been
given out so that expected redemptions keep every cap. Every way draws on the same arrivals and the
same caps. `over`: the most that was redeemed above the budget.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from paced_days import DAYS, FACES, MINUTES, Caps, Market, course_of, forecast_shape, people

from incentive_engine.allocation.pacing.pacer import Moment, Pacer, PacingParams, WarmStart
from incentive_engine.allocation.plans.choosers import Choosers
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import IntArray
from incentive_engine.live.forecast import ArrivalForecast

Steer = Callable[[Mapping[str, float], Caps, int, int], Mapping[str, float]]
"""From prices, caps, the users who came, and the minute to the prices from now on."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a way earns in a day, its slowest step, and what was redeemed over the budget."""

    earned: float
    slowest: float
    over: float


def play(
    market: Market, problem: Problem, minute: IntArray, prices: Mapping[str, float],
    steer: Steer, *, caps: Caps, every: int,
) -> Result:  # fmt: skip
    """Return how a way fares on a day; prices may change every so many minutes."""
    users = Choosers.of(problem)
    earned, slowest = 0.0, 0.0
    if caps.basis == "face":  # the plan's prices do not know that face values come back
        prices = steer(prices, caps, 0, 0)
    for begin in range(0, MINUTES, every):
        here = np.arange(*np.searchsorted(minute, [begin, begin + every]))
        choice = users.take(here).at(prices) if len(here) else np.zeros(0, dtype=np.int16)
        ended = begin
        for user, offer in zip(here.tolist(), choice.tolist(), strict=True):
            while ended < int(minute[user]):
                ended += 1
                caps.end(ended)
            region, cost = int(market.region[user]), float(market.cost[offer, user])
            if offer >= 0 and caps.hand_out(offer, region, cost, int(minute[user])):
                earned += float(market.value[offer, user])
        while ended < begin + every:
            ended += 1
            caps.end(ended)
        before = time.perf_counter()
        prices = steer(prices, caps, int(np.searchsorted(minute, begin + every)), begin + every)
        slowest = max(slowest, time.perf_counter() - before)
    for later in range(MINUTES, MINUTES + caps.hold + 2):
        caps.end(later)
    over = caps.settled["budget"] / caps.most["budget"] - 1.0
    return Result(earned=earned, slowest=slowest, over=over)


def ways(
    planned: Problem, prices: Mapping[str, float], places: IntArray, *, every: int, feedback: int
) -> dict[str, Steer]:
    """Return the ways to steer; `places` are those of planned users, −1 for strangers."""
    come = np.concatenate([[0.0], np.cumsum(forecast_shape())])
    forecast = ArrivalForecast(start=0, end=MINUTES, come=come)
    choosers = Choosers.of(planned)

    def unchanged(now: Mapping[str, float], *_: object) -> Mapping[str, float]:
        return now

    errors: list[float] = []

    def pid(now: Mapping[str, float], caps: Caps, _: int, minute: int) -> Mapping[str, float]:
        if minute % every:
            return now
        errors.append(caps.used("budget") - float(come[minute]))
        push = 2.0 * errors[-1] + 0.05 * sum(errors)
        return {**now, "budget": prices["budget"] * float(np.exp(np.clip(4 * push, -3, 3)))}

    last: dict[str, float] = dict.fromkeys(prices, 0.0)

    def descent(now: Mapping[str, float], caps: Caps, _: int, minute: int) -> Mapping[str, float]:
        if minute % every:
            return now
        moved = dict(now)
        for name in caps.most:
            price = now[name]
            used, rest = caps.used(name), max(1 - float(come[minute]), 1e-3)
            fair = (1 - used) / rest * float(come[minute] - come[max(minute - every, 0)])
            scale = max(price, 0.02 * prices["budget"])
            pace = used - last[name] - fair
            moved[name] = max(0.0, price + 4.0 * scale * pace) if prices[name] > 0 else price
            last[name] = used
        return moved

    def solving(*, gives_way: bool) -> Steer:
        params = PacingParams(gain=4.0 if gives_way else 0.0)
        pacer = Pacer(choosers, forecast=planned.n_users, params=params)
        course: tuple[list[int], list[float]] = ([0], [0.0])
        memory = WarmStart()

        def solved(
            now: Mapping[str, float], caps: Caps, came: int, minute: int
        ) -> Mapping[str, float]:
            nonlocal memory
            seen = np.zeros(planned.n_users, dtype=np.bool_)
            moment = Moment(
                seen=seen,
                came=[*course[0], came],
                shares=[*course[1], float(come[minute])],
                left=caps.left(minute, forecast),
                taken=caps.taken,
            )
            if minute % every:
                moves = gives_way and minute % feedback == 0 and memory.left
                return pacer.give_way(memory, moment=moment) if moves else now
            known = places[:came]
            seen[known[known >= 0]] = True
            course[0].append(came)
            course[1].append(float(come[minute]))
            repriced = pacer.reprice(moment, now, memory)
            memory = repriced.memory
            return repriced.prices

        return solved

    return {
        "the plan's prices, unchanged": unchanged,
        "PID on the plan's spending": pid,
        "mirror descent on it": descent,
        "solved anew": solving(gives_way=False),
        "the same, giving way between": solving(gives_way=True),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arrivals", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=15)
    parser.add_argument("--feedback", type=int, default=3)
    parser.add_argument("--basis", choices=["expected", "face", "at-risk"], default="expected")
    parser.add_argument("--hold", type=int, default=120)
    parser.add_argument("--days", type=int, default=len(DAYS), help="so many kinds of days")
    options = parser.parse_args()
    n, basis, every = options.arrivals, options.basis, options.every
    print(
        f"{n:,} arrivals forecast, basis {basis}, held for {options.hold} min, {options.seeds} "
        f"seeds from {options.first_seed}, new prices every {every} min"
    )
    for day in DAYS[: options.days]:
        results: dict[str, list[tuple[float, Result]]] = {}
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            rng = np.random.default_rng(100 + seed)
            planned = people(n, rng)
            problem = planned.problem(n, basis=basis)
            plan = solve(problem)
            course = course_of(day, planned, n, rng)
            arrived = course.market.problem(n, basis=basis)
            given = np.flatnonzero(plan.choice >= 0)
            cost = planned.cost[plan.choice[given], given].sum()
            chance = float(cost / FACES[plan.choice[given]].sum())
            bound = solve(course.market.problem(n, basis="bound")).certificate.bound
            steers = ways(
                problem, plan.prices, course.places, every=every, feedback=options.feedback
            )
            for name, steer in steers.items():
                caps = Caps(
                    arrived, basis=basis, hold=options.hold, rng=np.random.default_rng(seed),
                    planned=chance,
                )  # fmt: skip
                result = play(
                    course.market, arrived, course.minute, plan.prices, steer,
                    caps=caps, every=options.feedback,
                )  # fmt: skip
                results.setdefault(name, []).append((100 * result.earned / bound, result))
        for name, found in results.items():
            shares = [share for share, _ in found]
            slowest = max(result.slowest for _, result in found)
            over = max(result.over for _, result in found)
            print(
                f"{day.name:18} {name:30} {np.mean(shares):6.2f} %   worst {min(shares):6.2f} %"
                f"   over {over:+7.2%}   slowest step {slowest:.2f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
