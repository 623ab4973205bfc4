"""Asks the process that writes a ledger, from a thread or from an event loop."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from typing import cast

from incentive_engine.live.ledger.commands import Answer, Command, Refused
from incentive_engine.live.writing.wire import Commit, Frames, commands_frame, read_answers

GONE = "the writer of the ledger has ended; what was asked may or may not have been done"


class Client:
    """Asks a writer, and waits for its answers."""

    def __init__(self, path: str, *, seconds: float = 30.0) -> None:
        """Connect to a writer's socket.

        Raises
        ------
        OSError
            When nobody listens there.
        """
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(seconds)
        self._socket.connect(path)
        self._frames = Frames()

    def ask(self, commands: Sequence[Command]) -> list[Answer]:
        """Return the answers, in the order of the commands.

        Raises
        ------
        OSError
            When the writer ends meanwhile; what was asked may or may not have been done.
        """
        self._socket.sendall(commands_frame(enumerate(commands)))
        answers: dict[int, Answer] = {}
        while len(answers) < len(commands):
            data = self._socket.recv(1 << 20)
            if not data:
                raise ConnectionResetError(GONE)
            for content in self._frames.feed(data):
                answers |= dict(read_answers(content)[1])
        return [answers[number] for number in range(len(commands))]

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


class AsyncClient(asyncio.Protocol):
    """Asks a writer from an event loop; what one turn of the loop asks goes out as one frame.

    Attributes
    ----------
    on_commit
        Called with what each transaction took.
    """

    def __init__(self, on_commit: Callable[[Commit], None]) -> None:
        self.on_commit = on_commit
        self._transport: asyncio.WriteTransport | None = None
        self._frames = Frames()
        self._number = 0
        self._outbox: list[tuple[int, Command]] = []
        self._waiting: dict[int, tuple[asyncio.Future[Answer], float]] = {}

    async def ask(self, command: Command) -> Answer:
        """Return the answer; `Refused` as unavailable when the writer ends before.

        The same once `expire` finds that it took too long: a timer for each command would take
        longer than the rest of asking.
        """
        if self._transport is None or self._transport.is_closing():
            return Refused("unavailable", GONE)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._number += 1
        self._waiting[self._number] = (future, time.monotonic())
        if not self._outbox:
            loop.call_soon(self._flush)
        self._outbox.append((self._number, command))
        return await future

    def expire(self, seconds: float) -> None:
        """Refuse what has waited for so long; it may be done all the same."""
        until = time.monotonic() - seconds
        for future, since in self._waiting.values():
            if since > until:
                break
            if not future.done():
                late = f"the ledger has not answered within {seconds:g} s"
                future.set_result(Refused("unavailable", late))

    @property
    def waiting(self) -> int:
        """How many commands wait for their answer."""
        return len(self._waiting)

    @property
    def lag(self) -> float:
        """For how many seconds the oldest of them has."""
        oldest = next(iter(self._waiting.values()), None)
        return 0.0 if oldest is None else time.monotonic() - oldest[1]

    @property
    def is_connected(self) -> bool:
        """Whether there is a writer."""
        return self._transport is not None

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        outbox, self._outbox = self._outbox, []
        if self._transport is not None:
            self._transport.write(commands_frame(outbox))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to ask."""
        # uvloop's transports are none of asyncio's classes, but do what those do
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand out the answers that came."""
        for content in self._frames.feed(data):
            commit, answers = read_answers(content)
            self.on_commit(commit)
            for number, answer in answers:
                future, _ = self._waiting.pop(number)
                if not future.done():
                    future.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Refuse all that waits: whether it was done is not known."""
        del exc
        self._transport = None
        waiting, self._waiting = self._waiting, {}
        for future, _ in waiting.values():
            if not future.done():
                future.set_result(Refused("unavailable", GONE))
