"""Clients that never give up, against servers that are killed, and what they must have seen.

Each client decides, redeems, cancels, looks and repeats itself over a connection of its own; when
a server is gone it asks again, with the same key, the next one. All that was answered is kept,
with the moments at which it was first asked and last answered, and judged afterwards: a key has
one answer, what ended stays so, and the numbers of decisions follow the order in which they were
made, as far as a clock can tell.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

GONE = (OSError, asyncio.IncompleteReadError, TimeoutError)
ENDS = ("redeemed", "cancelled", "expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: first asked, answered, and what was said."""

    asked: float
    answered: float
    path: str
    key: str
    status: int
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(kw_only=True)
class Load:
    """Clients and what they were told.

    Attributes
    ----------
    ports
        Of the servers, any of which may answer.
    users
        Whom they decide for; fewer than decisions, so that clients meet.
    """

    ports: Sequence[int]
    users: Sequence[Any]
    seed: int
    calls: list[Call] = field(default_factory=list)
    decided: list[tuple[str, str, Any]] = field(default_factory=list)
    """Key, decision and user of what was decided."""
    is_over: bool = False
    _keys: itertools.count[int] = field(default_factory=itertools.count)

    async def run(self, clients: int) -> None:
        """Let clients work until it is over."""
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(self._client(random.Random(f"{self.seed} {number}")))  # noqa: S311 - a load

    async def _client(self, rng: random.Random) -> None:
        line = Line(self.ports, rng)
        while not self.is_over:
            await self._act(line, rng)
        line.close()

    async def _act(self, line: Line, rng: random.Random) -> None:
        key, user = f"{self.seed}-{next(self._keys)}", rng.choice(self.users)
        if self.decided and rng.random() < 0.1:
            key, _, user = rng.choice(self.decided)
        call = await self.call(line, "POST", "/v1/decisions", {"user_id": user}, key)
        name = call.json["decision_id"]
        self.decided.append((key, name, user))
        for part in rng.choice(
            ["", "find", "redeem find", "cancel find", "redeem redeem"]
        ).split():
            path = f"/v1/decisions/{name}"
            if part == "find":
                await self.call(line, "GET", path)
            else:
                body = {"amount": "0.01"} if part == "redeem" else {}
                await self.call(line, "POST", f"{path}/{part}", body)

    async def call(
        self, line: Line, method: str, path: str, body: Any = None, key: str = ""
    ) -> Call:
        """Ask until there is an answer."""
        asked = time.monotonic()
        while True:
            try:
                status, content = await asyncio.wait_for(line.ask(method, path, body, key), 10)
            except GONE:
                line.close()
                await asyncio.sleep(0.02)
                continue
            if status != 503:
                break
            await asyncio.sleep(0.02)
        assert status in {200, 409}, (method, path, content)
        answered = time.monotonic()
        call = Call(
            asked=asked, answered=answered, path=path, key=key, status=status, content=content
        )
        self.calls.append(call)
        return call


class Line:
    """A connection to one of the servers, made anew when it breaks."""

    def __init__(self, ports: Sequence[int], rng: random.Random) -> None:
        self._ports, self._rng = ports, rng
        self._out: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, body: Any, key: str) -> tuple[int, bytes]:
        if self._out is None:
            port = self._rng.choice(self._ports)
            self._in, self._out = await asyncio.open_connection("127.0.0.1", port)
        content = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(content)}"]
        head += [f"Idempotency-Key: {key}"] if key else []
        self._out.write("\r\n".join([*head, "", ""]).encode() + content)
        await self._out.drain()
        top = (await self._in.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(top.partition("content-length: ")[2].split("\r\n")[0])
        return int(top.split()[1]), await self._in.readexactly(size)

    def close(self) -> None:
        if self._out is not None:
            self._out.close()
            self._out = None


def judge(calls: Sequence[Call]) -> None:
    """See that the answers could have been given one after the other.

    The ledger's own numbers are the order that is claimed, so it is enough to hold it to the
    clock: what was answered before something else was asked has the smaller number.
    """
    answers: dict[str, bytes] = {}
    for call in calls:
        if call.key:
            assert answers.setdefault(call.key, call.content) == call.content, (
                "a key's answer changed"
            )
    _expect_order([call for call in calls if call.key])
    _expect_ends([call for call in calls if not call.key])


def _expect_order(decisions: Sequence[Call]) -> None:
    """Hold new decisions to the clock; what was decided before shows an older number."""
    told: dict[int, list[Call]] = {}
    for call in decisions:
        number = int(call.json["decision_id"][1:].partition("-")[0], 16)
        told.setdefault(number, []).append(call)
    latest = 0.0
    for _, calls in sorted(told.items()):
        # a decision of a smaller number was not asked for after this one had been answered; who
        # asked first may be told last, when a kill lost the answer and another asked for the user
        first = min(call.answered for call in calls)
        assert latest <= first, "a later decision has a smaller number"
        latest = max(latest, min(call.asked for call in calls))


def _expect_ends(calls: Sequence[Call]) -> None:
    """See that an end, once told, is what everybody who asks later is told."""
    by_decision: dict[str, list[Call]] = {}
    for call in calls:
        by_decision.setdefault(call.path.split("/")[3], []).append(call)
    for told in by_decision.values():
        ends = [(call, call.json["state"]) for call in told if call.status == 200]
        closed = [(call, state) for call, state in ends if state in ENDS]
        assert len({state for _, state in closed}) <= 1, "an offer ended twice"
        amounts = {call.json["amount_micros"] for call, _ in closed}
        assert len(amounts) <= 1, "an amount changed"
        done = min((call.answered for call, _ in closed), default=float("inf"))
        late = [call for call, state in ends if state not in ENDS and call.asked > done]
        assert not late, "an end was taken back"
