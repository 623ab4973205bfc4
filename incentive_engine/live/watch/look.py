"""One look at a running campaign: the plan, the ledger, and the time since evidence counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from incentive_engine.data.trials.outcomes import Outcomes
from incentive_engine.domain import MICROS, BoolArray, FloatArray, IntArray
from incentive_engine.language import Message
from incentive_engine.live.forecast import HeldReturns
from incentive_engine.live.ledger.commands import Standing
from incentive_engine.live.ledger.records import Action, State, Verb
from incentive_engine.live.watch.expected import Expected
from incentive_engine.live.watch.finding import Figure, Severity
from incentive_engine.live.watch.observed import Observed
from incentive_engine.live.watch.params import WatchParams


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding before it has a key of its own, a proposal, and an answer.

    Attributes
    ----------
    kind, subject
        What was found, and of which limit, offer or user; None for the whole campaign.
    ratio
        What came over what was planned, for the planner; None where there is no such thing.
    """

    kind: str
    subject: str | None
    severity: Severity
    figures: Mapping[str, Figure]
    text: Message
    since: int | None = None
    ratio: float | None = None

    @property
    def name(self) -> str:
        """The key without the number of its occurrence."""
        return self.kind if self.subject is None else f"{self.kind}:{self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """The time for which evidence counts, in steps.

    Attributes
    ----------
    edges : (b + 1,) int64
        Microseconds since 1970, from the beginning to the moment of the look.
    share : (b + 1,) float64
        Share of the forecast's users who were to have come; 0 throughout without a forecast.
    starts
        Steps until the campaign's end.
    """

    edges: IntArray
    share: FloatArray
    starts: int

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.edges) - 1

    def step_of(self, at: IntArray) -> IntArray:
        """Return in which step moments are; −1 before the first."""
        step: IntArray = np.searchsorted(self.edges, at, side="right") - 1
        return np.minimum(step, self.steps - 1)

    def sums(self, at: IntArray, amount: FloatArray | None = None) -> FloatArray:
        """Return (b,) float64 how much came in each step, of moments in the time."""
        inside = (at >= self.edges[0]) & (at <= self.edges[-1])
        weights = None if amount is None else amount[inside]
        counts = np.bincount(self.step_of(at[inside]), weights, minlength=self.steps)
        return counts.astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Yardstick:
    """By what outcomes are compared: what is known of a run's n users, of the holdout too.

    Attributes
    ----------
    offered : (n,) bool
        Who gets an offer at the plan's prices.
    stratum : (n,) int64
        What the holdout was drawn within.
    covariates : (n, p) float32
        The model's scores, and what else was given.
    """

    offered: BoolArray
    stratum: IntArray
    covariates: npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What a test looks at.

    Attributes
    ----------
    now
        Microseconds since 1970.
    outcomes
        What users did until now; None where nobody says.
    requests
        Key of the service to how often it has asked; nothing where no server looks.
    yardstick
        By what they are compared; None compares everybody, with nothing taken off.
    """

    expected: Expected
    observed: Observed
    now: int
    params: WatchParams
    outcomes: Outcomes | None = None
    requests: Mapping[str, int] = field(default_factory=dict)
    yardstick: Yardstick | None = None

    @property
    def start(self) -> int:
        """When the campaign began: by the policy, or with the first decision."""
        if self.expected.forecast is not None:
            return self.expected.forecast.start
        decided = self.observed.decided
        return int(decided[0]) if len(decided) else self.now

    def share(self, at: int) -> float:
        """Return the share of the forecast's users who were to have come."""
        forecast = self.expected.forecast
        return 0.0 if forecast is None else forecast.share(at)

    def begin(self, name: str, *, steered: bool = False) -> int:
        """Return from when on evidence counts: since the finding was accepted, if it was.

        Parameters
        ----------
        steered
            Whether any accepted change may have changed it.
        """
        accepted = [
            action.at
            for action in self.observed.actions
            if action.verb == Verb.ACCEPTED and (steered or name_of(action) == name)
        ]
        return max([self.start, *accepted])

    def timeline(self, begin: int, until: int) -> Timeline | None:
        """Return the steps from a beginning to a moment; None where there is no time between."""
        forecast = self.expected.forecast
        if until <= begin:
            return None
        # how many such steps may come
        week = 7 * 96
        # a step where no campaign's end says how long one is, microseconds
        length, starts = 900 * MICROS, week
        if forecast is not None:
            until = min(until, forecast.end)
            if until <= begin:
                return None
            length = max((forecast.end - forecast.start) // self.params.steps, 1)
            starts = -(-(forecast.end - begin) // length)
        edges = np.append(np.arange(begin, until, length, dtype=np.int64), until)
        share = (
            np.zeros(len(edges)) if forecast is None else forecast.shares(edges.astype(np.float64))
        )
        return Timeline(edges=edges, share=share, starts=starts)

    @cached_property
    def hold(self) -> int | None:
        """The longest time for which an offer stays reserved; None: longer than patience."""
        return self._longest if self._longest <= self.params.patience else None

    @cached_property
    def _longest(self) -> int:
        """The longest time for which an offer stays reserved, microseconds; 0 before any is."""
        seen = self.observed
        taken = seen.offer >= 0
        return int((seen.expires[taken] - seen.decided[taken]).max(initial=0))

    @cached_property
    def returns(self) -> HeldReturns | None:
        """How what is held comes back; None where the policy names no campaign.

        Only faces count as coming back, and only where a hold ends within the campaign.
        """
        forecast, measures = self.expected.forecast, self.expected.measures
        if forecast is None:
            return None
        ends = 0 < self._longest < forecast.end - self.start
        returns = HeldReturns(
            forecast=forecast, hold=self._longest if ends else None, measures=measures
        )
        return returns if returns.faces_return else replace(returns, hold=None)

    @cached_property
    def chance(self) -> float | None:
        """What offers are expected to cost of their face value; None before any was given."""
        cost, face = int(self.observed.cost.sum()), int(self.observed.face.sum())
        return min(cost / face, 1.0) if face else None

    def kept(self, limit: Standing) -> int:
        """Return what of a limit is used and will not come back: millionths, or issued offers."""
        if self.returns is None:
            return limit.reserved + limit.margin + limit.settled
        return self.returns.kept(limit, self.chance)

    def stays(self, limit: str) -> float:
        """Return the share of what is held of a limit that is expected to be settled."""
        if self.returns is None or self.returns.hold is None or self.chance is None:
            return 1.0
        return self.returns.stays(limit, self.chance)

    @cached_property
    def is_open(self) -> BoolArray:
        """(D,) whether a reservation is open; one that has run out is not, noted or not."""
        return self.observed.is_state(State.RESERVED) & (self.observed.expires > self.now)

    @cached_property
    def came(self) -> IntArray:
        """Moments at which users came for the first time."""
        return self.observed.decided[self.observed.is_first]


def name_of(action: Action) -> str:
    """Return the name of the finding that an action answers, without its number."""
    return action.key.rpartition("#")[0] or action.key


def clock(at: int, zone: str) -> str:
    """Return a moment as people of a time zone read it.

    >>> clock(1_800_000_000_000_000, "Asia/Shanghai")
    '2027-01-15 16:00'
    """
    return f"{datetime.fromtimestamp(at / MICROS, UTC).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
