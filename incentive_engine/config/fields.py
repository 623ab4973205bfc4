"""The kinds of values that the fields of policies and scenarios take."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic._internal._model_construction import ModelMetaclass

from incentive_engine.config.access.location import Location, parse_location
from incentive_engine.config.amounts import (
    Bound,
    parse_amount,
    parse_bound,
    parse_share,
    parse_sum,
    write_bound,
)
from incentive_engine.config.document.places import DocumentSource, Loc
from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.document.words import Words
from incentive_engine.errors import ConfigError
from incentive_engine.language import Code, Text, say


class Configuration(ModelMetaclass):
    """Lets a model that a program makes say what is wrong as files do: by `ConfigError`."""

    def __call__(cls, **values: Any) -> Any:  # noqa: ANN401, N805 - fields of any model; a class
        """Return the model of some fields.

        Raises
        ------
        ConfigError
            With every field that cannot be.
        """
        from incentive_engine.config.document.pydantic_errors import faults_of

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


@dataclass(frozen=True, slots=True)
class FileContext:
    """What validating needs to know about the file that a document comes from."""

    folder: Path
    """Relative paths start here."""
    require_data: bool
    """Whether data files must exist."""


def _scalar(value: object) -> object:
    if not isinstance(value, str | int | float | bool):
        what = (
            "is empty"
            if value is None
            else say("is {value}", value="a list" if isinstance(value, list) else "a mapping")
        )
        reject(FieldProblem((), what, "a single value: text, a number, true or false"))
    # YAML reads 3.0 and 3 as two types, and a column of whole numbers holds neither as text
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def path_beside(path: Path, info: ValidationInfo, *, expected: str, required: bool) -> Path:
    """Return a file's path from the folder of the document that names it."""
    context = info.context
    if not isinstance(context, FileContext):
        return path
    # a link stays as it is written: whoever set it may turn it to the next campaign
    full = Path(os.path.abspath(context.folder / path.expanduser()))  # noqa: PTH100 - keeps links
    if required and not full.is_file():
        what = (
            say("`{path}` is a directory", path=path)
            if full.is_dir()
            else say("no file `{path}`", path=path)
        )
        reject(_not_there(what, expected))
    return full


def _not_there(what: Text, expected: str) -> FieldProblem:
    return FieldProblem((), what, expected, "paths start from the folder of this file")


def _location(value: object, info: ValidationInfo) -> object:
    """Read where a table lies; a path must exist where data are required."""
    if not isinstance(value, str | Path):
        return value
    context = info.context if isinstance(info.context, FileContext) else None
    try:
        location = parse_location(str(value), folder=context.folder if context else None)
    except ConfigError as error:
        fault = error.faults[0]
        reject(FieldProblem((), fault.what, fault.expected, fault.remedy))
    table = "a CSV or Parquet file, a folder of Parquet, or a database's URL"
    if context and context.require_data and (path := location.path) is not None:
        if location.is_pattern:
            if not glob.glob(location.address, recursive=True):  # noqa: PTH207 - a whole path
                reject(_not_there(say("no file is called like `{value}`", value=value), table))
        elif not path.exists():
            reject(_not_there(say("no file `{value}`", value=value), table))
    return location


OfferId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=64),
    Words("an id of letters, digits, `_` and `-`"),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Column = Annotated[Name, Words("a column's name")]
Measure = Annotated[Name, Words("a measure's name")]
Amount = Annotated[float, BeforeValidator(parse_amount), Words("an amount")]
Money = Annotated[float, BeforeValidator(parse_sum), Field(ge=0), Words("an amount of at least 0")]
Share = Annotated[
    float, BeforeValidator(parse_share), Field(ge=0, le=1), Words("a share such as 0.05 or 5%")
]
Margin = Annotated[
    float, BeforeValidator(parse_share), Field(gt=0, le=1), Words("a share above 0 such as 25%")
]
BoundField = Annotated[
    Bound,
    BeforeValidator(parse_bound),
    PlainSerializer(write_bound, when_used="json"),
    Words("an amount, a percentage or `25% of spent`"),
]
Count = Annotated[int, Field(ge=100), Words("a whole number of at least 100")]
Confidence = Annotated[float, Field(ge=0.5, lt=1), Words("a probability from 0.5 to below 1")]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1), Words("a whole number from 0 to 2147483647")]
Scalar = Annotated[
    str | int | float | bool, BeforeValidator(_scalar), Words("text, a number, true or false")
]
DataPath = Annotated[
    Location,
    BeforeValidator(_location),
    PlainSerializer(str, when_used="json"),
    Words("the path of a CSV or Parquet file, of a folder of Parquet, or a database's URL"),
]
"""Where a table lies; what is written of it elsewhere holds no password."""


class Title(Model):
    """What people read in place of an id."""

    en: Name | None = None
    """In English."""
    zh: Name | None = None
    """In Chinese."""

    @model_validator(mode="after")
    def _in_some_language(self) -> Self:
        if self.en is None and self.zh is None:
            reject(FieldProblem((), "is empty", "{en: …, zh: …}, or a text for both"))
        return self

    def text(self, code: Code) -> str:
        """Return it in a language, or in the other where it has none.

        >>> Title(zh="会员等级").text("en")
        '会员等级'
        """
        texts = (self.en, self.zh) if code == "en" else (self.zh, self.en)
        return next(text for text in texts if text is not None)


def _of_both(value: object) -> object:
    return {"en": value, "zh": value} if isinstance(value, str) else value


TitleField = Annotated[
    Title, BeforeValidator(_of_both), Words("text, or a mapping {en: text, zh: text}")
]


class ColumnTitle(Model):
    """What people read in place of a column's name and of its values."""

    title: TitleField | None = None
    """Of the column."""
    values: Annotated[
        Mapping[str, TitleField], Words("a mapping from values to their [titles](#title)")
    ] = Field(default_factory=dict)
    """Of its values; those left out stay as they are."""
