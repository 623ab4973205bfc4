"""Threads that work beside the main one, and end soon when what they work for has ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

_ended = threading.Event()


@contextmanager
def side_threads() -> Iterator[ThreadPoolExecutor]:
    """Give threads that are asked to stop when the block ends by an exception.

    Without that Ctrl-C would wait for all that was begun. They notice it at their next pass over
    the users (`go_on`), and clean up on their way out; later work is not asked to stop.
    """
    try:
        with ThreadPoolExecutor() as side:
            try:
                yield side
            except BaseException:
                _ended.set()
                raise
    finally:
        _ended.clear()


def go_on() -> None:
    """Return, unless this thread works for something that has ended.

    Raises
    ------
    KeyboardInterrupt
        In a thread other than the main one, once the block of `side_threads` has ended by an
        exception.
    """
    if _ended.is_set() and threading.current_thread() is not threading.main_thread():
        raise KeyboardInterrupt
