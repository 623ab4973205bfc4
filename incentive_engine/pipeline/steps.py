"""The steps of a run: their names, their seconds, and the line that shows on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Steps:
    """Measures each step and shows the current one on a terminal; quiet elsewhere."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Step to wall-clock seconds, in the order in which they ended."""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step and show its name while it runs."""
        started = time.perf_counter()
        with _shown(name):
            yield
        self.seconds[name] = round(time.perf_counter() - started, 3)


@contextmanager
def _shown(name: str) -> Iterator[None]:
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{name} …"):
        yield
