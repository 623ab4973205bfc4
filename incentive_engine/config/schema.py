"""What a policy file may say: closed, frozen models.

The string under a field is its documentation; the reference in ``docs/`` is generated from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    field_validator,
    model_validator,
)

from incentive_engine.config.amounts import (
    Bound,
    parse_amount,
    parse_bound,
    parse_share,
    write_bound,
)
from incentive_engine.domain import CONTROL, CONVERSION

OfferId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Amount = Annotated[float, BeforeValidator(parse_amount)]
Share = Annotated[float, BeforeValidator(parse_share), Field(ge=0, le=1)]
BoundField = Annotated[
    Bound, BeforeValidator(parse_bound), PlainSerializer(write_bound, when_used="json")
]
Scalar = str | int | float | bool
Basis = Literal["expected", "face", "at-risk"]


class Model(BaseModel):
    """A closed, frozen piece of configuration."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
        arbitrary_types_allowed=True,
        allow_inf_nan=False,
    )


class Range(Model):
    """A half-open range of numbers; a missing value is in no range."""

    at_least: float | None = None
    """The smallest number that matches."""
    below: float | None = None
    """The smallest number above that no longer matches."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.at_least is None and self.below is None:
            raise ValueError("a range needs at_least, below, or both")
        if self.at_least is not None and self.below is not None and self.at_least >= self.below:
            raise ValueError(f"the range from {self.at_least} to below {self.below} is empty")
        return self


Condition = Range | tuple[Scalar, ...]
"""Any of some values, or a range."""


def _as_condition(value: object) -> object:
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("an empty list matches nobody; name at least one value")
        return tuple(value)
    return value if isinstance(value, dict | Range) else (value,)


Where = dict[Name, Annotated[Condition, BeforeValidator(_as_condition)]]
"""Column to condition; a user must meet all of them."""


class Sample(Model):
    """A campaign that the program makes itself."""

    name: Literal["double11", "winback"]
    """Which campaign: `double11` (members and the 88VIP tier) or `winback` (lapsed users)."""
    users: int = Field(default=50_000, ge=100)
    """How many users to decide on."""
    trial_rows: int = Field(default=150_000, ge=100)
    """How many rows the randomised trial has."""
    seed: int = 11
    """The seed that it is made from."""


class Data(Model):
    """Where the campaign's data are; paths are relative to the policy file."""

    users: Path | None = Field(default=None, strict=False)
    """One row per user: user_id, attributes, features (CSV or Parquet)."""
    trial: Path | None = Field(default=None, strict=False)
    """A past randomised campaign: user_id, offer, conversion, spend, cost, [propensity],
    [features] (CSV or Parquet)."""
    sample: Sample | None = None
    """A campaign that the program makes itself, in place of users and trial."""

    @field_validator("sample", mode="before")
    @classmethod
    def _from_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.sample is not None and (self.users is not None or self.trial is not None):
            raise ValueError("sample stands alone; leave out users and trial, or sample")
        return self


class Offer(Model):
    """One incentive."""

    id: OfferId
    """Letters, digits, `_` and `-`; the name of the arm in the trial."""
    face_value: float = Field(ge=0)
    """What the offer is worth at most to its user, currency units: the worst case."""
    min_spend: float | None = Field(default=None, ge=0)
    """The basket from which it can be redeemed, currency units."""
    ladder: Name | None = None
    """Offers of one ladder differ in depth only, ordered by face value."""
    funder: Name | None = None
    """Who pays."""

    @field_validator("id")
    @classmethod
    def _not_control(cls, value: str) -> str:
        if value == CONTROL:
            raise ValueError(f"`{CONTROL}` is the arm without an offer; choose another id")
        return value


def _from_pairs(value: object) -> object:
    return dict(value) if isinstance(value, list) else value


Values = Annotated[
    dict[Scalar, Annotated[float, Field(ge=0)]],
    BeforeValidator(_from_pairs),
    PlainSerializer(lambda values: [list(pair) for pair in values.items()], when_used="json"),
]
"""Value to factor; as pairs in JSON, whose keys would all become text."""


class WeightFactor(Model):
    """One factor of a user's weight: a table of values, or a power of a column."""

    column: Name
    """The attribute that it looks at; a missing value counts 1."""
    values: Values | None = None
    """Value to factor; a value that is not listed counts 1."""
    power: float | None = None
    """The factor is (x / median) to this power."""
    clip: tuple[float, float] = Field(default=(0.1, 10.0), strict=False)
    """The range that a power is clipped to."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.values is None) == (self.power is None):
            raise ValueError("a weight has either values or power")
        if self.values is not None and self.clip != (0.1, 10.0):
            raise ValueError("clip belongs to power")
        if not 0 <= self.clip[0] <= self.clip[1]:
            raise ValueError(f"clip {list(self.clip)} is not a range of factors from low to high")
        return self


class Objective(Model):
    """What is maximised: weight × measure, summed over users."""

    maximise: dict[Name, float] = Field(default={CONVERSION: 1.0}, min_length=1)
    """A measure, or a weighted sum of measures such as {conversion: 1, spend: 0.02}."""
    weight: tuple[WeightFactor, ...] = Field(default=(), strict=False)
    """How much a user's outcome counts; the factors multiply."""

    @field_validator("maximise", mode="before")
    @classmethod
    def _single(cls, value: object) -> object:
        return {value: 1.0} if isinstance(value, str) else value


class Eligibility(Model):
    """The offers named here go only to users that match."""

    offers: tuple[OfferId, ...] = Field(min_length=1, strict=False)
    """Offer ids."""
    where: Where = Field(min_length=1)
    """Which users may get them."""


class Limit(Model):
    """A bound on a sum of a measure, or on a ratio of two sums."""

    name: Name
    """How the limit is called in reports; with `for_each` it becomes `name[VALUE]`."""
    sum: Name | None = None
    """The measure that is summed over the chosen pairs."""
    ratio: tuple[Name, Name] | None = Field(default=None, strict=False)
    """[numerator, denominator]: the ratio of their sums over the chosen pairs."""
    offers: tuple[OfferId, ...] | None = Field(default=None, min_length=1, strict=False)
    """Only pairs of these offers count; left out, all."""
    where: Where = {}
    """Only users that match count; left out, all."""
    for_each: Name | None = None
    """One limit per value of this column."""
    at_most: BoundField | None = None
    """The upper bound; `%` is of the budget for money, of all users for issued."""
    at_least: BoundField | None = None
    """The lower bound, in the same units."""
    report_only: bool = False
    """Measured, not enforced."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.sum is None) == (self.ratio is None):
            raise ValueError("a limit has either sum or ratio")
        if self.at_most is None and self.at_least is None:
            raise ValueError("a limit needs at_most, at_least, or both")
        low, high = self.at_least, self.at_most
        if low and high and low.is_share == high.is_share and low.value > high.value:
            raise ValueError(f"at_least {low.value} is above at_most {high.value}")
        return self


class Budget(Model):
    """The pool of money."""

    amount: Annotated[Amount, Field(ge=0)]
    """Currency units."""
    basis: Basis = "expected"
    """What must fit into it: the expected cost, the face value handed out, or the cost that is
    not exceeded with probability `confidence`."""
    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    """For `at-risk`: the probability that real redemption stays within the amount."""


class Policy(Model):
    """One campaign: its data, offers, aim and limits."""

    version: Literal[1]
    """The version of this format."""
    name: Name
    """The campaign's name."""
    currency: Name = "CNY"
    """The unit of every amount."""
    data: Data = Data()
    """Users and trial; not needed where scores are given."""
    offers: tuple[Offer, ...] = Field(min_length=1, strict=False)
    """The incentives to choose from."""
    objective: Objective = Objective()
    """What is maximised."""
    eligibility: tuple[Eligibility, ...] = Field(default=(), strict=False)
    """Who may get what."""
    limits: tuple[Limit, ...] = Field(default=(), strict=False)
    """Bounds beside the budget."""
    budget: Budget | None = None
    """The pool; `--budget` overrides its amount."""
    assignment: Literal["at_most_one", "exactly_one"] = "at_most_one"
    """`exactly_one`: every user gets an offer (holdout aside), or the run is infeasible."""
    holdout: Share | None = None
    """The share of users that never get an offer, so that the increment can be measured."""
    holdout_strata: tuple[Name, ...] = Field(default=(), strict=False)
    """The holdout is drawn within each combination of these columns."""
    seed: int = 0
    """Drives the holdout and every other random choice."""

    @property
    def offer_ids(self) -> tuple[str, ...]:
        """The offers in the order of the file, the order of every matrix."""
        return tuple(offer.id for offer in self.offers)

    @property
    def attribute_columns(self) -> tuple[str, ...]:
        """The user attributes that the policy names, each once, in order of appearance."""
        named: list[str] = [factor.column for factor in self.objective.weight]
        for rule in self.eligibility:
            named.extend(rule.where)
        for limit in self.limits:
            named.extend(limit.where)
            named.extend([limit.for_each] if limit.for_each else [])
        named.extend(self.holdout_strata)
        return tuple(dict.fromkeys(named))

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that the policy names, each once; conversion and cost always."""
        named = [CONVERSION, "cost", *self.objective.maximise]
        for limit in self.limits:
            named.extend([limit.sum] if limit.sum else list(limit.ratio or ()))
        return tuple(dict.fromkeys(named))

    def with_budget(self, **changes: Any) -> Policy:  # noqa: ANN401 - any field of Budget
        """Return the policy with some fields of its budget replaced, checked anew."""
        base = self.budget.model_dump() if self.budget else {}
        return self.model_copy(update={"budget": Budget.model_validate({**base, **changes})})
