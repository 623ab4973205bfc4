"""Re-checks what was answered to findings: their chain, and the caps that they moved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from incentive_engine.language import say
from incentive_engine.verify.result import CheckFindings


class ActionRow(NamedTuple):
    """An action as the ledger states it; `after` is the last entry before it."""

    seq: int
    at: int
    after: int
    key: str
    verb: str
    name: str
    change: str
    chain: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedCap:
    """A cap from the entry on that follows `after`."""

    after: int
    limit: str
    at_most: int


def moved_caps(
    rows: Iterable[tuple[Any, ...]], caps: Mapping[str, int | None], findings: CheckFindings
) -> list[MovedCap]:
    """Return the caps that actions moved, in order, as far as the actions are whole.

    Parameters
    ----------
    caps
        The run's.
    """
    moved: list[MovedCap] = []
    chain, after, moment = bytes(32), 0, 0
    for number, row in enumerate(map(ActionRow._make, rows), 1):
        content = json.dumps(list(row[:-1]), separators=(",", ":")).encode()
        chain = hashlib.sha256(chain + content).digest()
        if row.seq != number or chain != row.chain:
            findings.add(say("action {number} is not what was written", number=number))
            break
        if row.after < after or row.at < moment:
            findings.add(say("action {number} is earlier than the one before", number=number))
        if not row.name.strip() or row.verb not in {"accepted", "declined"}:
            findings.add(say("action {number} is nobody's", number=number))
        after, moment = row.after, row.at
        for limit, most in _caps_of(row.change):
            stated = caps.get(limit)
            if stated is None or not isinstance(most, int) or not 0 <= most <= stated:
                findings.add(
                    say(
                        "action {number} moves `{limit}` beyond the run's cap",
                        number=number,
                        limit=limit,
                    )
                )
            else:
                moved.append(MovedCap(after=row.after, limit=limit, at_most=most))
    return moved


def _caps_of(change: str) -> list[tuple[str, object]]:
    """Return the caps that an action's change names, each with where it moves to.

    Raises
    ------
    ValueError
        When the change is none.
    """
    content = json.loads(change)
    caps = content.get("at_most", {}) if isinstance(content, dict) else None
    if isinstance(caps, dict):
        return list(caps.items())
    raise ValueError(say("`{change}` is no change", change=change))
