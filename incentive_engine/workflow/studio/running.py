"""A running campaign as its page shows it: pool, pace against plan, findings, answers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from incentive_engine.domain import MICROS, FloatArray, IntArray
from incentive_engine.live.ledger.commands import Standing
from incentive_engine.live.ledger.records import Action, Verb
from incentive_engine.live.watch.finding import Finding
from incentive_engine.workflow.results.watch_campaign import RunningCampaign, Seen


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pace:
    """How users came, and how they were to come.

    Attributes
    ----------
    at : (p,) int64
        Microseconds since 1970.
    came : (p,) int64
        Users who had come.
    planned : (p,) float64
        Users who were to have come.
    """

    at: IntArray
    came: IntArray
    planned: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Running:
    """Where a running campaign stands.

    Attributes
    ----------
    share
        Of the traffic that was forecast until now; None where the policy has no campaign.
    expected
        Users who are to come in all; None likewise.
    pace
        None likewise, and before the campaign has begun.
    """

    name: str
    currency: str
    zone: str
    now: datetime
    came: int
    decisions: int
    share: float | None
    expected: float | None
    pool: tuple[Standing, ...]
    pace: Pace | None
    findings: tuple[Finding, ...]
    actions: tuple[Action, ...]


class RunningCampaigns:
    """The campaigns that somebody follows; each is verified once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._open: OrderedDict[tuple[Path, float, str], RunningCampaign] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, run_dir: Path, ledger: str) -> Running:
        """Return where a campaign stands; its ledger is only read.

        Raises
        ------
        VerificationError
            When the run does not verify.
        DataError
            When there is no ledger, or it belongs to another run.
        """
        running = self._opened(run_dir, ledger)
        with self._lock:
            return _standing(running, running.look())

    def answer(self, run_dir: Path, ledger: str, key: str, verb: Verb, *, by: str) -> Action:
        """Accept or decline a finding under somebody's name; servers obey within a second.

        Raises
        ------
        DataError
            When there is no such finding, or it was answered already.
        """
        running = self._opened(run_dir, ledger)
        with self._lock:
            return running.answer(key, verb, by=by)

    def _opened(self, run_dir: Path, ledger: str) -> RunningCampaign:
        key = (run_dir, (run_dir / "manifest.json").stat().st_mtime, ledger)
        with self._lock:
            if key not in self._open:
                running = RunningCampaign(run_dir=run_dir, ledger=ledger)
                running.campaign  # noqa: B018 - verifies, before anything is shown
                self._open[key] = running
                # campaigns that are followed at a time
                while len(self._open) > 4:
                    self._open.popitem(last=False)
            return self._open[key]


def _standing(running: RunningCampaign, seen: Seen) -> Running:
    policy, observed = running.campaign.frozen.policy, seen.observed
    expected = running.watch.expected
    forecast, times = expected.forecast, policy.campaign
    total = None
    if times is not None:
        total = times.share * len(running.campaign.population)
    return Running(
        name=running.campaign.run.name,
        currency=policy.currency,
        zone=expected.zone,
        now=datetime.fromtimestamp(seen.now / MICROS, UTC),
        came=int(observed.is_first.sum()),
        decisions=len(observed.row),
        share=None if forecast is None else forecast.share(seen.now),
        expected=total,
        pool=observed.pool,
        pace=None if total is None else _pace(running, seen, total),
        findings=seen.findings,
        actions=observed.actions,
    )


def _pace(running: RunningCampaign, seen: Seen, total: float) -> Pace | None:
    forecast = running.watch.expected.forecast
    if forecast is None or seen.now <= forecast.start:
        return None
    # moments that the picture of the pace has
    points = 48
    at = np.linspace(forecast.start, min(seen.now, forecast.end), points).astype(np.int64)
    came = np.sort(seen.observed.decided[seen.observed.is_first])
    return Pace(
        at=at,
        came=np.searchsorted(came, at, side="right"),
        planned=np.array([total * forecast.share(int(moment)) for moment in at]),
    )


def hours_since(moments: Sequence[int] | IntArray) -> list[float]:
    """Return moments as hours since the first of them.

    >>> hours_since([0, 5_400_000_000])
    [0.0, 1.5]
    """
    first = int(moments[0])
    return [(int(moment) - first) / MICROS / 3_600 for moment in moments]
