"""A budget at risk: what real redemption exceeds with a stated probability at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, TypeVar

import numpy as np

from incentive_engine.allocation.population.variance import variance_in, variance_unit
from incentive_engine.allocation.problem import Problem, Question
from incentive_engine.domain import BUDGET, COST, MICROS, ChoiceArray, to_micros

Asked = TypeVar("Asked", bound=Question)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionRisk:
    """How real redemption may differ from the expected cost.

    Attributes
    ----------
    confidence
        The probability, from 0.5, that real redemption stays within the amount.
    cost_error
        The relative standard error of the forecast of the total cost.
    """

    confidence: float
    cost_error: float

    @property
    def z(self) -> float:
        """The standard normal quantile of the confidence."""
        return NormalDist().inv_cdf(self.confidence)

    def expected(self, amount: float, *, noise: float) -> float:
        """Return the expected cost M whose quantile is the amount, when V = noise·M.

        Notes
        -----
        M + z·sqrt(noise·M + (cost_error·M)²) grows with M, so that halving finds it.
        """
        low, high = 0.0, amount
        for _ in range(60):
            middle = (low + high) / 2.0
            spread = np.sqrt(noise * middle + (self.cost_error * middle) ** 2)
            low, high = (low, middle) if middle + self.z * spread > amount else (middle, high)
        return low

    def report(self, expected: float, *, variance: float) -> RiskReport:
        """Return how redemption of an expected sum and a variance is spread."""
        deviation = float(np.sqrt(variance + (self.cost_error * expected) ** 2))
        return RiskReport(
            confidence=self.confidence,
            cost_error=self.cost_error,
            expected=expected,
            variance=variance,
            deviation=deviation,
            quantile=expected + self.z * deviation,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskReport:
    """A plan's real redemption, by the normal approximation; currency units.

    Attributes
    ----------
    confidence, cost_error
        As in `RedemptionRisk`.
    expected, variance
        Of redemption, the variance without the forecast's error.
    deviation
        sqrt(variance + (cost_error·expected)²).
    quantile
        expected + z·deviation, what redemption exceeds with probability 1 − confidence.
    """

    confidence: float
    cost_error: float
    expected: float
    variance: float
    deviation: float
    quantile: float

    def to_dict(self) -> dict[str, Any]:
        """Return the entry `at_risk` of certificate.json's budget."""
        return {
            "confidence": self.confidence,
            "cost_error": self.cost_error,
            "deviation": self.deviation,
            "quantile": self.quantile,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyPoint:
    """The best plan whose real redemption stays within the amount with some probability.

    Attributes
    ----------
    confidence
        That probability.
    value
        What the plan is worth, the last users split.
    expected
        Its expected cost, currency units.
    amounts
        Measure to what its pairs add up to.
    """

    confidence: float
    value: float
    expected: float
    amounts: Mapping[str, float]


def risk_of(problem: Problem, choice: ChoiceArray, risk: RedemptionRisk) -> RiskReport:
    """Return how a plan's real redemption is spread.

    Parameters
    ----------
    choice
        (n,) int16, index into the problem's offers, −1 for none.
    """
    assert problem.face is not None
    taken = np.flatnonzero(choice >= 0)
    cost = problem.columns[problem.measures.index(COST)][choice[taken], taken]
    unit = variance_unit(problem.face, problem.n_users)
    variance = variance_in(unit, cost, problem.face[choice[taken]]) * unit
    return risk.report(int(to_micros(cost).sum()) / MICROS, variance=variance)


def with_expected(question: Asked, amount: float) -> Asked:
    """Return the question whose budget row bounds the expected cost, in whole millionths."""
    # down: what is bounded must not be more than what was asked
    bound = float(np.floor(amount * MICROS) / MICROS)
    limits = tuple(
        replace(limit, at_most=bound) if limit.name == BUDGET else limit
        for limit in question.limits
    )
    return replace(question, limits=limits)
