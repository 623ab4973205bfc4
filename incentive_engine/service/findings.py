"""What a planner should know of the pool while it is spent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from incentive_engine.live.amounts import decimal_text
from incentive_engine.live.commands import Pool, Standing
from incentive_engine.service.bodies import FindingBody

NEARLY: Final = 0.95
"""The share of a cap from which it is said to be nearly used up."""


def of_pool(pool: Pool, *, restarts: int) -> list[FindingBody]:
    """Return what can be seen from the limits, and from how the ledger was written."""
    found = list(_of_limits(pool))
    if restarts:
        figures = {"restarts": str(restarts)}
        found.append(FindingBody(key="writer_restarted", severity="warning", figures=figures))
    return found


def _of_limits(pool: Pool) -> Iterator[FindingBody]:
    for limit in pool.limits:
        if limit.at_most is None:
            continue
        used = limit.reserved + limit.margin + limit.settled
        if used > limit.at_most:
            yield _finding("overdrawn", "error", limit, used)
        elif used >= NEARLY * limit.at_most:
            yield _finding("nearly_used_up", "warning", limit, used)


def _finding(kind: str, severity: str, limit: Standing, used: int) -> FindingBody:
    def text(amount: int) -> str:
        return str(amount) if limit.is_count else decimal_text(amount)

    figures = {"used": text(used), "at_most": text(limit.at_most or 0)}
    return FindingBody(key=f"{kind}:{limit.name}", severity=severity, figures=figures)
