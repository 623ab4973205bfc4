"""Any commands in any order: the ledger does what thirty lines over dictionaries do."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from incentive_engine.live.ledger.commands import Answer, Decided, Refused, Reserve
from incentive_engine.live.ledger.ledger import Ledger

from .ledgers import BUDGET, HOLD, START, STOCK, YUAN, cancel, key, ledger, pool, redeem, reserve

CAPS = {BUDGET: 100 * YUAN, STOCK: 2}
MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory
USERS = st.sampled_from(["a", "b", "c", "d", "e"])
COSTS = st.sampled_from([0, 1, 30 * YUAN, 50 * YUAN])


class Model:
    """The rules of a ledger, as short as they can be said."""

    def __init__(self) -> None:
        self.offers: list[dict[str, int | str]] = []
        self.answers: dict[bytes, tuple[int, str]] = {}

    def used(self, limit: int) -> int:
        counts = {"reserved": ("cost", 1), "redeemed": ("amount", 1)}
        used = 0
        for offer in self.offers:
            if offer["state"] in counts:
                name, one = counts[str(offer["state"])]
                used += one * int(offer["stock"]) if limit == STOCK else int(offer[name])
        return used

    def expire(self, now: int) -> None:
        for offer in self.offers:
            if offer["state"] == "reserved" and int(offer["until"]) <= now:
                offer["state"] = "expired"

    def reserve(self, user: str, cost: int, stock: int, now: int) -> int:
        for place, offer in enumerate(self.offers):
            if offer["user"] == user and offer["state"] in {"reserved", "redeemed"}:
                return place
        fits = self.used(BUDGET) + cost <= CAPS[BUDGET]
        fits &= not stock or self.used(STOCK) + stock <= CAPS[STOCK]
        state = "reserved" if fits else "none"
        fresh: dict[str, int | str] = {"user": user, "state": state, "amount": 0}
        self.offers.append(fresh | {"cost": cost, "stock": stock, "until": now + HOLD})
        return len(self.offers) - 1

    def end(self, place: int, state: str, amount: int) -> bool:
        offer = self.offers[place]
        if offer["state"] == "reserved":
            offer |= {"state": state, "amount": amount}
        return offer["state"] == state


class LedgerMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        memory = MEMORY if MEMORY.is_dir() else None  # what is tested here needs no disk
        self.folder = tempfile.TemporaryDirectory(dir=memory)
        self.ledger = self.open()
        self.start_others()
        self.model = Model()
        self.names: list[str] = []
        self.sent: list[tuple[Reserve, Answer]] = []
        self.now = START

    def open(self) -> Ledger:
        return ledger(Path(self.folder.name) / "ledger")

    def start_others(self) -> None:
        """Start other servers of the ledger, where there can be some."""

    @rule(user=USERS, cost=COSTS, stock=st.integers(0, 1))
    def decide(self, user: str, cost: int, stock: int) -> None:
        claims = ((BUDGET, cost), *([(STOCK, 1)] if stock else []))
        command = reserve(user, cost=cost, face=50 * YUAN, claims=claims)
        self.model.expire(self.now)
        place = self.model.reserve(user, cost, stock, self.now)
        (answer,) = self.ledger.apply([command], self.now)
        assert isinstance(answer, Decided)
        assert answer.decision.state == self.model.offers[place]["state"]
        if place == len(self.names):
            self.names.append(answer.name)
        assert answer.name == self.names[place]
        self.sent.append((command, answer))

    @rule(data=st.data(), amount=st.integers(0, 50).map(lambda yuan: yuan * YUAN))
    def redeem(self, data: st.DataObject, amount: int) -> None:
        self._end(data, "redeemed", amount)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self._end(data, "cancelled", 0)

    def _end(self, data: st.DataObject, state: str, amount: int) -> None:
        if not self.names:
            return
        place = data.draw(st.integers(0, len(self.names) - 1))
        self.model.expire(self.now)
        is_done = self.model.end(place, state, amount)
        name = self.names[place]
        command = redeem(name, amount) if state == "redeemed" else cancel(name)
        (answer,) = self.ledger.apply([command], self.now)
        assert isinstance(answer, Decided if is_done else Refused)

    @rule(seconds=st.integers(-5, 70))
    def wait(self, seconds: int) -> None:
        self.now = max(self.now, self.now + seconds * YUAN)
        self.ledger.apply([], self.now)
        self.model.expire(self.now)

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        if self.sent:
            command, answer = data.draw(st.sampled_from(self.sent))
            assert self.ledger.apply([command], self.now) == [answer]
            other = command._replace(digest=key("another body"))
            assert self.ledger.apply([other], self.now) == [Refused("key_reused")]
            self.model.expire(self.now)

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.ledger = self.open()

    @invariant()
    def sums_agree(self) -> None:
        if hasattr(self, "model"):
            self.model.expire(self.now)
            sums = pool(self.ledger, self.now)
            for limit in CAPS:
                assert sum(sums[limit]) == self.model.used(limit)

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            self.folder.cleanup()


TestLedgerAgainstModel = LedgerMachine.TestCase
TestLedgerAgainstModel.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
