"""The steps of a run: their names, their seconds, and who is told that one begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

Progress = Callable[[str], AbstractContextManager[object]]
"""Gets a step's name and is left when the step ends; a terminal shows the name meanwhile."""


def quiet(_step: str) -> AbstractContextManager[None]:
    """Show nothing."""
    return nullcontext()


Count = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Gets how many things there are to do, and gives whom to tell that some more are done."""


def uncounted(_total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show nothing."""
    return nullcontext(lambda _done: None)


@dataclass(slots=True)
class Steps:
    """Measures each step, and tells of it while it runs."""

    progress: Progress = quiet
    seconds: dict[str, float] = field(default_factory=dict)
    """Step to wall-clock seconds, in the order in which they ended."""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step."""
        started = time.perf_counter()
        with self.progress(name):
            yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
