"""What a run's page shows, and two runs side by side."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from incentive_engine.config.policy import Policy
from incentive_engine.insight.pages.plan_content import limit_row, titles_of
from incentive_engine.insight.planner.paired_gain import GainDifference, gain_difference
from incentive_engine.insight.planner.run_changes import RunChanges, run_changes
from incentive_engine.insight.value.plan_gain import ValuedTrial
from incentive_engine.report.content import LimitRow, Proof, StatedObjective
from incentive_engine.report.titles import Titles
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.run.format import RunFile
from incentive_engine.run.signature import read_signing_key
from incentive_engine.verify.result import Verification
from incentive_engine.verify.verification import verify_run


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunView:
    """What a run states of itself, as pages show it."""

    run: FinishedRun
    proof: Proof
    limits: tuple[LimitRow, ...]
    titles: Titles
    report_lang: str | None
    """The language of the run's report; None without one."""


def run_view(directory: Path) -> RunView:
    """Return what a run's page shows.

    Raises
    ------
    DataError
        When a file of the run is broken.
    """
    run = read_run(directory)
    certificate = run.certificate
    return RunView(
        run=run,
        proof=Proof(
            feasible=certificate.feasible,
            value=certificate.value,
            bound=certificate.bound,
            gap=certificate.gap,
            searched=None,
            aim=StatedObjective.of(run.policy.objective),
        ),
        limits=tuple(
            limit_row(run.policy, limit.model_dump(exclude_none=True))
            for limit in certificate.limits
        ),
        titles=titles_of(run.policy),
        report_lang=_language_of(directory / RunFile.REPORT),
    )


def _language_of(report: Path) -> str | None:
    """Return what the head of a report says of its language."""
    # bytes within which a page names it
    head = 200
    if not report.is_file():
        return None
    with report.open("rb") as file:
        match = re.search(rb'<html lang="([\w-]+)"', file.read(head))
    return match[1].decode() if match else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunComparison:
    """Two runs, and how the second differs from the first."""

    before: FinishedRun
    after: FinishedRun
    changes: RunChanges
    difference: GainDifference | None
    """By the trial; None where none values both, or it is not at hand."""

    @property
    def is_valued(self) -> bool:
        """Whether a trial values both plans."""
        return all(run.evaluation.plan is not None for run in (self.before, self.after))


def compare_runs(
    before: Path, after: Path, trial_of: Callable[[Policy], ValuedTrial | None]
) -> RunComparison:
    """Return two runs side by side.

    Parameters
    ----------
    trial_of
        Returns the trial of a policy where it is at hand.

    Raises
    ------
    DataError
        When a file of a run is broken.
    """
    first, second = read_run(before), read_run(after)
    changes = run_changes(first, second)
    one, two = trial_of(first.policy), trial_of(second.policy)
    difference = gain_difference(first, second, (one, two)) if one and two else None
    return RunComparison(before=first, after=second, changes=changes, difference=difference)


class Verifier:
    """Verifies runs, and each state of a run's files once."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._known: OrderedDict[tuple[object, ...], Verification] = OrderedDict()
        self._lock = threading.Lock()

    def verify(self, directory: Path) -> Verification:
        """Return what `incentive verify` finds."""
        key = _state(directory)
        with self._lock:  # a second page waits for the first one's answer
            if key not in self._known:
                self._known[key] = verify_run(directory, key=read_signing_key(None))
                # verifications that are remembered
                remembered = 64
                while len(self._known) > remembered:
                    self._known.popitem(last=False)
            return self._known[key]


def _state(directory: Path) -> tuple[object, ...]:
    """Return what changes when somebody changes a file of a directory."""
    state: list[object] = [directory]
    for path in sorted(directory.iterdir()):
        status = path.stat()
        state += [path.name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return tuple(state)
