"""Turns a finished campaign into a trial for the next model."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from incentive_engine.config.access.location import Location
from incentive_engine.live.entries import decisions
from incentive_engine.live.ledger.ledger import shown_place
from incentive_engine.measurement.learning.folder import LearnedFolder, write_lesson
from incentive_engine.measurement.learning.randomised_users import ServedDecision, ServedLedger
from incentive_engine.measurement.learning.trial_rows import lesson_of


def learn(
    run_dir: Path,
    outcomes: Path | Location,
    *,
    into: Path,
    ledger: str | None = None,
    users: Path | Location | None = None,
    accepted: Collection[str] = (),
) -> LearnedFolder:
    """Add what a campaign randomised to a folder that `data.trial` can name.

    Parameters
    ----------
    run_dir
        What `allocate` wrote.
    outcomes
        What users did: a row per user, or per order.
    into
        The folder; it may have earlier campaigns.
    ledger
        Of the run's live decisions; None where the batch went out.
    users
        Their features as they were at the plan; None takes the run's own input.
    accepted
        Features whose changed meaning the planner answers for.

    Raises
    ------
    DataError
        With what is wrong with run, ledger, outcomes, features or folder.
    """
    served = None if ledger is None else _served(ledger)
    lesson = lesson_of(run_dir, outcomes, served=served, users=users)
    return write_lesson(lesson, into, accepted=accepted)


def _served(ledger: str) -> ServedLedger:
    run, rows = decisions(ledger)
    served = [ServedDecision(*row) for row in rows]
    return ServedLedger(where=shown_place(ledger), run=run, decisions=served)
