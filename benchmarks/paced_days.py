"""A day of arrivals in virtual time: its market, how it comes, and the caps that it draws on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.allocation.limits import LinearLimit, sum_limit
from incentive_engine.allocation.pacing.room import Bounds, room
from incentive_engine.allocation.problem import BudgetPool, Problem
from incentive_engine.domain import COST, FACE, ISSUED, FloatArray, IntArray
from incentive_engine.live.forecast import ArrivalForecast
from incentive_engine.live.ledger.records import RiskMargin

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
        if basis == "face":  # what face values come to in the end has a price of its own
            limits.append(sum_limit(Prices.COSTS, COST, at_most=budget))
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
    """What is reserved and settled of every cap, with what comes back in time.

    Parameters
    ----------
    planned
        What the plan's offers are expected to cost of their face value, before any is given.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        basis: str,
        hold: int,
        rng: np.random.Generator,
        planned: float = 1.0,
    ) -> None:
        self.most = {
            limit.name: float(limit.at_most or 0.0)
            for limit in problem.limits
            if limit.name != Prices.COSTS
        }
        self.reserved = dict.fromkeys(self.most, 0.0)
        self.settled = dict.fromkeys(self.most, 0.0)
        self.taken = {**dict.fromkeys(self.most, 0.0), Prices.COSTS: 0.0}
        self.basis, self.hold, self.rng, self.planned = basis, hold, rng, planned
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
        self.taken[Prices.COSTS] = self.cost + cost
        self.variance += spread
        self.cost, self.face, self.given = self.cost + cost, self.face + face, self.given + 1
        is_redeemed = bool(self.rng.random() < cost / face)
        after = int(self.rng.random() * self.hold) if is_redeemed else self.hold
        self.ends[minute + 1 + after].append((j, r, cost, is_redeemed))
        return True

    def left(self, minute: int, forecast: ArrivalForecast) -> dict[str, Bounds]:
        """Return what those to come may take, by limit."""
        chance = self.cost / self.face if self.face else self.planned
        named = {}
        for name, most in self.most.items():
            held_whole = name.startswith("stock") or (name == "budget" and self.basis == "face")
            hold = forecast.hold(
                minute, self.hold, stays=chance if held_whole else 1.0, chance=chance
            )
            settled = self.settled[name] + (self.margin() if name == "budget" else 0.0)
            fits = room(most, settled=settled, reserved=self.reserved[name], hold=hold)
            left = min(fits)
            if name == "budget" and self.basis == "face":
                left, costs = fits.meanwhile, min(fits.in_the_end * chance, fits.meanwhile)
                named[Prices.COSTS] = Bounds(at_least=None, at_most=costs)
            named[name] = Bounds(at_least=None, at_most=left)
        return named

    def used(self, name: str) -> float:
        """Return the share of a cap that is reserved or settled."""
        return (self.reserved[name] + self.settled[name]) / self.most[name]


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
