"""Ctrl-C and SIGTERM: a command that is asked to stop has ended two seconds later."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import ClassVar

from incentive_engine.data.tables.unfinished import leave_nothing
from incentive_engine.parallel import stop_heard


class Stop:
    """End what runs by an exception, once per stop, so that nothing half-written stays.

    A second one would end the wait for threads that remove what they had begun to write.
    """

    ONE_STOP: ClassVar = 10.0
    """Seconds within which another signal asks for the same stop, which is cleaning up."""

    def __init__(self) -> None:
        self._last = -self.ONE_STOP

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal, as Python calls handlers."""
        now = time.monotonic()
        if now - self._last < self.ONE_STOP:
            return
        self._last = now
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(exit_code(number))


def exit_code(number: int) -> int:
    """Return the exit code of a process that a signal ended."""
    return 128 + number


def signal_of(error: Exception) -> int | None:
    """Return the signal that an import failed of; None for each other error.

    A library of compiled code that is loaded just when a signal comes says that it could not be.

    >>> error = ImportError("initialization failed")
    >>> error.__cause__ = KeyboardInterrupt()
    >>> signal_of(error) == signal.SIGINT, signal_of(ImportError("no such file"))
    (True, None)
    """
    # an error of another kind while a stop cleans up is a defect, and is to be told as one
    seen: BaseException | None = error if isinstance(error, ImportError) else None
    while seen is not None:
        if isinstance(seen, KeyboardInterrupt):
            return signal.SIGINT
        if isinstance(seen, SystemExit):
            return signal.SIGTERM
        seen = seen.__cause__ or seen.__context__
    return None


@contextmanager
def ends_soon(stop: Stop) -> Iterator[None]:
    """End the process when the block has not ended soon after a signal.

    Python handles a signal between two of its own instructions, in the main thread. One that is
    inside a library, or waits for threads that are, would not hear it for as long as that takes.
    So a second thread learns of the signal too, from the pipe that Python writes each to.

    Parameters
    ----------
    stop
        The handler that is meant; a block that has set another, as servers do, ends as that says.
    """
    heard, written = socket.socketpair()
    written.setblocking(False)
    ended = threading.Event()
    stop_heard.clear()
    before = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(heard, stop, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(before)
        written.close()


def _watch(heard: socket.socket, stop: Stop, ended: threading.Event) -> None:
    with heard, suppress(OSError):
        # seconds that a command has to end by itself
        patience = 1.5
        while numbers := heard.recv(1):
            number = numbers[0]
            if number not in {signal.SIGINT, signal.SIGTERM}:
                continue
            if ended.wait(patience):
                return
            if signal.getsignal(number) is stop and not stop_heard.is_set():
                # whatever its other threads do
                leave_nothing(exit_code(number), "stopped; nothing half-written stays\n")
