"""What policies and scenarios are made of, and what is wrong with one, in a planner's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Self, cast

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from pydantic._internal._model_construction import ModelMetaclass
from pydantic_core import ErrorDetails

from incentive_engine.config.document.places import DocumentSource, Loc, Place
from incentive_engine.config.document.problems import FieldProblem
from incentive_engine.config.document.words import describe, key_type, models_at, type_at
from incentive_engine.errors import ConfigError, Fault, near_name, nearest
from incentive_engine.language import Message, Text, any_of, message_of, say

NOTHING: Final = object()


class Configuration(ModelMetaclass):
    """Lets a model that a program makes say what is wrong as files do: by `ConfigError`."""

    def __call__(cls, **values: Any) -> Any:  # noqa: ANN401, N805 - fields of any model; a class
        """Return the model of some fields.

        Raises
        ------
        ConfigError
            With every field that cannot be.
        """
        try:
            return super().__call__(**values)
        except ValidationError as error:
            source = DocumentSource(cls.__name__.lower())
            model = cast("type[BaseModel]", cls)
            faults = faults_of(error, model=model, written=values, source=source)
            raise ConfigError(*(fault for _, fault in faults)) from None


class Model(BaseModel, metaclass=Configuration):
    """A closed, frozen piece of configuration."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        arbitrary_types_allowed=True,
        allow_inf_nan=False,
    )


class Document(Model):
    """A whole file; it knows where its fields stand."""

    _source: DocumentSource = PrivateAttr(default_factory=DocumentSource)

    def read_from(self, source: DocumentSource) -> Self:
        """Return the same document, knowing where it was read."""
        read = self.model_copy()
        read._source = source  # noqa: SLF001 - its own attribute, on a copy
        return read

    def locate(self, loc: Loc) -> str:
        """Return where a field stands, for messages of later checks.

        For example ``policies/x.yaml:31: limits.2.where.tir``; a document that no file gave says
        ``policy: limits.2.where.tir``.
        """
        return self._source.locate(loc)


def faults_of(
    error: ValidationError, *, model: object, written: object, source: DocumentSource
) -> list[tuple[Place, Fault]]:
    """Return what is wrong, each with its place.

    Parameters
    ----------
    error
        What pydantic found.
    model
        The model that was to be made.
    written
        The plain content that it was made from.
    source
        Where each field stands.
    """
    problems: dict[Loc, FieldProblem] = {}
    lines = [line for line in error.errors(include_url=False) if not _told_by_items(line)]
    misspelt = dict(_misspelt(lines, model=model, written=written))
    for line in lines:
        loc = written_loc(line, written)
        if loc not in misspelt.values():
            hint = say("did you mean `{name}`?", name=misspelt[loc][-1]) if loc in misspelt else ""
            problems.setdefault(loc, _problem(line, loc, model=model, hint=hint))
    return [(source.place(p.loc), _fault(p, source)) for p in problems.values()]


def first_of(error: ValidationError) -> Text:
    """Return the first thing that is wrong with content that no planner has written."""
    line = error.errors(include_url=False)[0]
    where, kind = ".".join(map(str, line["loc"])), line["type"]
    context = line.get("ctx", {})
    if kind == FieldProblem.kind:
        what: Text = context["problem"].what
    elif kind == "value_error":
        what = message_of(context["error"])
    elif kind == "extra_forbidden":
        what = say("unknown key")
    else:
        what = _what(line)
    shown_what = what if isinstance(what, Message) else say(what)
    return say("{where}: {what}", where=where, what=shown_what) if where else shown_what


def _told_by_items(line: ErrorDetails) -> bool:
    """Return whether something is only called empty because none of its items is right."""
    return line["type"] == "too_short" and bool(line["input"])


def written_loc(line: ErrorDetails, written: object) -> Loc:
    """Return the way to the field that an error is about, without pydantic's own stations.

    Branches of unions, marks for keys and positions in what was a single value are left out.
    """
    loc: list[str | int] = []
    *stations, last = line["loc"] or ("",)
    for part in (*stations, last):
        below = _below(written, part)
        if below is not NOTHING:
            written = below
        elif part is not last or line["type"] != "missing":
            continue
        loc.append(part)
    return tuple(loc)


def _below(written: object, step: str | int) -> object:
    if isinstance(written, Mapping):
        return next((below for key, below in written.items() if str(key) == str(step)), NOTHING)
    if isinstance(written, list | tuple) and isinstance(step, int) and step < len(written):
        below: object = written[step]
        return below
    return NOTHING


def _misspelt(
    lines: list[ErrorDetails], *, model: object, written: object
) -> Iterator[tuple[Loc, Loc]]:
    """Yield unknown keys, each with the missing key that it was meant to be."""
    missing = {written_loc(line, written) for line in lines if line["type"] == "missing"}
    for line in lines:
        loc = written_loc(line, written)
        near = {m[-1] for m in missing if m[:-1] == loc[:-1]}
        if line["type"] == "extra_forbidden" and near:
            hint = near_name(str(loc[-1]), _known_keys(model, loc[:-1]))
            meant = next((key for key in near if hint == key), None)
            if meant is not None:
                missing.discard((*loc[:-1], meant))
                yield loc, (*loc[:-1], meant)


def _known_keys(model: object, loc: Loc) -> list[str]:
    return [name for below in models_at(model, loc) for name in below.model_fields]


def _fault(problem: FieldProblem, source: DocumentSource) -> Fault:
    what = problem.what
    if problem.other is not None:
        place = source.place(problem.other)
        if place.line:
            what = say("{what}, first on line {line}", what=what, line=place.line)
    return Fault(source.locate(problem.loc), what, problem.expected, problem.remedy)


def _problem(line: ErrorDetails, loc: Loc, *, model: object, hint: Text) -> FieldProblem:
    kind, context = line["type"], line.get("ctx", {})
    if kind == FieldProblem.kind:
        own: FieldProblem = context["problem"]
        return FieldProblem(loc, own.what, own.expected, own.remedy, own.other)
    if kind in {"extra_forbidden", "invalid_key"}:
        keys = _known_keys(model, loc[:-1])
        return FieldProblem(loc, "unknown key", remedy=hint or nearest(str(loc[-1]), keys))
    if kind == "value_error" and isinstance(line["input"], str | int | float):
        return FieldProblem(loc, message_of(context["error"]))
    what = _what(line)
    if (expected := _expected(kind, context)) is not None:
        return FieldProblem(loc, what, expected)
    if kind == "literal_error":
        return _unknown_choice(line, loc)
    is_key = line["loc"][-1] == "[key]"
    takes = key_type(type_at(model, loc[:-1])) if is_key else type_at(model, loc)
    return FieldProblem(loc, what, describe(takes))


def _unknown_choice(line: ErrorDetails, loc: Loc) -> FieldProblem:
    choices = [part.strip("'") for part in re.split(r", | or ", line["ctx"]["expected"])]
    near = near_name(str(line["input"]), choices)
    remedy = say("did you mean `{name}`?", name=near) if near else ""
    expected = any_of(choices)
    return FieldProblem(
        loc, say("{value} is not known", value=shown(line["input"])), expected, remedy
    )


def shown(value: object) -> Text:
    """Return a value as a message repeats it.

    >>> str(shown("x" * 99))[-3:], shown(True), str(shown(None)), shown(-5.0)
    ('x`…', '`true`', 'nothing', '`-5`')
    """
    if value is None:
        return say("nothing")
    if isinstance(value, float):  # an amount, written `-5` or `-5k`
        text = f"{value:.15g}"
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    # characters of a wrong value that a message repeats
    longest = 60
    return f"`{text}`" if len(text) <= longest else f"`{text[:longest]}`…"


def _wrong_type(line: ErrorDetails) -> Text:
    value = line["input"]
    if value is None:
        return say("is empty")
    if isinstance(value, Mapping):
        return say("is a mapping")
    if isinstance(value, list | tuple):
        return say("is a list")
    # what values of YAML are
    types = {
        str: say("text"),
        bool: say("true or false"),
        int: say("a whole number"),
        float: say("a number"),
    }
    kind = types.get(type(value), say("something else"))
    return say("{value} is {kind}", value=shown(value), kind=kind)


def _what(line: ErrorDetails) -> Text:
    """Return what is wrong, by pydantic's kind of error; every other kind is a wrong type."""
    value = line["input"]
    kinds: dict[str, Callable[[], Text]] = {
        "missing": lambda: say("is missing"),
        "greater_than_equal": lambda: say("{value} is too small", value=shown(value)),
        "greater_than": lambda: say("{value} is too small", value=shown(value)),
        "less_than_equal": lambda: say("{value} is too large", value=shown(value)),
        "less_than": lambda: say("{value} is too large", value=shown(value)),
        "finite_number": lambda: say("{value} is not finite", value=shown(value)),
        "string_pattern_mismatch": lambda: say("{value} has other characters", value=shown(value)),
        "string_too_short": lambda: say("is empty"),
        "string_too_long": lambda: say("has {count:,} characters", count=len(value)),
        "too_short": lambda: say("is empty"),
        "too_long": lambda: say("has {count:,} items", count=len(value)),
    }
    return kinds.get(line["type"], lambda: _wrong_type(line))()


def _expected(kind: str, context: Mapping[str, object]) -> Text | None:
    """Return what was expected, where the kind of error knows better than the field's type."""
    kinds: dict[str, Callable[[], Text]] = {
        "greater_than_equal": lambda: say("at least {bound:g}", bound=context["ge"]),
        "greater_than": lambda: say("more than {bound:g}", bound=context["gt"]),
        "less_than_equal": lambda: say("at most {bound:g}", bound=context["le"]),
        "less_than": lambda: say("less than {bound:g}", bound=context["lt"]),
        "string_too_long": lambda: say("at most {bound}", bound=context["max_length"]),
        "string_too_short": lambda: say("some text"),
        "too_long": lambda: say("at most {bound:,}", bound=context["max_length"]),
    }
    return kinds[kind]() if kind in kinds else None
