"""Lets work in other threads end soon when what it was for has ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ended = threading.Event()


@contextmanager
def stopping_others() -> Iterator[None]:
    """Ask threads that work beside the main one to stop when the block ends by an exception.

    Without it Ctrl-C would wait for all that was begun. They notice it at their next pass over
    the users (`go_on`), and clean up on their way out.
    """
    _ended.clear()
    try:
        yield
    except BaseException:
        _ended.set()
        raise


def go_on() -> None:
    """Return, unless this thread works for something that has ended.

    Raises
    ------
    KeyboardInterrupt
        In a thread other than the main one, once `stopping_others` has ended by an exception.
    """
    if _ended.is_set() and threading.current_thread() is not threading.main_thread():
        raise KeyboardInterrupt
