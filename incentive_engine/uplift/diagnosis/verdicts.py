"""What the checks of a trial found."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal, Self

from incentive_engine.errors import ConfigError, DataError, Fault
from incentive_engine.language import Message, say, stored
from incentive_engine.language.wording import joined

Verdict = Literal["fine", "warning", "refusal"]


class TrialCheck(StrEnum):
    """What is checked of a trial; of the users, `DRIFT`."""

    SAMPLE_RATIO = "sample ratio"
    PROPENSITIES = "propensities"
    OVERLAP = "overlap"
    BALANCE = "balance"
    FEATURES = "features"
    LEAKS = "leaks"
    ARM_SIZES = "arm sizes"
    OUTCOMES = "outcomes"
    CAMPAIGNS = "campaigns"
    DRIFT = "drift"

    @property
    def key(self) -> str:
        """What `--accept` calls it."""
        return f"trial-{self.replace(' ', '-')}"

    @property
    def is_acceptable(self) -> bool:
        """Whether a planner may answer for a refusal."""
        # where nobody or everybody bought nothing is learned; the others only ever warn
        return self in {
            TrialCheck.SAMPLE_RATIO,
            TrialCheck.PROPENSITIES,
            TrialCheck.BALANCE,
            TrialCheck.LEAKS,
            TrialCheck.ARM_SIZES,
        }

    @property
    def shakes_effects(self) -> bool:
        """Whether a warning puts every effect in doubt, and not only its precision."""
        return self in {
            TrialCheck.SAMPLE_RATIO,
            TrialCheck.PROPENSITIES,
            TrialCheck.BALANCE,
            TrialCheck.LEAKS,
        }


def acceptable() -> tuple[str, ...]:
    """Return what `--accept` may name."""
    return tuple(check.key for check in TrialCheck if check.is_acceptable)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckVerdict:
    """One check and its verdict.

    Attributes
    ----------
    check
        What was checked.
    verdict
        ``warning``: read on before you believe the effects; ``refusal``: nothing is fitted.
    what
        What was found.
    remedy
        What to do about it.
    """

    check: TrialCheck
    verdict: Verdict
    what: Message
    remedy: Message | None = None

    @property
    def name(self) -> Message:
        """How the check is called."""
        return say(f"check.{self.check.replace(' ', '_')}")

    @property
    def key(self) -> str:
        """What `--accept` calls the finding."""
        return self.check.key

    @property
    def message(self) -> Message:
        """What a planner reads."""
        what = self.what if self.remedy is None else joined([self.what, self.remedy])
        if self.check is TrialCheck.DRIFT:
            return say("drift.finding", what=what)
        return say("trial.finding", check=self.name, what=what)

    def to_dict(self) -> dict[str, Any]:
        """Return the content for a JSON file: in English for who reads it, and as messages."""
        return {
            "check": self.check,
            "verdict": self.verdict,
            "what": str(self.what),
            "remedy": str(self.remedy or ""),
            "messages": {
                "what": stored.to_dict(self.what),
                "remedy": self.remedy and stored.to_dict(self.remedy),
            },
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return what `to_dict` wrote."""
        messages = content["messages"]
        return cls(
            check=TrialCheck(content["check"]),
            verdict=content["verdict"],
            what=stored.from_dict(messages["what"]),
            remedy=messages["remedy"] and stored.from_dict(messages["remedy"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCount:
    """One arm of the trial.

    Attributes
    ----------
    arm
        ``control`` or an offer id.
    rows, conversions
        How many rows got it, and how many of these converted.
    rate
        Share of the people that its rows stand for who converted.
    stands_for
        The sum of 1 / propensity: by the propensities, so many people could have got it.
    reach
        So many rows may get it by the policy's eligibility.
    effective
        Rows of equal weight that would tell as much (Kish).
    detectable
        The effect on conversion, a probability, that a two-sided test at 5 % finds with a power
        of 80 % from this arm and control; 0 for control, infinite where none is.
    """

    arm: str
    rows: int
    conversions: int
    rate: float
    stands_for: float
    reach: int
    effective: float
    detectable: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Imbalance:
    """How a feature differs between an arm and control, beyond what propensities explain.

    Attributes
    ----------
    feature
        A column, ``column = level`` or ``column missing``.
    arm
        An offer id.
    difference
        Of means, in standard deviations.
    z
        Standard normal where arms were dealt out at random.
    """

    feature: str
    arm: str
    difference: float
    z: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Whether a trial can be believed.

    Attributes
    ----------
    findings
        At least one per check.
    arms
        Control first, then the offers in the policy's order.
    imbalances
        The features that differ most, by falling |z|.
    """

    findings: tuple[CheckVerdict, ...]
    arms: tuple[ArmCount, ...]
    imbalances: tuple[Imbalance, ...]

    @property
    def warnings(self) -> tuple[Message, ...]:
        """What a planner should know before believing the effects."""
        return tuple(finding.message for finding in self.findings if finding.verdict == "warning")

    def refuse(self, accepted: Collection[str] = ()) -> None:
        """Stop where the trial cannot teach effects.

        Parameters
        ----------
        accepted
            Keys of findings that the planner answers for.

        Raises
        ------
        DataError
            With every refusal that is not accepted, or that nobody can accept.
        """
        refused = [
            Fault(
                "trial",
                say("fault.where", part=finding.name, text=finding.what),
                remedy=_way_out(finding),
                waiver=finding.key if finding.check.is_acceptable else "",
            )
            for finding in self.findings
            if finding.verdict == "refusal" and not _waived(finding, accepted)
        ]
        if refused:
            raise DataError(*refused)

    def to_dict(self) -> dict[str, Any]:
        """Return the content for evaluation.json; what is infinite is None."""
        content = asdict(self)
        content["findings"] = [finding.to_dict() for finding in self.findings]
        for arm in content["arms"]:
            if math.isinf(arm["detectable"]):
                arm["detectable"] = None
        return content


def check_acceptable(names: Collection[str]) -> None:
    """Refuse names that no finding of a trial has, or that nobody can answer for.

    Raises
    ------
    ConfigError
        With every such name.
    """
    faults = [
        Fault(
            f"--accept {name}",
            say("trial.accept.unknown"),
            say("one of {names}", names=acceptable()),
        )
        for name in names
        if name not in acceptable()
    ]
    if faults:
        raise ConfigError(*faults)


def _waived(finding: CheckVerdict, accepted: Collection[str]) -> bool:
    return finding.key in accepted and finding.check.is_acceptable


def _way_out(finding: CheckVerdict) -> Message | str:
    """Return what to do about a refusal, and how to go on all the same where one may."""
    if not finding.check.is_acceptable:
        return finding.remedy or ""
    anyway = say("trial.accept.anyway", name=finding.key)
    return anyway if finding.remedy is None else joined([finding.remedy, anyway])
