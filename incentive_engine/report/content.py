"""Everything the page shows, as plain numbers: the workflow fills it, the template formats it.

Money is in currency units, shares are fractions (0.25 is 25 %), ``None`` is unknown or does not
apply and shows as a dash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from incentive_engine.domain import Reason

Unit = Literal["money", "count", "ratio", "number"]
"""How the figures of a limit read: currency, users, a ratio of sums, or any other measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval, where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What the plan changes, against giving nobody anything."""

    conversions: Estimate | None
    """Incremental conversions, out of fold; None when scores were given without a trial."""
    spend: Estimate | None
    """Incremental spend, out of fold; None likewise."""
    conversions_by_scores: float
    """The sum of the chosen pairs' conversion scores."""
    spend_by_scores: float | None
    """The sum of the chosen pairs' spend scores; None when the scores have no spend."""
    cost: float
    """The expected cost that the plan states, the sum of ``cost_micros``."""
    cost_per_conversion: Estimate | None
    """Cost per incremental conversion, from the best estimate that there is."""
    roi: Estimate | None
    """Incremental spend per unit of cost, likewise."""
    users: int
    treated: int
    trial_rows: int | None = None
    """How many rows of the trial the estimates stand on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Favoured:
    """The group that the weights favour, and what that costs the others."""

    label: str
    """How the group is called, such as ``88VIP``."""
    share_of_users: float
    share_of_budget: float
    """The group's share of the cost spent."""
    share_of_conversions: float
    """The group's share of the incremental conversions."""
    conversions: float
    """Unweighted incremental conversions of this plan, by the scores."""
    conversions_unweighted: float | None = None
    """Those of the plan that weighs every user alike, other limits equal; None: not solved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The certificate in short."""

    feasible: bool
    value: float
    bound: float
    gap: float
    """(bound - value) / bound."""
    value_name: str
    """What is maximised, in words, such as ``weighted conversions``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The pool and how much of it is used."""

    amount: float | None
    """None when the policy has no budget."""
    basis: str
    spent: float
    """Expected cost."""
    spent_face: float
    """Face value handed out: the worst case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One group of users, or the users of one offer. Effects are sums of scores."""

    label: str
    users: int | None
    """Users in the group; None where it means nothing, such as for an offer."""
    treated: int
    conversions: float
    spend: float | None
    cost: float
    cost_per_conversion: float | None
    share_of_cost: float
    share_of_conversions: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTable:
    """One table: users by tier, by region, by offer."""

    title: str
    column: str
    """The head of the first column."""
    rows: tuple[GroupRow, ...]
    total: GroupRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRow:
    """How many users have one reason."""

    reason: Reason
    users: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRow:
    """One limit, as the certificate states it."""

    name: str
    unit: Unit
    at_most: float | None
    at_least: float | None
    usage: float | None
    slack: float | None
    """As the certificate states it: of a ratio in the units of its linear form."""
    price: float | None = None
    """Value per unit; None for report-only limits."""
    report_only: bool = False
    scope: str = ""
    """What is summed over whom, in words, such as ``cost where tier is 88VIP``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPoint:
    """One solved point of the budget curve."""

    budget: float
    value: float
    """What the budget can buy at most, in what is maximised."""
    marginal_value: float
    """Value per further unit of budget: the price of the budget there."""
    treated: int
    spent: float
    """What is used of the budget, in its basis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something to know about the data or the plan."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFact:
    """One input file."""

    name: str
    """Its part: users, trial, scores, policy."""
    path: str
    sha256: str
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What one needs to repeat the run."""

    inputs: tuple[InputFact, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    seconds: tuple[tuple[str, float], ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    """Further name and value pairs, such as seed, solver, holdout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """The whole page."""

    campaign: str
    currency: str
    headline: Headline
    proof: Proof
    budget: Budget
    tables: tuple[GroupTable, ...]
    """In the order in which they stand on the page: tiers, offers, further ones."""
    reasons: tuple[ReasonRow, ...]
    limits: tuple[LimitRow, ...]
    """The budget among them."""
    favoured: Favoured | None = None
    curve: tuple[BudgetPoint, ...] = ()
    """By rising budget; the plan's own budget is among them."""
    notes: tuple[Note, ...] = ()
    facts: RunFacts = RunFacts()
