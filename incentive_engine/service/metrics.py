"""What a server counts, in the text format of Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from incentive_engine.live.ledger.commands import Pool
from incentive_engine.live.writing.wire import Commit


class Histogram:
    """How many durations fell below each bound."""

    BUCKETS: ClassVar = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0)
    """Upper bounds of the latencies, seconds."""

    def __init__(self) -> None:
        self.counts = [0] * (len(self.BUCKETS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count a duration."""
        self.counts[bisect_left(self.BUCKETS, seconds)] += 1
        self.total += seconds

    def lines(self, name: str) -> Iterator[str]:
        """Yield the metric's lines."""
        yield f"# TYPE {name} histogram"
        below = 0
        for bound, count in zip((*map(str, self.BUCKETS), "+Inf"), self.counts, strict=True):
            below += count
            yield f'{name}_bucket{{le="{bound}"}} {below}'
        yield f"{name}_sum {self.total:.6f}"
        yield f"{name}_count {below}"


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.decisions: Counter[str] = Counter()
        self.latency = Histogram()
        self.commits = Histogram()
        self.commands = 0

    def commit(self, commit: Commit) -> None:
        """Count a transaction of the writer."""
        self.commits.add(commit.micros / 1e6)
        self.commands += commit.commands

    def text(self, pool: Pool | None, *, lag: float, waiting: int, restarts: int) -> str:
        """Return all metrics."""
        return "\n".join([*self._lines(pool, lag, waiting, restarts), ""])

    def _lines(self, pool: Pool | None, lag: float, waiting: int, restarts: int) -> Iterator[str]:
        yield "# TYPE incentive_requests_total counter"
        for (route, status), count in sorted(self.requests.items()):
            labels = f'route="{_label(route)}",status="{status}"'
            yield f"incentive_requests_total{{{labels}}} {count}"
        yield "# TYPE incentive_decisions_total counter"
        for reason, count in sorted(self.decisions.items()):
            yield f'incentive_decisions_total{{reason="{reason}"}} {count}'
        yield from self.latency.lines("incentive_request_seconds")
        yield from self.commits.lines("incentive_commit_seconds")
        yield from _simple("incentive_commands_total", "counter", self.commands)
        yield from _simple("incentive_writer_restarts_total", "counter", restarts)
        yield from _simple("incentive_writer_lag_seconds", "gauge", round(lag, 6))
        yield from _simple("incentive_writer_waiting", "gauge", waiting)
        for state in ("reserved", "settled", "margin", "at_most"):
            yield f"# TYPE incentive_pool_{state} gauge"
            for limit in pool.limits if pool is not None else ():
                amount = getattr(limit, state)
                if amount is not None:
                    unit = 1 if limit.is_count else 1e6
                    name = f'incentive_pool_{state}{{limit="{_label(limit.name)}"}}'
                    yield f"{name} {amount / unit:.15g}"


def _simple(name: str, kind: str, value: float) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    yield f"{name} {value}"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
