"""Watches running campaigns: findings, answers that a planner gives, and where they stand."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from incentive_engine.config.access.location import Location
from incentive_engine.data.row_checks import as_id
from incentive_engine.data.sources import open_source
from incentive_engine.data.trials.outcomes import Outcomes, read_outcomes
from incentive_engine.domain import MICROS
from incentive_engine.live.campaign import LiveCampaign
from incentive_engine.live.ledger.clock import wall_micros
from incentive_engine.live.ledger.records import Action, Verb
from incentive_engine.live.opening import open_campaign
from incentive_engine.live.watch.answer import answer, named
from incentive_engine.live.watch.checks.gain import GainComparison, noticed
from incentive_engine.live.watch.finding import Finding
from incentive_engine.live.watch.observed import Observed
from incentive_engine.live.watch.params import WatchParams
from incentive_engine.live.watch.watching import Watch
from incentive_engine.measurement.covariates import read_covariates
from incentive_engine.pipeline.steps import Progress, quiet
from incentive_engine.stats.sequential import Noticing
from incentive_engine.workflow.studio.running import Pace, PlannerAnswer, Running


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What one look has found.

    Attributes
    ----------
    now
        When, microseconds since 1970.
    compared, noticing
        What outcomes say so far, and what they would tell of a gain that falls short; None where
        nobody says what users did, or too few have come.
    """

    findings: tuple[Finding, ...]
    observed: Observed
    now: int
    compared: GainComparison | None = None
    noticing: Noticing | None = None


@dataclass(kw_only=True, eq=False)
class RunningCampaign:
    """A run that is decided live, with its ledger; opened once, looked at as often as wanted."""

    run_dir: Path
    ledger: str
    outcomes: Path | Location | None = None
    params: WatchParams | None = None
    covariates: Path | Location | None = None
    progress: Progress = quiet

    @cached_property
    def campaign(self) -> LiveCampaign:
        """The run, which must verify."""
        return open_campaign(self.run_dir)

    @cached_property
    def watch(self) -> Watch:
        """What looks at it."""
        covariates = None
        if self.covariates is not None:
            covariates = read_covariates(self.covariates, self._user_id)
        return Watch(self.run_dir, self.campaign, params=self.params, known=covariates)

    def look(self, now: int | None = None) -> Seen:
        """Return what is found at a moment, microseconds since 1970; left out: now.

        Raises
        ------
        DataError
            When the ledger or the outcomes cannot be read, or belong to another run.
        """
        moment = wall_micros() if now is None else now
        observed = self.watch.read(self.ledger)
        did = self._outcomes(observed)
        findings = self.watch.findings(observed, moment, outcomes=did)
        told = noticed(self.watch.look(observed, moment, outcomes=did))
        compared, noticing = (None, None) if told is None else told
        return Seen(
            findings=findings, observed=observed, now=moment, compared=compared, noticing=noticing
        )

    def answer(self, key: str, verb: Verb, *, by: str, now: int | None = None) -> Action:
        """Write down how somebody answers a finding, and let servers obey what he accepts.

        Raises
        ------
        DataError
            When there is no such finding, or it was answered already.
        ConfigError
            When nobody is named.
        """
        seen = self.look(now)
        actions = seen.observed.actions
        finding = named(seen.findings, key, actions)
        return answer(
            self.campaign.terms,
            self.ledger,
            finding=finding,
            verb=verb,
            by=by,
            known=actions,
            progress=self.progress,
        )

    @cached_property
    def _user_id(self) -> pa.Array:
        """(n,) the run's users."""
        table = pq.read_table(self.run_dir / "allocation.parquet", columns=["user_id"])
        return as_id(table.column("user_id"))

    def _outcomes(self, observed: Observed) -> Outcomes | None:
        if self.outcomes is None:
            return None
        policy = self.campaign.frozen.policy
        source = open_source(self.outcomes, renames=policy.data.columns.outcomes)
        did = read_outcomes(source, self._user_id, policy.offer_ids)
        did.refuse_before(_first_decided(observed, len(did.named)), where=source.where)
        return did


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

    def answer(self, run_dir: Path, ledger: str, given: PlannerAnswer) -> Action:
        """Accept or decline a finding under somebody's name; servers obey within a second.

        Raises
        ------
        DataError
            When there is no such finding, or it was answered already.
        """
        running = self._opened(run_dir, ledger)
        with self._lock:
            return running.answer(given.key, given.verb, by=given.by)

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


def find_findings(
    run_dir: Path,
    ledger: str,
    now: int | None = None,
    *,
    outcomes: Path | Location | None = None,
    params: WatchParams | None = None,
) -> list[Finding]:
    """Return what is to be known of a running campaign, the most severe first.

    Parameters
    ----------
    ledger
        Its file, or a database's URL.
    now
        Microseconds since 1970; left out, the time of now.
    outcomes
        What users did until now.
    """
    running = RunningCampaign(run_dir=run_dir, ledger=ledger, outcomes=outcomes, params=params)
    return list(running.look(now).findings)


def accept(
    run_dir: Path,
    ledger: str,
    key: str,
    *,
    by: str,
    now: int | None = None,
    outcomes: Path | Location | None = None,
) -> Action:
    """Carry out what a finding proposes, under somebody's name; servers obey within a second."""
    running = RunningCampaign(run_dir=run_dir, ledger=ledger, outcomes=outcomes)
    return running.answer(key, Verb.ACCEPTED, by=by, now=now)


def decline(
    run_dir: Path,
    ledger: str,
    key: str,
    *,
    by: str,
    now: int | None = None,
    outcomes: Path | Location | None = None,
) -> Action:
    """Write down under somebody's name that nothing is done about a finding."""
    running = RunningCampaign(run_dir=run_dir, ledger=ledger, outcomes=outcomes)
    return running.answer(key, Verb.DECLINED, by=by, now=now)


def _first_decided(observed: Observed, users: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return (n,) int64 when each user of the run was first decided on; 0 for nobody yet."""
    first = np.zeros(users, dtype=np.int64)
    mine = observed.is_first & (observed.row >= 0)
    first[observed.row[mine]] = observed.decided[mine]
    return first
