"""Measures a campaign by its holdout, once it is over."""

from __future__ import annotations

from pathlib import Path

from incentive_engine.config.location import Location
from incentive_engine.measurement.figures import Measurement
from incentive_engine.measurement.finished_campaign import measured, read_campaign


def measure(run_dir: Path, outcomes: Path | Location) -> Measurement:
    """Return what a campaign brought, by the users that were held out of it.

    Parameters
    ----------
    run_dir
        What `allocate` wrote.
    outcomes
        What users did.

    Raises
    ------
    DataError
        When the run or the outcomes cannot be read, or the outcomes leave the holdout out.
    """
    return measured(read_campaign(run_dir, outcomes))
