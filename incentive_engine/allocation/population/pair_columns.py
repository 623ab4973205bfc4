"""The users' pairs in the form that the compiled loops read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.kernels import pair_kernels
from incentive_engine.allocation.population.units import Units
from incentive_engine.data import memory
from incentive_engine.data.tables.scratch import is_mapped, let_go
from incentive_engine.domain import Columns, IntArray
from incentive_engine.fleet import usable_cores
from incentive_engine.parallel import go_on

_alone: ContextVar[bool] = ContextVar("alone", default=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairColumns(Units):
    """The pairs in the form that the kernels read.

    Attributes
    ----------
    value, columns, cell, key
        As in `Problem`.
    """

    value: Columns
    columns: Columns
    cell: npt.NDArray[Any]
    key: npt.NDArray[np.uint64]

    @property
    def n(self) -> int:
        """How many users there are."""
        return int(self.value.shape[1])

    @property
    def kind(self) -> np.dtype[Any]:
        """The columns' type."""
        return self.value.dtype

    @property
    def pairs(self) -> pair_kernels.KernelColumns:
        """The columns as the kernels read them."""
        return pair_kernels.KernelColumns(
            value=self.value,
            columns=self.columns,
            cell=self.cell,
            order=self.order,
            scale=self.scale,
            cost=self.cost,
            forced=self.forced,
        )

    def taken(self, columns: Columns, index: IntArray) -> Columns:
        """Return (k, N) some users' entries of columns, in canonical order."""
        taken = np.empty((self.k, len(index)), dtype=columns.dtype)
        in_parts(
            lambda start, stop, out: pair_kernels.take_columns(
                columns, self.order, index, start, stop, out
            ),
            n=len(index),
            make=lambda: taken,
        )
        return taken


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
    parts = max(at_once, -(-n // memory.MEMORY.mapped_users)) if is_mapped() else at_once
    edges = [n * part // parts for part in range(parts + 1)]
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


def shared_fields(units: Units) -> dict[str, Any]:
    """Return the fields of units by name, for what has them and more."""
    return {field.name: getattr(units, field.name) for field in fields(Units)}


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
