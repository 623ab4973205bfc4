"""Everything the page shows, as plain numbers: the workflow fills it, the template formats it.

Money is in currency units, shares are fractions (0.25 is 25 %), ``None`` is unknown or does not
apply and shows as a dash.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Self

from incentive_engine.config.policy import Objective
from incentive_engine.domain import Reason
from incentive_engine.language import Message
from incentive_engine.stats.estimate import Estimate

from .conditions import PublicRules, Scope
from .evidence import Alternative, Benefits, Exploring, Holdout, Response
from .quality import Quality
from .returns import AtRisk, Returns, Safety

Unit = Literal["money", "count", "ratio", "share", "number"]
"""How the figures of a limit read: currency, users, a ratio of sums, a share of the plan's own
total, or any other measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedObjective:
    """What is maximised."""

    terms: tuple[tuple[str, float], ...]
    """Measure and coefficient."""
    weighted: bool
    """Whether users count differently."""

    @classmethod
    def of(cls, objective: Objective) -> Self:
        """Return the objective of a policy."""
        return cls(terms=tuple(objective.maximise.items()), weighted=bool(objective.weight))


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
    profit: Estimate | None = None
    """What is earned by the trial at the policy's margin; None without either."""
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


TrialState = Literal["fine", "care", "doubt", "none"]
"""Whether a trial can be believed: yes, with care, hardly; or there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do with a plan.

    Attributes
    ----------
    kind
        `run` it; run it with `less` money; `doubt`: not proven; `stop`: do not.
    verdict
        That as a sentence.
    unreached
        Offers that nobody gets.
    """

    Kind = Literal["run", "less", "doubt", "stop"]

    kind: Kind
    verdict: Message
    trial: TrialState
    unreached: tuple[str, ...] = ()


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
    searched: float | None
    """The same with the bound that the integer solver itself gives, which takes whole offers into
    account but which nothing else checks; None where its program had only some of the users who
    matter."""
    aim: StatedObjective


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetUse:
    """The pool and how much of it is used."""

    amount: float | None
    """None when the policy has no budget."""
    basis: str
    spent: float
    """Expected cost."""
    spent_face: float
    """Face value handed out: the worst case."""
    evaluated: Estimate | None = None
    """What the plan costs by the trial, out of fold; None without a trial."""
    correction: float = 1.0
    """What the costs of the scores were multiplied by, as the trial asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One group of users, or the users of one offer. Effects are sums of scores."""

    label: str | None
    """None for users whose value is missing."""
    users: int | None
    """Users in the group; None where it means nothing, such as for an offer."""
    treated: int
    conversions: float
    spend: float | None
    cost: float
    cost_per_conversion: float | None
    share_of_cost: float
    share_of_conversions: float
    joined: int = 0
    """How many small groups stand together in this row; they have no label then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTable:
    """One table: users by tier, by region, by offer."""

    column: str | None
    """The users' column; None for the offers."""
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
    dropped: float | None = None
    """The most value that dropping this limit alone can add; None where that is not known."""
    scope: Scope = field(default_factory=Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something to know about the data or the plan."""

    message: Message
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
    program: str = ""
    """The version of this program."""
    seconds: tuple[tuple[str, float], ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """The whole page."""

    campaign: str
    currency: str
    advice: Advice
    headline: Headline
    proof: Proof
    budget: BudgetUse
    tables: tuple[GroupTable, ...]
    """In the order in which they stand on the page: tiers, offers, further ones."""
    reasons: tuple[ReasonRow, ...]
    limits: tuple[LimitRow, ...]
    """The budget among them."""
    smallest: int
    """Groups of fewer users than this are not shown apart."""
    favoured: Favoured | None = None
    response: Response | None = None
    holdout: Holdout | None = None
    exploring: Exploring | None = None
    ways: tuple[Alternative, ...] = ()
    """The plan first; none where there is no budget to compare at."""
    quality: Quality | None = None
    benefits: tuple[Benefits, ...] = ()
    rules: PublicRules | None = None
    returns: Returns | None = None
    at_risk: AtRisk | None = None
    safety: Safety | None = None
    notes: tuple[Note, ...] = ()
    facts: RunFacts = RunFacts()
