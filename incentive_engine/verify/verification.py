"""Re-checks a run from its files alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .choices import check_choices, check_users
from .files import UnreadableError, altered_files, read_manifest, read_run
from .policies import check_policy
from .proof import check_proof
from .replay import replay
from .result import Check, Findings, Verification
from .returns import check_returns
from .risk import check_risk
from .totals import check_limits


def verify_run(run_dir: Path) -> Verification:
    """Re-check a run: files, users, rules, holdout, money, limits, value and bound.

    What is checked is recomputed from the run's own score table and policy by code that knows
    nothing of how the plan was made. A run whose files cannot be read fails the check `files`,
    and the others are left out.
    """
    return Verification(run_dir=run_dir, checks=tuple(_checks(run_dir)))


def _checks(run_dir: Path) -> Iterator[Check]:
    files = Findings("files", "every file is there, readable and unaltered since the run")
    try:
        manifest = read_manifest(run_dir)
        for problem in altered_files(run_dir, manifest):
            files.add(problem)
        run = read_run(run_dir, manifest)
    except UnreadableError as error:
        files.add(str(error))
        yield files.check()
        return
    yield files.check()
    yield check_policy(run)
    users = check_users(run)
    yield users
    if users.ok:
        truth = replay(run)
        yield from check_choices(run, truth)
        yield from check_limits(run, truth)
        yield from check_risk(run, truth)
        yield from check_returns(run, truth)
        yield from check_proof(run, truth)
