"""Campaigns of a day in virtual time: what was planned, and what came of it in some world.

Four offers, a budget, a stock and a floor, each used up exactly by the plan; some users are held
out, and some of the holdout, of the region with the floor or of the offers do not do as planned.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from incentive_engine.data.trials.outcomes import Outcomes
from incentive_engine.domain import COST, ISSUED, MICROS, BoolArray, FloatArray, IntArray
from incentive_engine.live.forecast import ArrivalForecast
from incentive_engine.live.ledger.commands import Standing
from incentive_engine.live.ledger.records import LimitTerms, State
from incentive_engine.live.watch.evidence import Sizes
from incentive_engine.live.watch.expected import Expected
from incentive_engine.live.watch.look import Look, Yardstick
from incentive_engine.live.watch.observed import Observed
from incentive_engine.live.watch.params import WatchParams
from incentive_engine.stats.estimate import Estimate

START = 1_800_000_000 * MICROS
DAY, HOLD, LOOK = 86_400 * MICROS, 900 * MICROS, 1800 * MICROS
OFFERS = ("five", "ten", "twenty", "fifty")
FACES = np.array([5.0, 10.0, 20.0, 50.0])
BUDGET, STOCK, FLOOR = range(3)
STRANGER, NEVER = -1, 2**62
BASE, GAIN = 0.05, 0.03
"""Share of users who buy without an offer, and what the plan adds on average over all who are not
held out; it adds it to those who get an offer."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A way in which a day departs from its plan, from a share of its traffic on.

    Attributes
    ----------
    finding
        What is to be found.
    redeemed
        Redemption of each offer over its forecast.
    region
        How many users of the floor's region come, over the forecast.
    gain
        What the plan adds, over what was stated.
    noise, error
        Standard deviations of the traffic by the hour and of each offer's redemption, relative.
    """

    name: str
    finding: str = ""
    begin: float = 0.0
    volume: float = 1.0
    redeemed: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    region: float = 1.0
    gain: float = 1.0
    leak: float = 0.0
    asks: int = 0
    noise: float = 0.0
    error: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What was planned for n users: an offer each, or none, its cost, and who is held out."""

    offer: IntArray
    cost: FloatArray
    held: BoolArray
    region: BoolArray
    expected: Expected
    base: FloatArray
    yardstick: Yardstick

    @classmethod
    def draw(cls, n: int, rng: np.random.Generator, *, holdout: float = 0.2) -> Plan:
        """Return a plan."""
        held, region = rng.random(n) < holdout, rng.random(n) < 0.3
        offer = rng.choice(5, n, p=[0.25, 0.25, 0.2, 0.1, 0.2]) - 1
        offer[offer == 4] = -1
        offered = offer >= 0
        offer[held] = -1
        base = np.clip(BASE * rng.lognormal(-0.32, 0.8, n), 0, 0.9)
        guess = np.column_stack([base * rng.lognormal(0, 0.5, n)]).astype(np.float32)
        yardstick = Yardstick(
            offered=offered, stratum=np.zeros(n, dtype=np.int64), covariates=guess
        )
        chance = np.clip(rng.lognormal(np.log(0.12), 0.5, n), 0.01, 0.6)
        cost = np.where(offer >= 0, chance * FACES[offer], 0.0)
        limits = (
            _terms("budget", cost.sum(), is_count=False),
            _terms("stock", float((offer == 2).sum()), is_count=True),
            _terms("floor", cost[region].sum(), is_count=False, is_floor=True),
        )
        grid = np.linspace(0, 24, 481)
        shape = 1.2 - np.cos((grid[1:] - 4) * np.pi / 12)
        come = np.concatenate([[0.0], np.cumsum(shape)])
        half = 0.2 * GAIN
        given, mine = offer >= 0, region & (offer >= 0)
        face, ones = FACES[offer], np.ones(n)
        some = (given, offer == 2, mine)
        sizes = [(cost, ones), (ones, ones), (cost, ones)]
        paid = [(face, cost / face), (ones, ones), (face, cost / face)]
        expected = Expected(
            forecast=ArrivalForecast(start=START, end=START + DAY, come=come / come[-1]),
            users=n,
            held=held,
            limits=limits,
            measures={"budget": COST, "stock": ISSUED, "floor": COST},
            offers=OFFERS,
            sizes=tuple(
                Sizes(size=a[s], chance=b[s]) for s, (a, b) in zip(some, sizes, strict=True)
            ),
            paid=tuple(
                Sizes(size=a[s], chance=b[s]) for s, (a, b) in zip(some, paid, strict=True)
            ),
            gain=Estimate(value=GAIN, low=GAIN - half, high=GAIN + half),
            currency="CNY",
            zone="UTC",
        )
        return cls(
            offer=offer,
            cost=cost,
            held=held,
            region=region,
            expected=expected,
            base=base,
            yardstick=yardstick,
        )


def _terms(name: str, amount: float, *, is_count: bool, is_floor: bool = False) -> LimitTerms:
    bound = int(amount) if is_count else int(amount * MICROS)
    return LimitTerms(
        name=name,
        is_count=is_count,
        settles_amount=not is_count,
        at_most=None if is_floor else bound,
        at_least=bound if is_floor else None,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Day:
    """What came of it: who came when, and what each redeemed when."""

    plan: Plan
    world: World
    user: IntArray
    at: IntArray
    offer: IntArray
    cost: FloatArray
    region: BoolArray
    pays_at: IntArray
    """When the offer is redeemed; beyond all time where it is not."""
    bought: FloatArray = field(default_factory=lambda: np.empty(0))

    @classmethod
    def draw(cls, plan: Plan, world: World, rng: np.random.Generator) -> Day:
        """Return a day of a world."""
        at, user = _arrivals(plan, world, rng)
        late = at >= onset_of(plan, world)
        known = user != STRANGER
        like = np.where(known, user, rng.integers(0, len(plan.held), len(user)))
        offer = np.where(plan.held[like] & ~known, -1, plan.offer[like])
        leaks = plan.held[like] & known & (rng.random(len(user)) < world.leak)
        offer[leaks] = 0
        factor = np.where(late, np.array(world.redeemed)[offer], 1.0)
        factor = factor * np.exp(rng.normal(0, world.error, 4))[offer]
        face = FACES[offer]
        cost = np.where(leaks, 0.5, plan.cost[like])
        chance = cost / face * factor
        takes = (offer >= 0) & (rng.random(len(user)) < chance)
        pays = np.where(takes, at + (rng.random(len(user)) * HOLD).astype(np.int64), NEVER)
        free, offered = ~plan.held, plan.yardstick.offered
        each = GAIN * world.gain * free.sum() / (free & offered).sum()
        bought = 1.0 * (rng.random(len(free)) < plan.base + each * (free & offered))
        offer = _fitting(plan, at, offer, pays, cost)
        return cls(
            plan=plan,
            world=world,
            user=user,
            at=at,
            offer=offer,
            cost=cost,
            region=plan.region[like],
            pays_at=np.where(offer >= 0, pays, NEVER),
            bought=bought,
        )

    def look(self, now: int, params: WatchParams) -> Look:
        """Return what can be seen by a moment."""
        count = int(np.searchsorted(self.at, now, side="right"))
        user, at, offer = self.user[:count], self.at[:count], self.offer[:count]
        cost = np.where(offer >= 0, self.cost[:count], 0.0)
        micros = np.rint(cost * MICROS).astype(np.int64)
        face = np.where(offer >= 0, FACES[offer] * MICROS, 0).astype(np.int64)
        paid = self.pays_at[:count] <= now
        over = (offer >= 0) & ~paid & (at + HOLD <= now)
        state = np.select(
            [offer < 0, paid, over],
            [_place(State.NONE), _place(State.REDEEMED), _place(State.EXPIRED)],
            _place(State.RESERVED),
        )
        amount = np.where(paid, face, 0)
        given = np.flatnonzero(offer >= 0)
        of, limit, claim = _claims(given, offer, micros, self.region[:count])
        kept = np.where(state[of] == _place(State.RESERVED), claim, 0)
        settled = np.where(paid[of], np.where(limit == STOCK, 1, amount[of]), 0)
        pool = tuple(
            Standing(
                terms.name,
                terms.is_count,
                terms.at_most,
                terms.at_least,
                int(kept[limit == place].sum()),
                int(settled[limit == place].sum()),
                0,
            )
            for place, terms in enumerate(self.plan.expected.limits)
        )
        asks = int((now - START) / DAY * 24 * self.world.asks)
        observed = Observed(
            row=user,
            is_first=np.ones(count, dtype=np.bool_),
            offer=offer,
            state=state,
            cost=micros,
            face=face,
            amount=amount,
            version=np.zeros(count, dtype=np.int64),
            decided=at,
            expires=np.where(offer >= 0, at + HOLD, NEVER),
            claim_of=of,
            claim_limit=limit,
            claim=claim,
            pool=pool,
            asked=(("1", asks),) if asks else (),
            actions=(),
        )
        did = Outcomes(
            named=np.ones(len(self.bought), dtype=np.bool_),
            conversion=self.bought,
            spend=None,
            cost=None,
            offer=None,
            strangers=0,
        )
        return Look(
            expected=self.plan.expected,
            observed=observed,
            now=now,
            params=params,
            outcomes=did,
            yardstick=self.plan.yardstick,
        )


def _arrivals(plan: Plan, world: World, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Return when users come, in order, and who; more than there are come twice."""
    n, forecast = len(plan.held), plan.expected.forecast
    assert forecast is not None
    count = rng.poisson(n)
    share = np.sort(rng.random(count))
    hour = np.exp(rng.normal(0, world.noise, 24) - world.noise**2 / 2) if world.noise else None
    order = rng.permutation(n)
    user = np.where(np.arange(count) < n, order[np.arange(count) % n], STRANGER)
    part = np.interp(share, forecast.come, np.linspace(0, 1, len(forecast.come)))
    at = START + np.rint(part * DAY).astype(np.int64)
    late = share >= world.begin
    keep = np.where(late, world.volume, 1.0)
    keep = np.where(late & plan.region[user] & (user != STRANGER), keep * world.region, keep)
    if hour is not None:
        keep = keep * hour[((at - START) // (3600 * MICROS)).clip(0, 23)]
    times = np.floor(keep).astype(int) + (rng.random(count) < keep % 1)
    at, user = np.repeat(at, times), np.repeat(user, times)
    twice = np.append(False, user[1:] == user[:-1])
    return at, np.where(twice, STRANGER, user)


def _fitting(
    plan: Plan, at: IntArray, offer: IntArray, pays: IntArray, cost: FloatArray
) -> IntArray:
    """Return the offers that fit into the budget and the stock when their users come."""
    left = [float(plan.expected.limits[place].at_most or 0) for place in (BUDGET, STOCK)]
    left[BUDGET] /= MICROS
    ends: list[tuple[int, float, int]] = []
    offer = offer.copy()
    for number in np.flatnonzero(offer >= 0).tolist():
        now, mine = int(at[number]), int(offer[number] == 2)
        while ends and ends[0][0] <= now:
            _, back, one = heapq.heappop(ends)
            left[BUDGET] += back
            left[STOCK] += one
        price = float(cost[number])
        if price > left[BUDGET] or mine > left[STOCK]:
            offer[number] = -1
            continue
        left[BUDGET] -= price
        left[STOCK] -= mine
        paid = int(pays[number]) < NEVER
        back = price - (float(FACES[offer[number]]) if paid else 0.0)
        heapq.heappush(ends, (min(int(pays[number]), now + HOLD), back, 0 if paid else mine))
    return offer


def onset_of(plan: Plan, world: World) -> int:
    assert plan.expected.forecast is not None
    return plan.expected.forecast.moment(world.begin)


def _claims(
    given: IntArray, offer: IntArray, micros: IntArray, region: BoolArray
) -> tuple[IntArray, IntArray, IntArray]:
    stock, floor = given[offer[given] == 2], given[region[given]]
    of = np.concatenate([given, stock, floor])
    limit = np.repeat([BUDGET, STOCK, FLOOR], [len(given), len(stock), len(floor)])
    claim = np.concatenate([micros[given], np.ones(len(stock), dtype=np.int64), micros[floor]])
    return of, limit, claim


def _place(state: State) -> int:
    return [*State].index(state)
