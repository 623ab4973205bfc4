"""All that a run found out, in one place for the report, the files and the summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy
from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import COST, BoolArray, Reason
from incentive_engine.errors import Fault, InfeasibleError
from incentive_engine.insight.budget.returns import BudgetView, Mandate, returned
from incentive_engine.insight.value.cost_correction import CostCorrection, evaluated_cost
from incentive_engine.insight.value.plan_gain import PlanGain
from incentive_engine.language import Message, say
from incentive_engine.pipeline.quality import ModelQuality
from incentive_engine.report.evidence import Alternative, Exploring, Response
from incentive_engine.report.evidence import Holdout as Held
from incentive_engine.run.directory import AllocationTable
from incentive_engine.stats.estimate import Estimate


def input_warnings(quality: ModelQuality | None, table: ScoreTable) -> tuple[Message, ...]:
    """Return what there is to know about the trial and the scores."""
    return (*(quality.warnings if quality else ()), *table.warnings)


@contextmanager
def warned_first(
    quality: ModelQuality | None, table: ScoreTable, doubts: Iterable[Message] = ()
) -> Iterator[None]:
    """Put what is wrong with trial, scores and policy before the limits that cannot hold.

    Limits that nothing meets are often the trial's fault: a feature that knows the outcome lets
    effects look small for everybody else, and no floor on them can be reached.

    Raises
    ------
    InfeasibleError
        The one that the block raises, with the warnings as its first faults.
    """
    try:
        yield
    except InfeasibleError as error:
        texts = (*input_warnings(quality, table), *doubts)
        warnings = (Fault(say("fault.warning"), text) for text in texts)
        raise InfeasibleError(*warnings, *error.faults) from None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanFindings:
    """A run's plan and what is known of it.

    Attributes
    ----------
    holdout
        (n,) bool, who never gets an offer.
    rows
        What the plan says of each user.
    explores
        (n,) bool, who got an arm by lot.
    frozen, prices
        What decides on one user alone.
    gain
        The plan's value by the trial; None where scores are given.
    response
        What other budgets would bring; None where there is nothing to show.
    correction
        How far the costs of the scores were corrected by the trial.
    mandate
        What was asked of the money.
    view
        What other budgets, and surer ones, would bring.
    unfavoured
        Conversions, by the scores, of the plan that weighs every user alike; None where the
        policy has no weights.
    quality
        What is known of the model behind the scores; None where scores are given.
    ways
        The plan beside simpler ways to spend the same budget.
    dropped
        Per binding limit the most value that dropping it alone can add.
    held
        What the holdout costs and buys; None without one.
    exploring
        What exploring costs and buys; None where nobody explores.
    """

    policy: Policy
    table: ScoreTable
    holdout: BoolArray
    plan: Allocation
    rows: AllocationTable
    explores: BoolArray
    frozen: FrozenPolicy
    prices: Prices
    gain: PlanGain | None
    response: Response | None
    correction: CostCorrection
    mandate: Mandate
    view: BudgetView
    unfavoured: float | None
    quality: ModelQuality | None
    ways: tuple[Alternative, ...]
    dropped: Mapping[str, float]
    held: Held | None
    exploring: Exploring | None

    @property
    def input_warnings(self) -> tuple[Message, ...]:
        """What there is to know about the trial and the scores."""
        return input_warnings(self.quality, self.table)

    @property
    def certificate(self) -> dict[str, Any]:
        """The content of certificate.json: what is proven, and what the money returns."""
        proven = self.plan.certificate.to_dict()
        if self.gain is not None:
            proven["budget"]["evaluated"] = evaluated_cost(self.gain.cost, self.correction)
        spend, cost = self._spend, float(self.rows.cost.sum())
        return {
            **proven,
            "returns": returned(spend, cost, self.view.marginal_return),
            "mandate": self.mandate.to_dict(),
        }

    @property
    def totals(self) -> PlanTotals:
        """What the plan adds up to."""
        rows = self.rows
        return PlanTotals(
            policy=self.policy,
            certificate=self.certificate,
            users=np.bincount(rows.choice[rows.treated], minlength=len(rows.offers)).tolist(),
            conversions=float(np.sum(rows.conversion)),
            spend=self._spend,
            cost=float(rows.cost.sum()),
            reasons=np.bincount(rows.reason, minlength=len(Reason)).tolist(),
            missing=self.table.missing_pairs,
            correction=self.correction.factor,
            gain=self.gain,
            quality=self.quality,
            ways=self.ways,
            response=self.response,
        )

    @property
    def _spend(self) -> float | None:
        return None if self.rows.spend is None else float(self.rows.spend.sum())

    @property
    def warnings(self) -> tuple[Message, ...]:
        """What a planner should know and what does not stop the run."""
        warnings = list(self.input_warnings)
        if not self.policy.holdout:
            warnings.append(say("notes.no_holdout"))
        if (cheapest := self._unaffordable()) is not None:
            warnings.append(cheapest)
        if self.gain is not None and (over := over_budget(self.policy, self.gain.cost)):
            warnings.append(over)
        return tuple(warnings)

    def _unaffordable(self) -> Message | None:
        """Return that the budget is below the cost of the cheapest offer of any user."""
        budget = self.policy.budget
        if budget is None or budget.basis == "face" or (self.plan.choice >= 0).any():
            return None
        costs = self.table.measures[COST]
        positive_costs = costs[np.isfinite(costs) & (costs > 0)]
        if not len(positive_costs) or budget.amount >= float(positive_costs.min()):
            return None
        return say(
            "notes.unaffordable",
            amount=budget.amount,
            least=float(positive_costs.min()),
            currency=self.policy.currency,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanTotals:
    """What a plan adds up to, and what speaks for it.

    Attributes
    ----------
    certificate
        The content of certificate.json.
    users
        How many get each of the policy's offers.
    conversions, spend, cost
        By the scores, of all users; money in currency units; spend is None where none is scored.
    reasons
        How many users have each `domain.Reason`.
    missing
        (measure, offer) to how many scores are missing.
    correction
        By how much the trial corrected the costs of the scores.
    gain, quality, ways, response
        As of `PlanFindings`.
    """

    policy: Policy
    certificate: Mapping[str, Any]
    users: Sequence[int]
    conversions: float
    spend: float | None
    cost: float
    reasons: Sequence[int]
    missing: Mapping[tuple[str, str], int]
    correction: float
    gain: PlanGain | None = None
    quality: ModelQuality | None = None
    ways: tuple[Alternative, ...] = ()
    response: Response | None = None


def over_budget(policy: Policy, cost: Estimate) -> Message | None:
    """Return that a plan costs more than its budget beyond doubt, by the trial."""
    budget = policy.budget
    if budget is None or budget.basis == "face" or not cost.low > budget.amount:
        return None
    return say(
        "notes.over_budget",
        value=cost.value,
        low=cost.low,
        high=cost.high,
        amount=budget.amount,
        currency=policy.currency,
    )
