"""What a policy file may say: closed, frozen models.

The string under a field is its documentation; the reference in ``docs/`` is generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)

from incentive_engine.config.access.location import Location
from incentive_engine.config.conditions import Values, Where
from incentive_engine.config.crosscheck import policy_problems
from incentive_engine.config.document.models import Document, Model, faults_of
from incentive_engine.config.document.places import DocumentSource
from incentive_engine.config.document.problems import FieldProblem, reject, with_problems
from incentive_engine.config.document.words import Words
from incentive_engine.config.fields import (
    BoundField,
    Column,
    Confidence,
    Margin,
    Measure,
    Money,
    Name,
    OfferId,
    Seed,
    Share,
)
from incentive_engine.config.history import History
from incentive_engine.config.inputs import Data, Features
from incentive_engine.config.offer import ColumnTitle, Offer
from incentive_engine.config.schedule.campaign import Campaign
from incentive_engine.config.schedule.moments import TimeZone
from incentive_engine.domain import CONVERSION, COST, FACE, ISSUED
from incentive_engine.errors import ConfigError
from incentive_engine.language import say

Basis = Literal["expected", "face", "at-risk"]


class WeightFactor(Model):
    """One factor of a user's weight: a table of values, or a power of a column."""

    column: Column
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
            both = "there is neither" if self.values is None else "there are both"
            reject(FieldProblem((), both, "either values or power"))
        if self.values is not None and self.clip != (0.1, 10.0):
            reject(
                FieldProblem(("clip",), "a table of values is not clipped", "power beside clip")
            )
        if not 0 <= self.clip[0] <= self.clip[1]:
            low, high = self.clip
            what = say("[{low:g}, {high:g}] is no range", low=low, high=high)
            reject(FieldProblem(("clip",), what, "[low, high], neither below 0"))
        return self


class Objective(Model):
    """What is maximised: weight × measure, summed over users."""

    maximise: dict[Measure, float] = Field(default={CONVERSION: 1.0}, min_length=1)
    """A measure, or a weighted sum of measures such as {conversion: 1, spend: 0.02}."""
    weight: tuple[WeightFactor, ...] = Field(default=(), strict=False)
    """How much a user's outcome counts; the factors multiply."""

    @field_validator("maximise", mode="before")
    @classmethod
    def _single(cls, value: object) -> object:
        return {value: 1.0} if isinstance(value, str) else value


class Eligibility(Model):
    """Who may get some offers; a user must match every rule that names an offer."""

    offers: tuple[OfferId, ...] = Field(min_length=1, strict=False)
    """Offer ids."""
    where: Where = Field(min_length=1)
    """Which users may get them: a value, a list of values (any of them) or a range
    `{at_least: 60, below: 90}` per column; several columns mean all of them."""


class Limit(Model):
    """A bound on a sum of a measure, or on a ratio of two sums."""

    name: Name
    """How the limit is called in reports; with `for_each` it becomes `name[VALUE]`."""
    sum: Measure | None = None
    """The measure that is summed over the chosen pairs."""
    ratio: tuple[Measure, Measure] | None = Field(default=None, strict=False)
    """[numerator, denominator]: the ratio of their sums over the chosen pairs."""
    offers: tuple[OfferId, ...] | None = Field(default=None, min_length=1, strict=False)
    """Only pairs of these offers count; left out, all."""
    where: Where = Field(default={})
    """Only users that match count; left out, all."""
    for_each: Column | None = None
    """One limit per value of this column."""
    at_most: BoundField | None = None
    """The upper bound; `%` is of the budget for money, of all users for issued, and `% of spent`
    of what the whole plan adds up to in the same measure."""
    at_least: BoundField | None = None
    """The lower bound, in the same units."""
    report_only: bool = False
    """Measured, not enforced."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.sum is None) == (self.ratio is None):
            both = "there is neither" if self.sum is None else "there are both"
            reject(FieldProblem((), both, "either sum or ratio"))
        if self.at_most is None and self.at_least is None:
            reject(FieldProblem((), "there is no bound", "at_most, at_least, or both"))
        low, high = self.at_least, self.at_most
        if low and high and low.of_plan != high.of_plan:
            what = say("{low} and {high} bound different things", low=low, high=high)
            reject(FieldProblem(("at_least",), what, "the same of both", "write two limits"))
        if low and high and low.is_share == high.is_share and low.value > high.value:
            what = say("the lower bound {low} is above the upper bound {high}", low=low, high=high)
            reject(FieldProblem(("at_least",), what, remedy="no plan can meet both"))
        if high and high.value < 0 and self.sum in {COST, FACE, ISSUED}:
            what = say("a sum of {sum} is never below 0", sum=self.sum)
            reject(FieldProblem(("at_most",), what, "at least 0"))
        return self

    @property
    def is_part_of_plan(self) -> bool:
        """Whether the bounds are shares of the plan's own total."""
        return any(bound is not None and bound.of_plan for bound in (self.at_least, self.at_most))


class Budget(Model):
    """The pool of money."""

    SEASON_ERROR: ClassVar[float] = 0.05
    """Relative error of a forecast total where the planner knows no better."""

    amount: Money
    """Currency units."""
    basis: Basis = "expected"
    """What must fit into it: the expected cost, the face value handed out, or the cost that is
    not exceeded with probability `confidence`."""
    confidence: Confidence = 0.95
    """For `at-risk`: the probability that real redemption stays within the amount."""
    cost_error: Share | None = None
    """For `at-risk`: the relative standard error of the forecast of the total cost, to be taken
    from past campaigns. Left out, it is 0.05, because redemption follows prices and traffic of
    the season, which no model of a past trial knows; where the scores come from a model, that
    model's own error of the total, as its trial tells, and what choosing users by their scores
    may add to it are added (root of the sum of squares)."""

    @property
    def forecast_error(self) -> float:
        """The relative standard error of the forecast of the total cost."""
        return self.SEASON_ERROR if self.cost_error is None else self.cost_error


class Approval(Model):
    """Whether somebody must agree before offers leave."""

    required: bool = True
    """`export` then refuses a run that nobody but its author has approved."""


class Signature(Model):
    """Whether a run must be signed before offers leave."""

    required: bool = True
    """`export`, `check` and `approve` then want the key, `--signing-key FILE` or
    `INCENTIVE_SIGNING_KEY`, and refuse a run that is not signed with it."""


def _no_truth_value(value: object) -> object:
    """Refuse `true`, which is equal to 1 and not meant as it."""
    return "true" if value is True else value


class Policy(Document):
    """One campaign: its data, offers, aim and limits."""

    version: Annotated[Literal[1], BeforeValidator(_no_truth_value), Words("`1`")]
    """The version of this format."""
    name: Name
    """The campaign's name."""
    currency: Name = "CNY"
    """The unit of every amount."""
    timezone: TimeZone = "Asia/Shanghai"
    """The zone of every time."""
    author: Name | None = None
    """Who plans; `--author` overrides it, and left out it is who runs the program."""
    data: Data = Data()
    """Users and trial; not needed where scores are given."""
    offers: tuple[Offer, ...] = Field(min_length=1, strict=False)
    """The incentives to choose from."""
    features: Features = Features()
    """What the uplift model may learn from."""
    history: History | None = None
    """Event logs, and the features that are made of them; left out: none."""
    objective: Objective = Objective()
    """What is maximised."""
    margin: Margin | None = None
    """The part of spend that is left after the goods are paid for, such as 25%: pages then state
    the profit, margin times incremental spend less the subsidy."""
    titles: Annotated[
        Mapping[Column, ColumnTitle],
        Words("a mapping from columns to their [titles](#columntitle)"),
    ] = Field(default_factory=dict)
    """How pages call columns of the users and their values."""
    eligibility: tuple[Eligibility, ...] = Field(default=(), strict=False)
    """Who may get what; an offer that is not named may go to everybody."""
    # limits that a policy may write; one with `for_each` counts once, however many values it has
    limits: tuple[Limit, ...] = Field(default=(), max_length=1_000, strict=False)
    """Bounds beside the budget."""
    budget: Budget | None = None
    """The pool; `--budget` overrides its amount."""
    assignment: Literal["at_most_one", "exactly_one"] = "at_most_one"
    """`exactly_one`: every user gets an offer (holdout aside), or the run is infeasible."""
    holdout: Share | None = None
    """The share of users that never get an offer, so that the increment can be measured; left
    out: 0, with a warning."""
    holdout_strata: tuple[Column, ...] = Field(default=(), strict=False)
    """The holdout is drawn within each combination of these columns."""
    explore: Share | None = None
    """The share of the users outside the holdout who get an arm by lot, control among them, out of
    those that they may get, so that the campaign teaches the next one; their cost is part of the
    budget. Left out: nobody."""
    campaign: Campaign | None = None
    """When the campaign runs and how users are expected to come; `serve` then solves prices anew
    while it runs. Left out: the plan's prices stay."""
    approval: Approval | None = None
    """Whether somebody must agree before offers leave; left out: nobody."""
    signature: Signature | None = None
    """Whether offers may leave unsigned runs; left out: they may, unless a key is at hand."""
    fairness: tuple[Column, ...] = Field(default=(), strict=False)
    """Columns by which the report compares what users get, such as tier, tenure and spend: value
    by value, or in fifths of a number. Members of the value with the largest weight, and the
    highest fifth, count as loyal. Left out, those of the weights."""
    seed: Seed = 0
    """Drives the holdout and every other random choice."""

    @model_validator(mode="wrap")
    @classmethod
    def _as_a_whole(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401 - whatever a file holds
        if isinstance(data, Mapping):
            # keys of a policy under which nothing may stand; that is as if they were left out
            sections = frozenset(
                {
                    "data",
                    "features",
                    "history",
                    "objective",
                    "eligibility",
                    "limits",
                    "holdout_strata",
                    "fairness",
                }
            )
            # a heading whose lines are all commented out is no fault
            data = {k: v for k, v in data.items() if v is not None or k not in sections}
        # before pydantic looks, so that both kinds of problems are told at once
        problems = policy_problems(data)
        try:
            policy = handler(data)
        except ValidationError as error:
            raise with_problems(error, problems) from None
        problems += _history_problems(policy)
        if problems:
            reject(*problems)
        return policy

    @property
    def offer_ids(self) -> tuple[str, ...]:
        """The offers in the order of the file, the order of every matrix."""
        return tuple(offer.id for offer in self.offers)

    @property
    def locations(self) -> tuple[Location, ...]:
        """Where the tables lie that the policy names."""
        logs = self.history.logs if self.history else ()
        named = (self.data.users, *self.data.trials, *(log.source for log in logs))
        return tuple(location for location in named if location is not None)

    @property
    def attribute_columns(self) -> tuple[str, ...]:
        """The user attributes that the policy names, each once, in order of appearance."""
        named: list[str] = [factor.column for factor in self.objective.weight]
        for rule in self.eligibility:
            named.extend(rule.where)
        for limit in self.limits:
            named.extend(limit.where)
            named.extend([limit.for_each] if limit.for_each else [])
        named.extend((*self.holdout_strata, *self.fairness))
        return tuple(dict.fromkeys(named))

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that the policy names, each once; conversion and cost always."""
        named = [CONVERSION, COST, *self.objective.maximise]
        for limit in self.limits:
            named.extend([limit.sum] if limit.sum else list(limit.ratio or ()))
        return tuple(dict.fromkeys(named))

    def without_exploring(self) -> Policy:
        """Return the policy by which prices alone decide, as a rule that is tried on a trial."""
        return self if self.explore is None else self.model_copy(update={"explore": None})

    def with_budget(self, **changes: Any) -> Policy:  # noqa: ANN401 - any field of Budget
        """Return the policy with some fields of its budget replaced, checked anew.

        Raises
        ------
        ConfigError
            With every field that cannot be.
        """
        written = {**(self.budget.model_dump() if self.budget else {}), **changes}
        try:
            budget = Budget.model_validate(written)
        except ValidationError as error:
            source = DocumentSource("budget")
            faults = faults_of(error, model=Budget, written=written, source=source)
            raise ConfigError(*(fault for _, fault in faults)) from None
        # the rest was checked when the policy was read
        return self.model_copy(update={"budget": budget})


def _history_problems(policy: Policy) -> list[FieldProblem]:
    """Return what the history asks of the policy's offers and data that they do not have."""
    history = policy.history
    if history is None:
        return []
    problems = []
    sample = policy.data.sample
    if history.events == "sample" and (sample is None or sample.name != "everyday"):
        what = "the data are no sample that has an event log"
        problems.append(FieldProblem(("history", "events"), what, "`data: {sample: everyday}`"))
    if isinstance(history.features, tuple) and not any(o.categories for o in policy.offers):
        problems += [
            FieldProblem(
                ("history", "features", index),
                "no offer says what it can be spent on",
                "`categories: [CATEGORY, …]` in an offer",
            )
            for index, declaration in enumerate(history.features)
            if declaration.match is not None
        ]
    return problems
