"""Passes over users: on a few threads, each a range of them at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from incentive_engine.cores import usable_cores
from incentive_engine.data.tables.mapped_pages import let_go, parts_of
from incentive_engine.parallel import go_on

_alone: ContextVar[bool] = ContextVar("alone", default=False)


def in_parts(
    work: Callable[[int, int, Any], object], *, n: int, make: Callable[[], Any]
) -> list[Any]:
    """Run `work(start, stop, out)` on ranges of the users and return the outputs.

    With mapped columns there are more ranges than threads, so that few pages are held at a time.
    """
    # a stop is heard between passes; a pass itself takes a fraction of a second
    go_on()
    # 60_000: below this many users threads cost more than they save
    at_once = min(threads(), max(1, n // 60_000))
    # mapped columns: few pages at a time, however few threads there are
    parts = max(at_once, parts_of(n))
    edges = [n * edge // parts for edge in range(parts + 1)]
    outs = [make() for _ in range(parts)]

    def run(start: int, stop: int, out: object) -> None:
        work(start, stop, out)
        let_go()

    if at_once == 1:
        for start, stop, out in zip(edges[:-1], edges[1:], outs, strict=True):
            run(start, stop, out)
        return outs
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(run, edges[:-1], edges[1:], outs))
    return outs


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Let passes use this thread alone: beside it others work on other shards."""
    before = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(before)


def threads() -> int:
    """Return how many threads a sweep uses: `INCENTIVE_THREADS`, or the cores we may use."""
    if _alone.get():
        return 1
    asked = os.environ.get("INCENTIVE_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) > 0 else usable_cores()
