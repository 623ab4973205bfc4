"""Tasks for executors, which import them by name."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from incentive_engine.errors import DataError, Fault


def double(number: int) -> int:
    return 2 * number


def refuse_three(number: int) -> int:
    """Say that the third shard is wrong: the same however often it is tried."""
    if number == 3:
        raise DataError(Fault("shard 3", "holds no users", remedy="look at the table"))
    return number


def fail(number: int) -> int:
    raise RuntimeError(f"shard {number} cannot be done")


@dataclass(frozen=True)
class FailAtFirst:
    """Fails as often as there are marks to be made, then gives the number."""

    folder: str
    times: int
    kill: bool = False
    """Whether the worker process goes with it."""

    def __call__(self, number: int) -> int:
        marks = Path(self.folder)
        made = len(list(marks.glob(f"{number}-*")))
        if number == 1 and made < self.times:
            (marks / f"{number}-{made}").touch()
            if self.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("not yet")
        return number
