"""Measures campaigns by their holdouts, once they are over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from incentive_engine.config.access.location import Location
from incentive_engine.data.tables.files import atomic_directory
from incentive_engine.domain import MICROS
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import Code, Message, say
from incentive_engine.live.campaign import LiveCampaign
from incentive_engine.live.opening import open_campaign
from incentive_engine.live.watch.observed import Observed, read_observed
from incentive_engine.measurement.figures import Measurement
from incentive_engine.measurement.finished_campaign import ServedUsers, read_campaign
from incentive_engine.measurement.measuring import measured
from incentive_engine.measurement.several_runs import Measurements
from incentive_engine.report.pages.measurement import render_measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFiles:
    """A campaign that is over: its run, what users did, and its ledger where it was live."""

    run_dir: Path
    outcomes: Path | Location
    ledger: str | None = None
    covariates: Path | Location | None = None


def measure(
    run_dir: Path,
    outcomes: Path | Location,
    *,
    ledger: str | None = None,
    covariates: Path | Location | None = None,
) -> Measurement:
    """Return what a campaign brought, by the users that were held out of it.

    Parameters
    ----------
    run_dir
        What `allocate` wrote.
    outcomes
        What users did.
    ledger
        What `serve` wrote, where the run was decided live.
    covariates
        What was known of users before, in numbers.

    Raises
    ------
    DataError
        When the run, the outcomes or the ledger cannot be read, do not belong together, or the
        outcomes leave the holdout out.
    """
    served = None if ledger is None else _served(open_campaign(run_dir), ledger)
    campaign = read_campaign(run_dir, outcomes, served=served, covariates=covariates)
    return measured(campaign)


def measure_all(campaigns: Sequence[CampaignFiles]) -> Measurements:
    """Return what campaigns brought, each by its own holdout."""
    return Measurements(campaigns=tuple(_measured(one) for one in campaigns))


def _measured(one: CampaignFiles) -> Measurement:
    return measure(one.run_dir, one.outcomes, ledger=one.ledger, covariates=one.covariates)


def paired(
    run_dirs: Sequence[Path],
    outcomes: Sequence[Location],
    ledgers: Sequence[str],
    covariates: Location | None = None,
) -> list[CampaignFiles]:
    """Return the campaigns that a command names: the first outcomes are those of the first run.

    Raises
    ------
    ConfigError
        When there are other numbers of them than of runs, or a run is named twice.
    """
    names = [run.resolve() for run in run_dirs]
    twice = [str(run) for run, name in zip(run_dirs, names, strict=True) if names.count(name) > 1]
    if twice:
        what = say("`{run}` is named twice, and would count twice", run=twice[0])
        raise ConfigError(Fault("RUN_DIR", what, "each campaign once"))
    if len(outcomes) != len(run_dirs):
        what = say(
            "is given {times} times for {runs} runs", times=len(outcomes), runs=len(run_dirs)
        )
        raise ConfigError(Fault("--outcomes", what, "once per run, in their order"))
    if ledgers and len(ledgers) != len(run_dirs):
        what = say(
            "is given {times} times for {runs} runs", times=len(ledgers), runs=len(run_dirs)
        )
        expected = "once per run, in their order, `none` for one that a batch decided"
        raise ConfigError(Fault("--ledger", what, expected))
    places = [None if place == "none" else place for place in ledgers] or [None] * len(run_dirs)
    return [
        CampaignFiles(run_dir=run, outcomes=table, ledger=place, covariates=covariates)
        for run, table, place in zip(run_dirs, outcomes, places, strict=True)
    ]


def write_measurement(measurements: Measurements, out: Path, *, lang: Code = "en") -> Message:
    """Write the page and the table into a new folder, and return what was written.

    Raises
    ------
    DataError
        When it is there already, or cannot be written.
    """
    table = "measurement.csv"
    with atomic_directory(out) as folder:
        page = render_measurement(measurements.to_page(), lang=lang)
        (folder / "measurement.html").write_text(page, encoding="utf-8")
        (folder / table).write_text(measurements.to_csv(), encoding="utf-8")
    return say("measured.written", folder=str(out), names=("measurement.html", table))


def _served(campaign: LiveCampaign, ledger: str) -> ServedUsers:
    """Return what the ledger of a run says of its users."""
    seen = read_observed(
        ledger,
        run=campaign.run.digest,
        offers=campaign.frozen.policy.offer_ids,
        rows_of=campaign.population.rows_of,
    )
    return _by_user(seen, len(campaign.population), planned=campaign.planned_version)


def _by_user(seen: Observed, users: int, *, planned: int) -> ServedUsers:
    is_of_run = seen.row >= 0
    row, first = seen.row[is_of_run], seen.is_first[is_of_run]
    decided = np.zeros(users, dtype=np.int64)
    decided[row[first]] = seen.decided[is_of_run][first]
    offer = np.full(users, -1, dtype=np.int16)
    given = seen.offer[is_of_run] >= 0
    offer[row[given]] = seen.offer[is_of_run][given]  # the last one stands
    paid = np.bincount(row, seen.amount[is_of_run] / MICROS, minlength=users)
    return ServedUsers(
        came=decided > 0,
        decided=decided,
        offer=offer,
        paid=paid.astype(np.float64),
        is_repriced=bool((seen.version != planned).any()),
    )
