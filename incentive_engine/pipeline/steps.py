"""The steps of a run: their names, their seconds, and who is told how far they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from incentive_engine.fleet import SharedWork
from incentive_engine.parallel import Advance, unheard

Progress = Callable[[str, float], AbstractContextManager[Advance]]
"""Gets a step's name and its number of parts, 0 where nobody can say, and gives whom to tell of
those that are done; it is left when the step ends."""


def quiet(_step: str, _parts: float = 0) -> AbstractContextManager[Advance]:
    """Show nothing."""
    return nullcontext(unheard)


@dataclass(slots=True)
class Steps:
    """Measures each step, and tells of it while it runs."""

    progress: Progress = quiet
    seconds: dict[str, float] = field(default_factory=dict)
    """Step to wall-clock seconds, in the order in which they ended."""
    shared: SharedWork | None = None
    """Who goes through users in shards; None for this process."""

    @contextmanager
    def step(self, name: str, parts: float = 0) -> Iterator[Advance]:
        """Time one step; yields whom to tell of its parts."""
        started = time.perf_counter()
        with self.progress(name, parts) as advance:
            yield advance
        self.seconds[name] = round(time.perf_counter() - started, 3)
