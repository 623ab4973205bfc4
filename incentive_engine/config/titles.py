"""How offers, columns and their values are called on pages, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.document.words import Words
from incentive_engine.config.fields import Model, Name
from incentive_engine.language import Code


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
