"""What a policy says of one incentive, and what people read in place of names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from incentive_engine.config.document.models import Model
from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.document.words import Words
from incentive_engine.config.fields import Money, Name, OfferId, Scalar
from incentive_engine.config.schedule.moments import LastMoment, Moment
from incentive_engine.domain import CONTROL, MICROS, to_micros
from incentive_engine.language import Code, say


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


class Offer(Model):
    """One incentive."""

    id: OfferId
    """Letters, digits, `_` and `-`; the name of the arm in the trial."""
    title: TitleField | None = None
    """How pages call it; left out, by its id."""
    face_value: Money
    """What the offer is worth at most to its user, currency units: the worst case."""
    min_spend: Money | None = None
    """The basket from which it can be redeemed, currency units."""
    ladder: Name | None = None
    """Offers of one ladder differ in depth only, ordered by face value: deeper works no worse."""
    funder: Name | None = None
    """Who pays."""
    valid_from: Moment | None = None
    """The first moment at which it can be redeemed, local time; left out, at once."""
    valid_to: LastMoment | None = None
    """The last moment at which it can be redeemed, local time; left out, for ever."""
    categories: tuple[Scalar, ...] = Field(default=(), strict=False)
    """What it can be spent on: categories of the history's logs, for features that match an
    offer with what its user bought."""
    campaign_id: Name | None = None
    """What the system that redeems the offer calls it, such as Eagle Eye's campaignId; left out,
    its id."""

    @field_validator("face_value")
    @classmethod
    def _in_millionths(cls, value: float) -> float:
        """Round up to a millionth, as all money is counted; 2.8600000000000003 is 2.86."""
        # beyond this a face value's millionths, summed over ten million users, overflow integers
        largest_face = 1e9
        return float(to_micros(value)) / MICROS if value < largest_face else value

    @model_validator(mode="after")
    def _some_time_to_redeem(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to <= self.valid_from:
            what = say(
                "{valid_to} is not after {valid_from}",
                valid_to=self.valid_to,
                valid_from=self.valid_from,
            )
            reject(FieldProblem(("valid_to",), what, remedy="it could never be redeemed"))
        return self

    @field_validator("id")
    @classmethod
    def _not_control(cls, value: str) -> str:
        if value == CONTROL:
            what = say("`{control}` is the arm without an offer", control=CONTROL)
            reject(FieldProblem((), what, remedy="choose another id"))
        return value
