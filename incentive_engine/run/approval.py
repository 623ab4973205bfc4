"""Who approved what: names beside a run, tied to the digest of all its files.

A name is what somebody typed. It makes clear who answers for a plan; it is no signature.
"""

from __future__ import annotations

from datetime import datetime

from incentive_engine.errors import Fault, VerificationError
from incentive_engine.language import say
from incentive_engine.run.finished import FinishedRun
from incentive_engine.run.format import RunFile
from incentive_engine.run.other_runs import add_entry, entries_of


def approve_run(run: FinishedRun, *, by: str, note: str | None, now: datetime) -> bool:
    """Write down that somebody approves a run as it stands; False when it says so already.

    Raises
    ------
    VerificationError
        When the policy demands another person than the author.
    DataError
        When the run directory may not be written to.
    """
    if _is_demanded(run) and is_author(run, by):
        what = say("`{by}` is its author, and the policy demands somebody else's approval", by=by)
        raise VerificationError(
            Fault(str(run.directory), what, remedy="let somebody else approve it")
        )
    return add_entry(run, RunFile.APPROVALS, {"by": by, "note": note}, now=now)


def refuse_unapproved(run: FinishedRun) -> None:
    """Refuse a run that its policy wants approved, as it stands, by somebody but its author.

    Raises
    ------
    VerificationError
        When nobody has.
    """
    if not _is_demanded(run):
        return
    entries = entries_of(run, RunFile.APPROVALS)
    where, remedy = (
        str(run.directory),
        say("incentive approve {directory} --by NAME", directory=run.directory),
    )
    current = [entry["by"] for entry in entries if entry.get("digest") == run.digest]
    if not any(not is_author(run, name) for name in current):
        what = "the policy demands an approval by somebody but the author"
        if entries and not current:
            what += "; the run has changed since it was approved"
        raise VerificationError(Fault(where, what, remedy=remedy))


def is_author(run: FinishedRun, name: str) -> bool:
    """Whether a name is the author's; a run that states none has an unknown author."""
    return run.author is not None and _plain(run.author) == _plain(name)


def _plain(name: str) -> str:
    # the author must not pass as somebody else by a capital letter or a space
    return " ".join(name.split()).casefold()


def _is_demanded(run: FinishedRun) -> bool:
    return run.policy.approval is not None and run.policy.approval.required
