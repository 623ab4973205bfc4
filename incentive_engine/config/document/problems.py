"""Problems that the models find themselves, with the field they are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from incentive_engine.config.document.places import Loc
from incentive_engine.language import Text


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with a field, in a planner's words."""

    kind: ClassVar[str] = "problem"
    """The type under which pydantic carries it."""

    loc: Loc
    """The way to the field, from the model that reports it."""
    what: Text
    expected: Text = ""
    remedy: Text = ""
    other: Loc | None = None
    """Another field that takes part, for example the first of two equal names; from the
    document's top."""

    def details(self) -> InitErrorDetails:
        """Return the problem as pydantic takes it."""
        error = PydanticCustomError(self.kind, "{text}", {"problem": self, "text": self._text()})
        loc = tuple(part if isinstance(part, str | int) else str(part) for part in self.loc)
        return InitErrorDetails(type=error, loc=loc, input=None)

    def _text(self) -> str:
        text = f"{self.what}, expected {self.expected}" if self.expected else self.what
        return f"{text}; {self.remedy}" if self.remedy else str(text)


def reject(*problems: FieldProblem) -> NoReturn:
    """Refuse a model for all of these problems.

    Raises
    ------
    ValidationError
        Always; inside a validator pydantic adds the way to the model.
    """
    raise ValidationError.from_exception_data("configuration", [p.details() for p in problems])


def with_problems(error: ValidationError, problems: list[FieldProblem]) -> ValidationError:
    """Return pydantic's errors and these problems as one error."""
    lines = [*map(_again, error.errors(include_url=False)), *(p.details() for p in problems)]
    return ValidationError.from_exception_data(error.title, lines)


def _again(line: ErrorDetails) -> InitErrorDetails:
    """Return a reported error in the form in which pydantic takes it.

    Every kind goes as a custom one, because pydantic cannot make all of its own again.
    """
    kind = PydanticCustomError(line["type"], line["msg"], line.get("ctx", {}))
    return InitErrorDetails(type=kind, loc=line["loc"], input=line["input"])
