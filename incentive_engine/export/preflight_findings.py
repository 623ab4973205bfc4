"""What a pre-flight check says: findings with a name, a severity and a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from incentive_engine.errors import ConfigError, Fault, VerificationError, nearest
from incentive_engine.language import Message, Text, say


class Severity(StrEnum):
    """What a finding means for an export."""

    ERROR = "error"
    """Blocks it."""
    WARNING = "warning"
    """Blocks it until somebody accepts it by name."""
    NOTE = "note"
    """Is worth knowing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightFinding:
    """One thing about a plan that money should not move without knowing."""

    name: str
    severity: Severity
    text: Message

    @property
    def message(self) -> Message:
        """The line that a user reads."""
        return say(f"delivery.{self.severity.value}", name=self.name, text=self.text)


def refuse_blocked(
    run_dir: Path, findings: Sequence[PreflightFinding], *, accepted: Iterable[str]
) -> None:
    """Refuse a plan with errors, or with warnings that nobody accepted.

    Raises
    ------
    VerificationError
        With every finding that blocks.
    """
    faults = [
        Fault(
            f"{run_dir}: {finding.name}",
            finding.text,
            remedy=_remedy(finding),
            waiver=_waiver(finding),
        )
        for finding in findings
        if blocks(finding, accepted)
    ]
    if faults:
        raise VerificationError(*faults)


def blocks(finding: PreflightFinding, accepted: Iterable[str]) -> bool:
    """Whether a finding stands in the way of an export."""
    if finding.severity is Severity.WARNING:
        return finding.name not in accepted
    return finding.severity is Severity.ERROR


def check_accepted(accepted: Iterable[str], names: Iterable[str]) -> None:
    """Refuse to accept what no check is called.

    Raises
    ------
    ConfigError
        With every unknown name.
    """
    warnings = sorted(names)
    faults = [
        Fault(f"--accept {name}", "no warning is called so", remedy=nearest(name, warnings))
        for name in accepted
        if name not in warnings
    ]
    if faults:
        raise ConfigError(*faults)


def _waiver(finding: PreflightFinding) -> str:
    return finding.name if finding.severity is Severity.WARNING else ""


def _remedy(finding: PreflightFinding) -> Text:
    if finding.severity is Severity.ERROR:
        return "correct the policy, and plan again"
    return say("if that is meant: --accept {name}", name=finding.name)
