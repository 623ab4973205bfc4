"""The process that writes a ledger: group commit over a Unix socket.

All commands that came while the last transaction was being written are the next one. A process of
its own, since a thread beside the one that speaks HTTP would wait for it half of the time. It ends
when its parent closes the pipe to it, or ends itself, and after a transaction that failed: what a
disk has after a failed write is known only to a new process that reads it.

Run as ``python -m incentive_engine.live.writing.writer``; standard input begins with one line of
JSON, a `Job`; standard output answers with one line, ``ready`` or what is wrong. Others before it
say how far an older one is brought up to date: ``step`` with its ``parts``, then those ``done``.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import msgspec

from incentive_engine.errors import IncentiveError
from incentive_engine.live.ledger.clock import Clock
from incentive_engine.live.ledger.commands import Answer, Command, Refused
from incentive_engine.live.ledger.ledger import Ledger, open_store
from incentive_engine.live.ledger.stores.store import HeldError, Store, Terms, UnavailableError
from incentive_engine.live.writing.wire import Commit, Frames, answers_frame, read_commands
from incentive_engine.parallel import Advance


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a writer does: which ledger, for which run, on which socket it listens."""

    ledger: str
    terms: Terms
    socket: str


@dataclass(slots=True, kw_only=True, eq=False)
class Peer:
    """One connection: what came of the next frame, and what was not sent yet."""

    connection: socket.socket
    frames: Frames = field(default_factory=Frames)
    out: bytearray = field(default_factory=bytearray)


Asked = tuple[Peer, int, Command]


class Writer:
    """Takes commands from its peers, and answers once what they changed is durable."""

    TICK: ClassVar = 0.25
    """Seconds after which what has run out is looked for, so that it is free within one."""

    def __init__(self, ledger: Ledger, listener: socket.socket, *, control: int | None) -> None:
        self._ledger = ledger
        self._listener = listener
        self._clock = Clock()
        self._asked: list[Asked] = []
        self._is_stopping = False
        self._worked = self._ticked = time.monotonic()
        self._is_rested = True
        self._select = selectors.DefaultSelector()
        listener.setblocking(False)
        self._select.register(listener, selectors.EVENT_READ)
        if control is not None:
            self._select.register(control, selectors.EVENT_READ)

    def stop(self) -> None:
        """End once all that has been asked is answered."""
        self._is_stopping = True

    def run(self) -> None:
        """Serve until stopped.

        Raises
        ------
        UnavailableError
            After a transaction that failed; its commands have been refused.
        """
        while not self._is_stopping:
            self._turn(self.TICK)
        # once more, without waiting: what came before the stop is answered
        self._turn(0.0)

    def _turn(self, seconds: float) -> None:
        for key, events in self._select.select(seconds):
            if key.fileobj is self._listener:
                self._accept()
            elif key.data is None:
                self._is_stopping = True  # the parent has closed its end
                self._select.unregister(key.fileobj)
            else:
                self._serve(key.data, events)
        asked, self._asked = self._asked, []
        # commands of one transaction: in a larger one each waits for all the others
        batch = 512
        for start in range(0, len(asked), batch):
            self._commit(asked[start : start + batch])
        self._tick()

    def _tick(self) -> None:
        """Expire what has run out, and use a pause for the log."""
        now = time.monotonic()
        if now - self._ticked >= self.TICK:
            self._ticked = now
            # no command, but what is due is expired with every batch
            self._ledger.apply([], self._clock.now())
        # seconds without work after which the log is brought into the file
        idle = 1.0
        if not self._is_rested and now - self._worked >= idle:
            self._is_rested = True
            self._ledger.store.rest()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        peer = Peer(connection=connection)
        self._select.register(connection, selectors.EVENT_READ, peer)

    def _serve(self, peer: Peer, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                self._send(peer, b"")
            if events & selectors.EVENT_READ:
                # more would be mapped by the system each time, and unmapped
                data = peer.connection.recv(1 << 16)
                if not data:
                    raise ConnectionResetError
                for content in peer.frames.feed(data):
                    asked = read_commands(content)
                    self._asked += [(peer, number, command) for number, command in asked]
        except (OSError, ValueError):
            self._drop(peer)

    def _drop(self, peer: Peer) -> None:
        """Forget a peer that went away, or that sent what is no command."""
        with contextlib.suppress(KeyError):
            self._select.unregister(peer.connection)
        peer.connection.close()

    def _commit(self, asked: Sequence[Asked]) -> None:
        started = time.perf_counter_ns()
        try:
            answers = self._ledger.apply([command for _, _, command in asked], self._clock.now())
        except UnavailableError as error:
            refused: list[Answer] = [Refused("unavailable", str(error))] * len(asked)
            self._answer(asked, refused, Commit(0, len(asked)))
            raise
        micros = (time.perf_counter_ns() - started) // 1000
        self._answer(asked, answers, Commit(micros, len(asked)))
        self._worked, self._is_rested = time.monotonic(), False

    def _answer(self, asked: Sequence[Asked], answers: Sequence[Answer], commit: Commit) -> None:
        by_peer: dict[int, tuple[Peer, list[tuple[int, Answer]]]] = {}
        for (peer, number, _), answer in zip(asked, answers, strict=True):
            # one frame a peer: a call of the system costs more than many answers
            by_peer.setdefault(id(peer), (peer, []))[1].append((number, answer))
        for peer, own in by_peer.values():
            try:
                self._send(peer, answers_frame(commit, own))
            except OSError:
                self._drop(peer)

    def _send(self, peer: Peer, data: bytes) -> None:
        """Send what can be sent now, and the rest when the peer reads again."""
        was_full = bool(peer.out)
        peer.out += data
        with contextlib.suppress(BlockingIOError):
            while peer.out:
                del peer.out[: peer.connection.send(peer.out)]
        is_full = bool(peer.out)
        if is_full != was_full and peer.connection.fileno() >= 0:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if is_full else 0)
            self._select.modify(peer.connection, events, peer)


def main() -> int:
    """Do the job that standard input names."""
    line = sys.stdin.buffer.readline()
    if not line:  # whoever launched it has ended, or has no job for it
        return 0
    job = msgspec.json.decode(line, type=Job)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, which stops us
    # the exit code after a transaction that failed
    failed = 4
    # until it is ready: ends, with the ledger as it was, once nobody reads how far it is
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        store = _opened(job)
    except IncentiveError as error:
        faults = [
            [str(f.where), str(f.what), str(f.expected), str(f.remedy)] for f in error.faults
        ]
        _say({"error": faults, "is_lasting": not isinstance(error, UnavailableError)})
        return failed
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        Path(job.socket).unlink()
    listener.bind(job.socket)
    listener.listen(128)
    store.announce(job.socket)
    writer = Writer(Ledger(store), listener, control=sys.stdin.fileno())
    signal.signal(signal.SIGTERM, lambda *_: writer.stop())
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # collections look at what came since, and take no time
    _say({"ready": os.getpid()})
    try:
        writer.run()
    except UnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return failed
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(job.socket).unlink()
    store.close()
    return 0


def _opened(job: Job) -> Store:
    """Open the ledger, once a writer before this one has ended."""
    # seconds that a ledger may still be held by a writer that is about to end
    handover = 5.0
    until = time.monotonic() + handover
    while True:
        try:
            return open_store(job.ledger, job.terms, _shown)
        except HeldError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@contextmanager
def _shown(step: str, parts: float = 0) -> Iterator[Advance]:
    """Tell whoever launched the process how far a step is."""
    _say({"step": step, "parts": parts})
    yield lambda more: _say({"done": more})


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
