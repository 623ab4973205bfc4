"""What the page shows beside the plan itself: other budgets, simpler ways, holdout, fairness.

As in `content`: plain numbers, money in currency units, shares as fractions, None for unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from incentive_engine.stats.estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRow:
    """What one group of users takes at one budget, by the scores."""

    value: float
    treated: float
    conversions: float
    spend: float | None
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePoint:
    """One budget.

    Attributes
    ----------
    budget
        Currency units, in the budget's own basis.
    spent
        What is used of it.
    value
        The most value that it buys.
    price
        Value per further currency unit there.
    groups
        Per group, in the order of `Response.groups`.
    """

    budget: float
    spent: float
    value: float
    price: float
    groups: tuple[ResponseRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What any budget brings.

    Attributes
    ----------
    exact
        Money is the only limit, and the points add up the users' efficient steps; otherwise each
        point is solved under all limits, and what lies between them is interpolated.
    groups
        Names of the groups of users; `OTHERS` among them.
    column
        Of the users, whose values they are.
    points
        By rising budget.
    width
        Exact ones: how far apart in money two points, and what they stand for, are at most.
    error
        Exact ones: by how much a straight line between points understates the value at most.
    smallest
        No figure stands for fewer users than this.
    """

    OTHERS: ClassVar = "…"
    """Stands among the names of groups for all that are not shown apart."""

    exact: bool
    groups: tuple[str, ...]
    column: str = ""
    points: tuple[ResponsePoint, ...]
    width: float | None = None
    error: float | None = None
    smallest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """The plan, or a simpler way to deal out the offers within the same limits.

    Attributes
    ----------
    way
        `plan`; `tiers`: the deeper coupon for the members who count more; `everyone`: one offer
        for all who come, until the money is gone.
    offer
        For `everyone`: which.
    conversions_by_scores, spend_by_scores, cost, treated
        Sums over the users with an offer.
    conversions, money
        Incremental conversions, and what they cost in subsidy, currency units, by the trial; None
        without one.
    profit
        What it earns at the policy's margin, by the trial; None without a margin.
    difference
        By how much the plan has more conversions, by the trial, row by row; None for the plan.
    lead
        The same in what the policy maximises, weights and all; None where it is conversions
        alone, or something that a trial does not measure.
    """

    way: Literal["plan", "tiers", "everyone"]
    offer: str = ""
    conversions_by_scores: float
    spend_by_scores: float | None
    cost: float
    treated: int
    conversions: Estimate | None = None
    money: Estimate | None = None
    profit: Estimate | None = None
    difference: Estimate | None = None
    lead: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurability:
    """What can be told afterwards from a holdout: differences in conversion rate.

    Attributes
    ----------
    precision
        Half the width of the difference's 95 % interval.
    expected
        What the plan should make, by the best estimate that there is.
    power
        The probability that a two-sided test at 5 % finds that.
    detectable
        What it finds with a probability of 80 %.
    """

    precision: float
    expected: float
    power: float
    detectable: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What outcomes tell while the campaign runs, of a gain that falls short; with 80 %.

    Attributes
    ----------
    nothing, half
        Once which share of the users have come, that nothing at all is gained, or half of what
        was stated, is noticed; None: not within the campaign.
    nothing_at, half_at
        When that is; empty where the policy does not say how users come.
    least
        The smallest relative shortfall that is noticed by the end; None for none.
    """

    nothing: float | None
    half: float | None
    nothing_at: str
    half_at: str
    least: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """The users who get nothing so that the campaign can be measured.

    Attributes
    ----------
    given_up
        The most value that offers to them, too, could add within the same limits; None where it
        is not known.
    buys, watched
        None where the conversion rate without offers is not known.
    """

    users: int
    share: float
    given_up: float | None
    buys: Measurability | None = None
    watched: Watched | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploringPower:
    """What a campaign's holdout and explorers will show of an average offer.

    Attributes
    ----------
    offer_rows
        Explorers per offer, on average.
    detectable
        The effect on conversion that is found with a probability of 80 %.
    expected
        The average effect of the offers that were drawn, by the scores.
    power
        The probability that a two-sided test at 5 % finds that.
    enough
        The smallest share that finds the expected effect with 80 %; at most a half.
    proposed
        That, or the largest share that does not cost too much.
    """

    offer_rows: float
    detectable: float
    expected: float
    power: float
    enough: float
    proposed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploring:
    """The users who get an arm by lot so that the next campaign knows more.

    Attributes
    ----------
    users, share
        0 where nobody explores: then `sight` is about a share that was tried out.
    given_up
        The most value that deciding on them by prices could add; None where it is not known.
    dearest
        The part of the plan's value beyond which no share is proposed.
    sight
        None where the conversion rate without offers is not known.
    """

    users: int
    share: float
    given_up: float | None
    dearest: float
    sight: ExploringPower | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenefitRow:
    """What a group of users gets, per user of the group, the holdout aside."""

    label: str | None
    """The value that they share; None for a range of numbers."""
    low: float | None = None
    high: float | None = None
    """The ends of their range."""
    users: int
    share_treated: float
    benefit: float
    """Expected subsidy, currency units per user."""
    face: float
    """Face value, currency units per user."""
    weight: float
    """How much a user's outcome counts, on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoyaltyCheck:
    """Whether the loyal end of a column gets less than the others at equal conditions.

    Attributes
    ----------
    column
        Of numbers: the top fifth is compared with the bottom one. Else the members are compared
        with all others.
    member
        The value that the members have; None for a column of numbers.
    equal
        The further columns in which users are compared only with their like.
    same_offers
        Whether they are also alike in which offers are open to them, by the rules that do not
        name the column itself.
    difference
        Expected subsidy per loyal user beyond that of the others who are like them.
    compared
        Share of the loyal users who have their like among the others.
    """

    column: str
    member: str | None
    equal: tuple[str, ...]
    same_offers: bool
    difference: Estimate
    compared: float

    @property
    def worse_off(self) -> bool:
        """Whether the loyal measurably get less."""
        return self.difference.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefits:
    """Who gets how much, by one column."""

    column: str
    rows: tuple[BenefitRow, ...]
    check: LoyaltyCheck | None = None
