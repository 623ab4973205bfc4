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
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from incentive_engine.allocation import (
    BudgetPool,
    Choosers,
    LinearLimit,
    Problem,
    solve,
    sum_limit,
)
from incentive_engine.allocation.pacing import Bounds, Moment, Pacer, PacingParams, WarmStart, room
from incentive_engine.domain import COST, FACE, ISSUED, FloatArray, IntArray
from incentive_engine.live.ledger.records import RiskMargin
from incentive_engine.live.repricing import ArrivalForecast

OFFERS, REGIONS = 10, 5
MINUTES = 24 * 60


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


FACES = np.round(4.0 * np.linspace(0.4, 2.2, OFFERS), 6)
"""Face values; about a quarter is expected to be redeemed."""


@dataclass(frozen=True, kw_only=True)
class Market:
    """Users in an order: values and costs (k, n), regions (n,)."""

    value: FloatArray
    cost: FloatArray
    region: IntArray

    def problem(self, n: int, *, basis: str) -> Problem:
        """Return their campaign, with caps made for `n` of them.

        What the basis `bound` counts is what expected redemptions take of every cap.
        """
        budget = 0.35 * n
        measure = FACE if basis == "face" else COST
        limits: list[LinearLimit] = [sum_limit("budget", measure, at_most=budget)]
        for j in range(OFFERS):
            alone = np.arange(OFFERS) == j
            taken = "redeemed" if basis == "bound" else ISSUED
            limits.append(sum_limit(f"stock{j}", taken, at_most=float(n // 12), offers=alone))
        for r in range(REGIONS):
            alone = np.arange(REGIONS) == r
            limits.append(sum_limit(f"region{r}", COST, at_most=0.22 * budget, cells=alone))
        return Problem(
            offers=tuple(f"o{j}" for j in range(OFFERS)),
            value=self.value,
            measures=(COST, "redeemed"),
            columns=np.stack([self.cost, self.cost / FACES[:, None]]),
            face=FACES,
            cell=self.region.astype(np.uint16),
            n_cells=REGIONS,
            limits=tuple(limits),
            pool=BudgetPool(amount=budget),
        )


def people(n: int, rng: np.random.Generator) -> Market:
    """Return users."""
    taste = rng.lognormal(0.0, 0.6, n)
    depth = np.linspace(0.4, 2.2, OFFERS)[:, None]
    value = taste * depth**0.7 * rng.lognormal(-0.1, 0.5, (OFFERS, n)) - 0.2
    cost = np.round(depth * rng.lognormal(0.0, 0.35, n) * rng.lognormal(0.0, 0.2, (OFFERS, n)), 6)
    return Market(
        value=value,
        cost=np.minimum(cost, FACES[:, None]),
        region=rng.integers(0, REGIONS, n),
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
    """What is reserved and settled of every cap, with what comes back in time."""

    def __init__(
        self, problem: Problem, *, basis: str, hold: int, rng: np.random.Generator
    ) -> None:
        self.most = {limit.name: float(limit.at_most or 0.0) for limit in problem.limits}
        self.reserved = dict.fromkeys(self.most, 0.0)
        self.settled = dict.fromkeys(self.most, 0.0)
        self.taken = dict.fromkeys(self.most, 0.0)
        self.basis, self.hold, self.rng = basis, hold, rng
        self.variance = 0.0
        self.cost, self.face, self.given = 0.0, 0.0, 0
        self.ends: dict[int, list[tuple[int, int, float, bool]]] = defaultdict(list)
        z = NormalDist().inv_cdf(0.95)
        self.risk = RiskMargin(z_ppm=round(z * 1e6), error_ppm=0, face=round(FACES.max() * 1e6))

    def margin(self, cost: float = 0.0, variance: float = 0.0) -> float:
        """Return what a budget at risk keeps back."""
        if self.basis != "at-risk":
            return 0.0
        expected = round((self.reserved["budget"] + cost) * 1e6)
        return (
            self.risk.margin(expected=expected, variance=round((self.variance + variance) * 1e12))
            / 1e6
        )

    def end(self, minute: int) -> None:
        """Settle, or give back, what ends by a minute."""
        for j, r, cost, is_redeemed in self.ends.pop(minute, ()):
            face = float(FACES[j])
            held = face if self.basis == "face" else cost
            self.variance -= cost * (face - cost)
            for name, claim, paid in (
                ("budget", held, face),
                (f"stock{j}", 1.0, 1.0),
                (f"region{r}", cost, face),
            ):
                self.reserved[name] -= claim
                self.settled[name] += paid * is_redeemed

    def hand_out(self, j: int, r: int, cost: float, minute: int) -> bool:
        """Give an offer to a user of a region where every cap has room."""
        face = float(FACES[j])
        held, spread = face if self.basis == "face" else cost, cost * (face - cost)
        claims = {"budget": held, f"stock{j}": 1.0, f"region{r}": cost}
        for name, claim in claims.items():
            margin = self.margin(cost, spread) if name == "budget" else 0.0
            if self.reserved[name] + self.settled[name] + claim + margin > self.most[name]:
                return False
        for name, claim in claims.items():
            self.reserved[name] += claim
            self.taken[name] += claim
        self.variance += spread
        self.cost, self.face, self.given = self.cost + cost, self.face + face, self.given + 1
        is_redeemed = bool(self.rng.random() < cost / face)
        after = int(self.rng.random() * self.hold) if is_redeemed else self.hold
        self.ends[minute + 1 + after].append((j, r, cost, is_redeemed))
        return True

    def left(self, minute: int, forecast: ArrivalForecast) -> dict[str, Bounds]:
        """Return what those to come may take, by limit."""
        chance = self.cost / self.face if self.face else 1.0
        named = {}
        for name, most in self.most.items():
            held_whole = name.startswith("stock") or (name == "budget" and self.basis == "face")
            hold = forecast.hold(
                minute, self.hold, stays=chance if held_whole else 1.0, chance=chance
            )
            settled = self.settled[name] + (self.margin() if name == "budget" else 0.0)
            rest = room(most, settled=settled, reserved=self.reserved[name], hold=hold)
            named[name] = Bounds(at_least=None, at_most=rest)
        return named

    def used(self, name: str) -> float:
        """Return the share of a cap that is reserved or settled."""
        return (self.reserved[name] + self.settled[name]) / self.most[name]


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
        moved = {}
        for name, price in now.items():
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


@dataclass(frozen=True, kw_only=True)
class Course:
    """Who really comes: users, their minutes, and their places among the planned ones."""

    market: Market
    minute: IntArray
    places: IntArray


def course_of(day: Day, planned: Market, n: int, rng: np.random.Generator) -> Course:
    """Return how a day comes."""
    came = round(n * day.volume)
    known = rng.permutation(n)[: min(came, n)]
    more = people(max(came - n, 0), rng)
    order = rng.permutation(came)
    places = np.concatenate([known, np.full(max(came - n, 0), -1)])[order]
    value, cost, region = (
        np.concatenate([mine[..., known], extra], axis=-1)[..., order]
        for mine, extra in (
            (planned.value, more.value),
            (planned.cost, more.cost),
            (planned.region, more.region),
        )
    )
    value[:, came // 2 :] *= 1 + day.drift
    market = Market(value=value, cost=cost, region=region)
    return Course(market=market, minute=minutes_of(day, came, rng), places=places)


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
            bound = solve(course.market.problem(n, basis="bound")).certificate.bound
            steers = ways(
                problem, plan.prices, course.places, every=every, feedback=options.feedback
            )
            for name, steer in steers.items():
                caps = Caps(
                    arrived, basis=basis, hold=options.hold, rng=np.random.default_rng(seed)
                )
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
