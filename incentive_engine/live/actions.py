"""What is changed in a running campaign when somebody accepts a proposal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that every server of a ledger obeys; what is left out stays as it is.

    Attributes
    ----------
    prices
        Limit name to the value given up per unit, as solvers know them; None leaves prices alone.
    at_most
        Limit name to a new cap, not above the run's: millionths, or issued offers.
    paused, blocked
        Offers that nobody gets any more; users who get none.
    """

    prices: Mapping[str, float] | None = None
    at_most: Mapping[str, int] = field(default_factory=dict)
    paused: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return it as the ledger keeps it."""
        parts = {name: part for name, part in asdict(self).items() if part}
        return json.dumps(parts, ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the change that a ledger keeps.

        >>> Change.from_json(Change(paused=("off20",)).to_json())
        Change(prices=None, at_most={}, paused=('off20',), blocked=())
        """
        parts: Mapping[str, Any] = json.loads(text)
        return cls(
            prices=parts.get("prices"),
            at_most=parts.get("at_most", {}),
            paused=tuple(parts.get("paused", ())),
            blocked=tuple(parts.get("blocked", ())),
        )
