"""All that a run found out, in one place for the report, the files and the summary."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation import FrozenPolicy, Plan, Prices
from incentive_engine.config import Policy
from incentive_engine.data.holdout import draw_holdout
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import BoolArray, FloatArray
from incentive_engine.insight.budget_views import BudgetView
from incentive_engine.insight.chosen_pairs import Chosen
from incentive_engine.insight.gain import PlanGain
from incentive_engine.insight.mandate import Mandate, returns
from incentive_engine.language import Message, say
from incentive_engine.pipeline.quality import Quality
from incentive_engine.report import Alternative, Response
from incentive_engine.report import Holdout as Held


def holdout_of(policy: Policy, table: ScoreTable) -> BoolArray:
    """Return who never gets an offer, (n,) bool."""
    strata = table.attributes.select(policy.holdout_strata)
    return draw_holdout(table.user_id, strata, share=policy.holdout or 0.0, seed=policy.seed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """A run's plan and what is known of it.

    Attributes
    ----------
    holdout
        (n,) bool, who never gets an offer.
    weight
        (n,) float64, how much each user's outcome counts.
    reason
        (n,) int8, place in `domain.REASONS`.
    margin, smallest_budget
        (n,) float64, as in the run's allocation; the second is None where it is not known.
    frozen, prices
        What decides on one user alone.
    gain
        The plan's value by the trial; None where scores are given.
    response
        What other budgets would bring; None where there is nothing to show.
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
    """

    policy: Policy
    table: ScoreTable
    holdout: BoolArray
    plan: Plan
    weight: FloatArray
    chosen: Chosen
    reason: npt.NDArray[np.int8]
    margin: FloatArray
    smallest_budget: FloatArray | None
    frozen: FrozenPolicy
    prices: Prices
    gain: PlanGain | None
    response: Response | None
    mandate: Mandate
    view: BudgetView
    unfavoured: float | None
    quality: Quality | None
    ways: tuple[Alternative, ...]
    dropped: Mapping[str, float]
    held: Held | None

    @property
    def input_warnings(self) -> tuple[Message, ...]:
        """What there is to know about the trial and the scores."""
        return (*(self.quality.warnings if self.quality else ()), *self.table.warnings)

    @property
    def certificate(self) -> dict[str, Any]:
        """The content of certificate.json: what is proven, and what the money returns."""
        return {
            **self.plan.certificate.to_dict(),
            "returns": returns(self.chosen, self.view.marginal_return),
            "mandate": self.mandate.to_dict(),
        }

    @property
    def warnings(self) -> tuple[Message, ...]:
        """What a planner should know and what does not stop the run."""
        warnings = list(self.input_warnings)
        if not self.policy.holdout:
            warnings.append(say("notes.no_holdout"))
        return tuple(warnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a planner sees after `allocate`."""

    directory: Path
    certificate: dict[str, Any]
    conversions_by_scores: float
    gain: PlanGain | None
    currency: str
    warnings: tuple[Message, ...]

    @classmethod
    def of(cls, findings: Findings, directory: Path) -> Self:
        """Return the summary of a run that stands in `directory`."""
        return cls(
            directory=directory,
            certificate=findings.certificate,
            conversions_by_scores=float(np.sum(findings.chosen.conversion)),
            gain=findings.gain,
            currency=findings.policy.currency,
            warnings=findings.warnings,
        )

    def to_json(self) -> str:
        """Return the summary for programs."""
        content = {
            "run": str(self.directory),
            "certificate": self.certificate,
            "conversions_by_scores": self.conversions_by_scores,
            "gain": self.gain.to_dict() if self.gain else None,
            "warnings": [str(warning) for warning in self.warnings],
        }
        return json.dumps(content, indent=2, ensure_ascii=False)

    def to_text(self) -> str:
        """Return the summary for people."""
        plan, budget = self.certificate, self.certificate["budget"]
        lines = [
            (
                f"{plan['treated']:,} of {plan['users']:,} users get an offer; it costs "
                f"{budget['spent']:,.2f}{self._cap()} {self.currency}"
            ),
            self._gain_line(),
            *self._return_lines(),
            f"no plan can be better by more than {plan['gap']:.1e} of the value (gap)",
            *(f"warning: {warning}" for warning in self.warnings),
            f"plan:   {self.directory / 'allocation.parquet'}",
            f"report: {self.directory / 'report.html'}",
        ]
        return "\n".join(lines)

    def _cap(self) -> str:
        amount, cap = self.certificate["budget"]["amount"], self.certificate["mandate"]["cap"]
        if amount is None:
            return ""
        lower = f" (cap {cap:,.2f})" if cap is not None and cap > amount else ""
        return f" of {amount:,.2f}{lower}"

    def _return_lines(self) -> Iterator[str]:
        """Yield the return of the money and of its last part, and the targets."""
        found, mandate = self.certificate["returns"], self.certificate["mandate"]
        if found["roi"] is None:
            return
        words = f"incremental spend per {self.currency}: {found['roi']:,.2f}"
        if mandate["min_roi"] is not None:
            words += f" (at least {mandate['min_roi']:g})"
        if found["marginal_roi"] is not None:
            words += f", {found['marginal_roi']:,.2f} for the last {found['margin']:.0%}"
        if mandate["min_marginal_roi"] is not None:
            words += f" (at least {mandate['min_marginal_roi']:g})"
        yield f"{words}, by the scores"

    def _gain_line(self) -> str:
        scores = f"{self.conversions_by_scores:,.0f} by the sum of the scores"
        if self.gain is None:
            return f"incremental conversions: {scores}, with no trial to check them by"
        total = self.gain.conversions
        return (
            f"incremental conversions: {total.value:,.0f} by the trial "
            f"(95 % interval {total.low:,.0f} to {total.high:,.0f}), {scores}"
        )
