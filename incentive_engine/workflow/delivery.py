"""Commands that take a run further: check it, approve it, export it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from incentive_engine.config.access.database_url import DatabaseUrl
from incentive_engine.config.schedule.moments import in_zone, parse_moment
from incentive_engine.errors import ConfigError, DataError, Fault
from incentive_engine.export.export import (
    Exported,
    ExportOptions,
    export_offers,
    refuse_unverified,
)
from incentive_engine.export.postgres import export_to_postgres
from incentive_engine.export.preflight import WARNINGS, Flight, preflight
from incentive_engine.export.preflight_findings import (
    PreflightFinding,
    blocks,
    check_accepted,
    refuse_blocked,
)
from incentive_engine.export.selection import Filters, Selected, narrowed, select
from incentive_engine.language import Message, Text, say
from incentive_engine.language.wording import as_warnings
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.run.approval import approve_run, refuse_unapproved
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.run.format import RunFile
from incentive_engine.run.other_runs import add_entry, previous, refuse_superseded
from incentive_engine.run.records import only_one
from incentive_engine.run.signature import (
    SigningKey,
    read_signing_key,
    refuse_unsigned,
    sign_run,
)
from incentive_engine.verify.result import Verification
from incentive_engine.verify.verification import verify_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an export goes."""

    to: str
    """A file, a directory, or the URL of a database."""
    table: str = "incentive_offers"
    """For a database."""
    prune: bool = False
    """For a database: remove the campaign's rows of other runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a pre-flight check found."""

    run_dir: Path
    findings: tuple[PreflightFinding, ...]
    accepted: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the run may be exported."""
        return not any(blocks(finding, self.accepted) for finding in self.findings)

    def lines(self) -> tuple[Message, ...]:
        """Return one line per finding, then the verdict."""
        lines = [
            say("delivery.accepted", line=finding.message)
            if finding.name in self.accepted
            else finding.message
            for finding in self.findings
        ]
        blocked = sum(blocks(finding, self.accepted) for finding in self.findings)
        verdict = say("delivery.ready", run=str(self.run_dir))
        if blocked:
            verdict = say("delivery.blocked", run=str(self.run_dir), findings=blocked)
        return (*lines, verdict)


def check_run(
    run_dir: Path,
    *,
    accepted: Sequence[str] = (),
    on: str | None = None,
    progress: Progress = quiet,
) -> Checked:
    """Verify a run and look for what goes wrong with real money.

    Raises
    ------
    VerificationError
        When the run does not verify, or is superseded.
    """
    check_accepted(accepted, WARNINGS)
    run, _ = _verified(run_dir, Steps(progress), key=read_signing_key(None))
    return Checked(run_dir=run_dir, findings=_findings(run, on), accepted=tuple(accepted))


def approve(
    run_dir: Path, *, by: str, note: str | None = None, progress: Progress = quiet
) -> tuple[Message, ...]:
    """Write down who approves a run as it stands, once it is verified and free of errors."""
    name = " ".join(by.split())
    if not name:
        raise ConfigError(Fault("--by", "is empty", "the approver's name"))
    run, _ = _verified(run_dir, Steps(progress), key=read_signing_key(None))
    findings = _findings(run, None)
    refuse_blocked(run_dir, findings, accepted=WARNINGS)
    with only_one(run_dir, "approving or exporting this run"):
        is_new = approve_run(run, by=name, note=note, now=datetime.now(UTC))
    done = "delivery.approved" if is_new else "delivery.approved_before"
    lines = [finding.message for finding in findings if blocks(finding, ())]
    return (*lines, say(done, run=str(run_dir), name=name, digest=run.digest[:16]))


def export(
    run_dir: Path,
    *,
    target: Target,
    options: ExportOptions,
    accepted: Sequence[str] = (),
    on: str | None = None,
    key: SigningKey | None = None,
    ledger: str | None = None,
    progress: Progress = quiet,
) -> tuple[Text, ...]:
    """Write the offers of a run for another system, once nothing speaks against it.

    Parameters
    ----------
    key
        The run must be signed with it.
    ledger
        The pool of live decisions: what leaves is reserved there first, and what does not fit
        any more stays.
    """
    check_accepted(accepted, WARNINGS)
    if run_dir.is_dir() and not os.access(run_dir, os.W_OK):
        what = "may not be written to, and exports are noted there"
        raise DataError(Fault(str(run_dir), what, remedy="ask for access, or copy the run"))
    steps = Steps(progress)
    run, verification = _verified(run_dir, steps, key=key)
    refuse_unapproved(run)
    findings = _findings(run, on)
    refuse_blocked(run_dir, findings, accepted=accepted)
    waived = [finding for finding in findings if blocks(finding, ())]
    names = sorted({finding.name for finding in waived})
    left_out: list[int] = []
    if ledger is not None:
        options = replace(options, narrow=_booking(run_dir, ledger, left_out, progress))
    with only_one(run_dir, "approving or exporting this run"), steps.step("export"):
        exported = _export(run, target, options, verification=verification, accepted=names)
        entry = {
            "to": exported.target,
            "rows": exported.rows,
            "filters": options.filters.to_dict(),
        }
        entry |= {"preset": options.preset, "accepted": names}
        add_entry(run, RunFile.EXPORTS, entry, now=datetime.now(UTC))
    unsafe = [warning for used in (options.key, key) if used for warning in used.warnings]
    lines = [say("delivery.waived", name=finding.name, text=finding.text) for finding in waived]
    lines += [say("delivery.stay", number=number) for number in left_out if number]
    return (*lines, *as_warnings(unsafe), *exported.lines())


def _booking(
    run_dir: Path, ledger: str, left_out: list[int], progress: Progress
) -> Callable[[Selected], Selected]:
    """Return what reserves a selection in a ledger, and notes how many of it stay."""
    from incentive_engine.live.batch import book
    from incentive_engine.live.opening import open_campaign

    def booked(selected: Selected) -> Selected:
        fewer = narrowed(selected, book(open_campaign(run_dir), selected, ledger, progress))
        left_out.append(selected.total - fewer.total)
        return fewer

    return booked


def _export(
    run: FinishedRun,
    target: Target,
    options: ExportOptions,
    *,
    verification: Verification,
    accepted: Sequence[str],
) -> Exported:
    if target.to.startswith(DatabaseUrl.SCHEMES):
        return export_to_postgres(
            run,
            target.to,
            verification=verification,
            options=options,
            table=target.table,
            prune=target.prune,
        )
    if "://" in target.to or ("@" in target.to and ":" in target.to):
        shown = f"{target.to.partition(':')[0]}:…"  # what follows may hold a password
        raise ConfigError(Fault(f"--to {shown}", "is not known", " or ".join(DatabaseUrl.SCHEMES)))
    path = Path(target.to)
    return export_offers(run, path, verification=verification, options=options, accepted=accepted)


def sign(run_dir: Path, *, key: SigningKey | None, progress: Progress = quiet) -> tuple[Text, ...]:
    """Sign a run as it stands, once it is verified.

    Raises
    ------
    ConfigError
        When there is no key.
    VerificationError
        When the run does not verify.
    """
    if key is None:
        remedy = "make one with `openssl rand -hex 32`, and keep it"
        raise ConfigError(
            Fault(
                SigningKey.OPTION,
                "there is no key",
                say("a file, or {variable}", variable=SigningKey.VARIABLE),
                remedy,
            )
        )
    with Steps(progress).step("verify"):
        run, verification = read_run(run_dir), verify_run(run_dir)
    refuse_unverified(run, verification)
    with only_one(run_dir, "approving or exporting this run"):
        sign_run(run_dir, key, now=datetime.now(UTC))
    signed = say("delivery.signed", run=str(run_dir), fingerprint=key.fingerprint)
    return (*as_warnings(key.warnings), signed)


def _verified(
    run_dir: Path, steps: Steps, *, key: SigningKey | None
) -> tuple[FinishedRun, Verification]:
    """Read a run that verifies, is signed where it must be, and has not been superseded."""
    with steps.step("verify"):
        run, verification = read_run(run_dir), verify_run(run_dir, key=key)
    refuse_unverified(run, verification)
    refuse_unsigned(run, key)
    refuse_superseded(run)
    return run, verification


def _findings(run: FinishedRun, on: str | None) -> tuple[PreflightFinding, ...]:
    given = select(run, Filters()).rows
    now = datetime.now(UTC) if on is None else _moment(on, run.policy.timezone)
    return preflight(Flight(run=run, given=given, now=now, previous=previous(run)))


def _moment(text: str, zone: str) -> datetime:
    try:
        return in_zone(parse_moment(text), zone)
    except ValueError:
        expected = "a local time such as 2026-10-31 20:00"
        raise ConfigError(Fault(f"--on {text}", "is not a time", expected)) from None
