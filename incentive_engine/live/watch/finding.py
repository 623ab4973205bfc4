"""What the watch finds, and what it proposes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.language import Message
from incentive_engine.live.actions import Change
from incentive_engine.live.ledger.clock import moment_text
from incentive_engine.live.ledger.records import Verb

Severity = Literal["info", "warning", "error"]
Figure = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the rest of the campaign brings at some prices.

    Attributes
    ----------
    value
        What is maximised, of users still to come.
    spent
        Expected subsidy of theirs, currency units; NaN where no limit counts money.
    runs_dry
        When the first cap is used up, microseconds since 1970; None: none before the end.
    """

    value: float
    spent: float
    runs_dry: int | None

    def is_like(self, other: Outlook) -> bool:
        """Whether nobody would act on the difference.

        >>> rest = Outlook(value=556.0, spent=158_097.0, runs_dry=None)
        >>> rest.is_like(Outlook(value=556.01, spent=158_100.0, runs_dry=None))
        True
        >>> rest.is_like(Outlook(value=560.0, spent=158_097.0, runs_dry=None))
        False
        """
        # relative: both read alike in figures of four digits
        near = 1e-4
        pairs = ((self.value, other.value), (self.spent, other.spent))
        return self.runs_dry == other.runs_dry and all(
            math.isclose(mine, theirs, rel_tol=near) or math.isnan(mine + theirs)
            for mine, theirs in pairs
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What would help.

    Attributes
    ----------
    change
        What accepting it changes.
    kind
        `prices`, `pause`, `limit`, `block` or `note`, which changes nothing.
    now, then
        The rest of the campaign as it goes on, and with the change.
    text
        In words.
    """

    change: Change
    kind: str
    now: Outlook | None = None
    then: Outlook | None = None
    text: Message

    def to_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        prices = None if self.change.prices is None else dict(self.change.prices)
        per_cost = None if prices is None else prices.pop(Prices.COSTS, None)
        return {
            "kind": self.kind,
            "prices": prices,
            "price_per_cost": per_cost,
            "at_most": dict(self.change.at_most),
            "paused": list(self.change.paused),
            "blocked": list(self.change.blocked),
            "now": _outlook(self.now),
            "then": _outlook(self.then),
            "text": str(self.text),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingAnswer:
    """Who answered a finding, what, and when: microseconds since 1970."""

    verb: Verb
    name: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a planner should know of the running campaign.

    Attributes
    ----------
    key
        `KIND:SUBJECT`, or `KIND` alone; found again after it was accepted, with `#2` and so on.
    since
        From when on the evidence was enough, microseconds since 1970; None where it needs none.
    figures
        What it rests on, by name.
    proposal
        None where the planner has nothing to propose.
    answered
        Of one that was declined: it stays declined.
    """

    key: str
    severity: Severity
    figures: Mapping[str, Figure]
    text: Message
    since: int | None = None
    proposal: Proposal | None = None
    answered: FindingAnswer | None = None

    @property
    def kind(self) -> str:
        """What was found, without of what.

        >>> from incentive_engine.language import say
        >>> text = say("watch.quiet")
        >>> Finding(key="runs_dry:budget#2", severity="info", figures={}, text=text).kind
        'runs_dry'
        """
        return self.key.partition("#")[0].partition(":")[0]

    def to_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        answered = self.answered
        return {
            "key": self.key,
            "severity": self.severity,
            "since": None if self.since is None else moment_text(self.since),
            "figures": dict(self.figures),
            "text": str(self.text),
            "proposal": None if self.proposal is None else self.proposal.to_dict(),
            "answered": None
            if answered is None
            else {
                "verb": str(answered.verb),
                "by": answered.name,
                "at": moment_text(answered.at),
            },
        }


def _outlook(outlook: Outlook | None) -> dict[str, Any] | None:
    if outlook is None:
        return None
    dry = None if outlook.runs_dry is None else moment_text(outlook.runs_dry)
    spent = None if outlook.spent != outlook.spent else outlook.spent
    return {"value": outlook.value, "spent": spent, "runs_dry": dry}
