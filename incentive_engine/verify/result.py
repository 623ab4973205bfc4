"""What a verification says: named checks, each with what it looked at and what it found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from incentive_engine.domain import BoolArray
from incentive_engine.language import Code, Message, Text, language, say
from incentive_engine.language.wording import joined, named


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question about a run."""

    name: str
    ok: bool
    what: str
    """What was looked at, such as ``the integer sum of cost_micros is within every money cap``."""
    problem: Message | None = None
    """What is off; None when nothing is."""

    @property
    def detail(self) -> str:
        """What is off, in English; empty when nothing is."""
        return "" if self.problem is None else str(self.problem)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, "ok": self.ok, "what": self.what, "detail": self.detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """All checks of one run; a run that cannot be read has failed the checks that say so."""

    run_dir: Path
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether there are checks, and every one passed."""
        # a verification that looked at nothing has proven nothing
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.ok)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "run_dir": str(self.run_dir),
            "ok": self.ok,
            "checks": [check.to_dict() for check in self.checks],
        }

    def to_json(self) -> str:
        """Return the verification as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=2)

    def to_text(self, lang: Code = "en") -> str:
        """Return one line per check, then the verdict."""
        t = language(lang)
        lines = [
            t(
                "verify.line_ok" if check.ok else "verify.line_fail",
                name=check.name,
                text=check.problem.text(lang) if check.problem else _question(check, lang),
            )
            for check in self.checks
        ]
        failed, run = len(self.failures), str(self.run_dir)
        verdict = t("verify.passed", run=run)
        if failed:
            verdict = t("verify.failed", run=run, failed=failed, all=len(self.checks))
        return "\n".join([*lines, verdict])


def _question(check: Check, lang: Code) -> str:
    """Return what a check looked at; where the catalogue lacks it, as the check itself says it."""
    phrase = named("proves", check.name.replace(" ", "_"))
    if lang == "en" or isinstance(phrase, str):
        return check.what
    t, (_, *states) = language(lang), check.what.split("; ")
    named_states = [state.partition(": ") for state in states]  # which files were at hand
    return "；".join(
        [phrase.text(lang), *(f"{t.phrase(word)}：{names}" for word, _, names in named_states)]
    )


@dataclass(slots=True)
class RowsAtFault:
    """How many rows have a problem, and the first of them."""

    count: int = 0
    first: list[int] = field(default_factory=list)


class CheckFindings:
    """Collects what is off in one check; rows may come block by block."""

    SHOWN: ClassVar = 3
    """How many rows or problems of one check are written out."""

    def __init__(self, name: str, what: str) -> None:
        self.name = name
        self.what = what
        self._problems: dict[Message, RowsAtFault | None] = {}

    def add(self, problem: Text) -> None:
        """Note a problem."""
        self._problems[_message(problem)] = None

    def add_rows(self, wrong: BoolArray, problem: Text, *, start: int = 0) -> None:
        """Note a problem of some rows: their number and the first three are shown.

        Parameters
        ----------
        wrong
            (b,) bool, rows from `start` on.
        """
        places = np.flatnonzero(wrong)
        if len(places):
            rows = self._problems.setdefault(_message(problem), RowsAtFault()) or RowsAtFault()
            rows.count += len(places)
            left = self.SHOWN - len(rows.first)
            rows.first += [start + row + 1 for row in places[:left].tolist()]

    def join(self, later: CheckFindings, *, start: int) -> None:
        """Note what was found in later rows, whose first one is row `start` here."""
        for problem, rows in later._problems.items():
            if rows is None:
                self.add(problem)
                continue
            own = self._problems.setdefault(problem, RowsAtFault()) or RowsAtFault()
            own.count += rows.count
            own.first += [start + row for row in rows.first[: self.SHOWN - len(own.first)]]

    def check(self) -> Check:
        """Return the check, passed when nothing was noted."""
        problems = list(self._texts())
        if not problems:
            return Check(name=self.name, ok=True, what=self.what)
        problem = joined(problems[: self.SHOWN])
        if len(problems) > self.SHOWN:
            more = len(problems) - self.SHOWN
            problem = say("{problem}; and {more} more", problem=problem, more=more)
        return Check(name=self.name, ok=False, what=self.what, problem=problem)

    def _texts(self) -> Iterator[Message]:
        for problem, rows in self._problems.items():
            if rows is None:
                yield problem
                continue
            values = {"problem": problem, "count": rows.count, "rows": tuple(map(str, rows.first))}
            yield (
                say("{problem} in {count:,} row(s): {rows}, …", **values)
                if rows.count > self.SHOWN
                else say("{problem} in {count:,} row(s): {rows}", **values)
            )


def _message(problem: Text) -> Message:
    return problem if isinstance(problem, Message) else say(problem)
