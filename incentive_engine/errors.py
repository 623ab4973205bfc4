"""What can go wrong, grouped by what the caller can do about it.

Every message has one form, ``where: what is wrong, what was expected, what to do``. A planner
gets all the problems of a file at once, hence an error carries a tuple of faults.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar

from incentive_engine.language import Code, Message, Text, language, say


@dataclass(frozen=True, slots=True)
class Fault:
    """One problem: where it is, what is wrong, what was expected, what to do.

    A text that names nothing is written as it is, one with values as
    ``say("column `{name}` is missing", name=name)``; both have their Chinese in the catalogue.

    Attributes
    ----------
    waiver
        What `--accept` calls it, where somebody may answer for it; empty for what must be mended.
    """

    where: Text
    what: Text
    expected: Text = ""
    remedy: Text = ""
    waiver: str = ""

    def __str__(self) -> str:
        """Return the line that a user reads.

        >>> str(Fault("plan.yaml:3: holdout", "150 % is too much", "at most 100 %"))
        'plan.yaml:3: holdout: 150 % is too much, expected at most 100 %'
        """
        return self.text("en")

    def text(self, code: Code) -> str:
        """Return the line in a language.

        >>> Fault("plan.yaml:3: holdout", "is missing", "a whole number").text("zh")
        'plan.yaml:3: holdout：缺失，应为：整数'
        """
        t = language(code)
        parts = (("where", self.where), ("expected", self.expected), ("remedy", self.remedy))
        text = t.phrase(self.what)
        for name, part in parts:
            if part:
                text = t(f"fault.{name}", text=text, part=t.phrase(part))
        return text


class IncentiveError(Exception):
    """The base of every error that the engine raises on purpose."""

    exit_code: ClassVar[int] = 3

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults

    def text(self, code: Code) -> str:
        """Return every fault in a language, a line each."""
        return "\n".join(fault.text(code) for fault in self.faults)


class ConfigError(IncentiveError):
    """A policy, a scenario or an option is wrong: edit it."""

    exit_code = 2


class DataError(IncentiveError):
    """A file's content or place is wrong: mend the data, or name another file."""

    exit_code = 2


class InfeasibleError(IncentiveError):
    """No plan meets all limits: relax one of those that are named."""

    exit_code = 1


class VerificationError(IncentiveError):
    """A run does not hold what it states: do not use it."""

    exit_code = 1


class SolverError(IncentiveError):
    """A solver ended without an answer that can be used: report it."""


class SetupError(IncentiveError):
    """Something that the machine lacks: install it, or give it more room."""

    exit_code = 2


def nearest(name: str, known: Iterable[str]) -> Message:
    """Return a hint at the known name nearest to `name`, or the known names when none is near.

    >>> str(nearest("at_mots", ["at_most", "at_least"]))
    'did you mean `at_most`?'
    >>> str(nearest("zzz", ["a", "b"]))
    'known: a, b'
    """
    names = sorted(known)
    if match := near_name(name, names):
        return say("did you mean `{name}`?", name=match)
    return say("known: {names}", names=tuple(names)) if names else say("none is known")


def near_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name nearest to `name`; None when none is near.

    >>> near_name("at_mots", ["at_most", "at_least"]), near_name("zzz", ["a", "b"])
    ('at_most', None)
    """
    return next(iter(get_close_matches(name, sorted(known), n=1, cutoff=0.6)), None)
