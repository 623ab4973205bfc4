"""Lines of JSON on standard error: what happened, never to whom."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TextIO


class Log:
    """Writes one line per event.

    Parameters
    ----------
    requests
        Whether every request is an event; otherwise those that failed on our side are.
    """

    def __init__(self, *, requests: bool, stream: TextIO | None = None) -> None:
        self._requests = requests
        self._stream = stream or sys.stderr

    def event(self, name: str, **figures: str | float | None) -> None:
        """Write an event with its figures."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": now, "event": name, **figures}, ensure_ascii=False)
        self._stream.write(line + "\n")
        self._stream.flush()

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Write a request: its route, not its path, since that may name a user."""
        if self._requests or status >= 500:
            ms = round(seconds * 1000, 3)
            self.event("request", route=route, method=method, status=status, ms=ms)
