"""Campaigns in virtual time: users come, are decided on, and redeem, through a real ledger."""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from incentive_engine.domain import MICROS
from incentive_engine.live.actions import Change
from incentive_engine.live.campaign import Choice
from incentive_engine.live.forecast import ArrivalForecast
from incentive_engine.live.ledger.commands import (
    Act,
    Actions,
    Answer,
    Decided,
    Pool,
    Publish,
    Redeem,
    Reserve,
    ShowPool,
)
from incentive_engine.live.ledger.ledger import Ledger
from incentive_engine.live.ledger.records import Action, Verb
from incentive_engine.live.ledger.stores.sqlite_store import SQLiteStore
from incentive_engine.live.opening import open_campaign
from incentive_engine.live.repricing import Current, Repricer
from service.runs import plan, solved

HOLD, STEP = 900 * MICROS, 300 * MICROS
DAY = {"start": "2026-11-11 00:00", "end": "2026-11-12 00:00", "traffic": "daily"}
LEAKED = Choice("a", "offered", 2 * MICROS, 10 * MICROS, (), 1.0)
"""An offer as somebody gives it who should not."""
_numbers = itertools.count()


@dataclass(kw_only=True)
class World:
    """How a campaign departs from its plan.

    Attributes
    ----------
    volume
        Users who come, over the forecast.
    redeemed
        Offer to how many times its forecast is redeemed.
    leaks
        Users of the holdout who get an offer after all.
    hold
        For how long an offer stays reserved, microseconds.
    every
        Microseconds after which prices are solved anew, first at the start; offers are then
        redeemed at a random moment of their hold. None: the plan's prices stay, and what is
        redeemed is at once.
    begin
        Share of the traffic from which on `volume` and `redeemed` hold.
    """

    run: Path
    ledger: Path
    seed: int = 0
    volume: float = 1.0
    redeemed: dict[str, float] = field(default_factory=dict)
    leaks: int = 0
    hold: int = HOLD
    every: int | None = None
    begin: float = 0.0

    def __post_init__(self) -> None:
        self.campaign = open_campaign(self.run)
        policy = self.campaign.frozen.policy
        assert policy.campaign is not None
        self.forecast = ArrivalForecast.of(policy.campaign, policy.timezone)
        self.rows = plan(self.run)
        self.rng = np.random.default_rng(self.seed)
        expected = len(self.rows) * policy.campaign.share
        come = self.rng.permutation(len(self.rows))
        early = round(expected * self.begin)
        count = min(early + round((expected - early) * self.volume), len(come))
        at = np.concatenate(
            [
                np.sort(self.rng.uniform(0.0, self.begin, size=early)),
                np.sort(self.rng.uniform(self.begin, 1.0, size=count - early)),
            ]
        )
        self.visits = [(self.forecast.moment(s), int(u)) for s, u in zip(at, come, strict=False)]
        self.now = self.forecast.start
        self.onset = self.forecast.moment(self.begin)
        self.current: Current | None = None
        self.repricer = Repricer.of(self.campaign, str(self.ledger), hold=self.hold)
        self._later: list[tuple[int, int, Redeem]] = []

    def play(self, share: float) -> int:
        """Let users come until a share of the forecast's traffic is over; return that moment."""
        until = self.forecast.moment(share)
        book = Ledger(SQLiteStore(self.ledger, self.campaign.terms, secret=bytes(16)))
        due = [(at, user) for at, user in self.visits if self.now <= at < until]
        step = STEP
        for begin in range(self.now, until, step):
            self._reprice(book, begin)
            some = [(at, user) for at, user in due if begin <= at < begin + step]
            asked = [self._reserve(user) for _, user in some]
            answers = book.apply(asked, min(begin + step // 2, until))
            self._redeem(book, self._redemptions(answers, begin), begin, min(begin + step, until))
        book.apply([], until)
        book.close()
        self.now = until
        return self.now

    def act(self, change: Change, name: str = "Li") -> Action:
        """Accept a change, as a planner would; the campaign obeys as a server would."""
        book = Ledger(SQLiteStore(self.ledger, self.campaign.terms, secret=bytes(16)))
        act = Act("traffic_above", Verb.ACCEPTED, name, change.to_json(), 0)
        (answer,) = book.apply([act], self.now)
        book.close()
        assert isinstance(answer, Actions)
        self.campaign.obey(change)
        return answer.actions[0]

    def _reprice(self, book: Ledger, now: int) -> None:
        """Give the campaign new prices where they are due, as a server would."""
        if self.every is None:
            return
        solved = self.forecast.start - self.every if self.current is None else self.current.solved
        if now - solved < self.every:
            return
        (pool,) = book.apply([ShowPool()], now)
        assert isinstance(pool, Pool)
        assert self.repricer is not None
        # a moment later, since a campaign's first is none of it
        fresh = self.repricer.reprice(pool, now + 1, self.campaign.prices, self.current)
        self.current, self.campaign.prices = fresh, fresh.prices
        book.apply([Publish(fresh.prices.version, fresh.content())], now)

    def _redeem(self, book: Ledger, redemptions: list[Redeem], begin: int, until: int) -> None:
        """Redeem what is redeemed of a step's offers, and of earlier ones by the step's end."""
        if self.every is None:
            book.apply(redemptions, until)
            return
        for redeem in redemptions:
            # by the end of a step that ends within the hold
            at = begin + int(self.rng.uniform() * (self.hold - STEP))
            heapq.heappush(self._later, (at, next(_numbers), redeem))
        due = []
        while self._later and self._later[0][0] <= until:
            due.append(heapq.heappop(self._later)[-1])
        book.apply(due, until)

    def _reserve(self, user: int) -> Reserve:
        row = self.rows[user]
        choice = self.campaign.choose(row["user_id"])
        assert choice is not None
        if row["reason"] == "holdout" and self.leaks > 0:
            self.leaks -= 1
            choice = LEAKED
        return Reserve(
            key=hashlib.blake2b(b"%d" % next(_numbers), digest_size=16).digest(),
            digest=b"",
            user_id=str(row["user_id"]),
            offer_id=choice.offer_id,
            reason=choice.reason,
            scene=None,
            cost=choice.cost,
            face=choice.face,
            claims=choice.claims,
            hold=self.hold,
            until=None,
            prices_version=self.campaign.prices.version,
            propensity=1.0,
        )

    def _redemptions(self, answers: Sequence[Answer], now: int) -> list[Redeem]:
        found = []
        for answer in answers:
            assert isinstance(answer, Decided)
            decision = answer.decision
            if decision.offer_id is None:
                continue
            ratio = self.redeemed.get(decision.offer_id, 1.0) if now >= self.onset else 1.0
            if self.rng.random() < ratio * decision.cost / decision.face:
                found.append(Redeem(answer.name, decision.face, b"", b""))
        return found


def of_faces(folder: Path, users: int = 3000) -> Path:
    """Return a run of a day to which half of the users come, its budget held at face value."""
    budget = {"amount": 0.4 * users, "basis": "face"}
    demands = {"holdout": 0.1, "limits": []}
    day = {**DAY, "share": 0.5}
    return solved(folder, users=users, budget=budget, demands=demands, campaign=day)


def planned(folder: Path, users: int = 3000, holdout: float = 0.1) -> Path:
    """Return a run of a day that is decided live, with a budget that binds and a floor."""
    demands = {
        "holdout": holdout,
        "limits": [
            {"name": "stock", "sum": "issued", "offers": ["b"], "at_most": users // 10},
            {"name": "north floor", "sum": "cost", "where": {"region": "north"},
             "at_least": 0.3 * users},
        ]
    }  # fmt: skip
    return solved(
        folder, users=users, budget={"amount": 0.8 * users}, demands=demands, campaign=DAY
    )
