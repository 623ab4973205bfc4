"""What a planner sees after a plan: the verdict, what it brings, and where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from incentive_engine.insight.findings import PlanTotals
from incentive_engine.insight.pages.advice import advise
from incentive_engine.insight.value.plan_gain import PlanGain
from incentive_engine.language import Message, say
from incentive_engine.language.wording import as_warnings, joined


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a planner sees after `allocate`."""

    directory: Path
    verdict: Message
    certificate: Mapping[str, Any]
    conversions_by_scores: float
    gain: PlanGain | None
    currency: str
    margin: float | None
    warnings: tuple[Message, ...]

    @classmethod
    def of(cls, plan: PlanTotals, directory: Path, warnings: Iterable[Message]) -> Self:
        """Return the summary of a run that stands in `directory`."""
        return cls(
            directory=directory,
            verdict=advise(plan).verdict,
            certificate=plan.certificate,
            conversions_by_scores=plan.conversions,
            gain=plan.gain,
            currency=plan.policy.currency,
            margin=plan.policy.margin,
            warnings=tuple(warnings),
        )

    def to_json(self) -> str:
        """Return the summary for programs."""
        content = {
            "run": str(self.directory),
            "verdict": str(self.verdict),
            "certificate": self.certificate,
            "conversions_by_scores": self.conversions_by_scores,
            "gain": self.gain.to_dict() if self.gain else None,
            "warnings": [str(warning) for warning in self.warnings],
        }
        return json.dumps(content, indent=2, ensure_ascii=False)

    def lines(self) -> Iterator[Message]:
        """Yield the summary for people."""
        yield self.verdict
        yield self._users()
        yield from self._cost()
        yield from self._gain()
        yield from self._returns()
        yield say("summary.gap", gap=self.certificate["gap"])
        yield from as_warnings(self.warnings)
        yield say("terminal.plan", out=str(self.directory / "allocation.parquet"))
        yield say("terminal.report", out=str(self.directory / "report.html"))

    def _users(self) -> Message:
        plan, budget = self.certificate, self.certificate["budget"]
        amount, cap = budget["amount"], plan["mandate"]["cap"]
        capped = amount is not None and cap is not None and cap > amount
        kind = "users" if amount is None else "users_cap" if capped else "users_of"
        return say(
            f"summary.{kind}",
            treated=plan["treated"],
            users=plan["users"],
            spent=budget["spent"],
            amount=amount,
            cap=cap,
            currency=self.currency,
        )

    def _cost(self) -> Iterator[Message]:
        if self.gain is None:
            return
        cost, factor = self.gain.cost, self.certificate["budget"]["evaluated"]["correction"]
        yield say(
            "summary.cost" if factor == 1 else "summary.cost_corrected",
            value=cost.value,
            low=cost.low,
            high=cost.high,
            currency=self.currency,
            factor=factor - 1,
        )

    def _gain(self) -> Iterator[Message]:
        scores = self.conversions_by_scores
        if self.gain is None:
            yield say("summary.gain_scores", scores=scores)
            return
        total, profit = self.gain.conversions, self.gain.profit
        yield say("summary.gain", value=total.value, low=total.low, high=total.high, scores=scores)
        if profit is not None:
            yield say(
                "summary.profit",
                margin=self.margin,
                currency=self.currency,
                value=profit.value,
                low=profit.low,
                high=profit.high,
            )

    def _returns(self) -> Iterator[Message]:
        """Yield the return of the money and of its last part, and the targets."""
        returns, mandate = self.certificate["returns"], self.certificate["mandate"]
        if returns["roi"] is None:
            return
        parts = [_asked(say("summary.roi", roi=returns["roi"]), mandate["min_roi"])]
        if returns["marginal_roi"] is not None:
            last = say("summary.last", marginal=returns["marginal_roi"], share=returns["margin"])
            parts.append(_asked(last, mandate["min_marginal_roi"]))
        yield say("summary.returns", currency=self.currency, returns=joined(parts, "comma"))


def _asked(part: Message, least: float | None) -> Message:
    return part if least is None else say("summary.at_least", part=part, least=least)
