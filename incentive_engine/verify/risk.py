"""Check of a budget at risk: what real redemption exceeds with a stated probability."""

from __future__ import annotations

from collections.abc import Iterator
from math import hypot, sqrt
from statistics import NormalDist

from incentive_engine.config.policy import Budget
from incentive_engine.domain import MICROS

from .arithmetic import agree
from .files import Run
from .limits import BUDGET
from .result import Check, Findings
from .sums import Sums


def check_risk(run: Run, sums: Sums) -> Iterator[Check]:
    """Check the quantile of real redemption; nothing for another basis.

    Notes
    -----
    A redemption pays the face value f with probability c/f for an expected cost c: the variance
    is c·(f − c), nothing where c is above f. The forecast of the total adds its relative error.
    """
    budget = run.policy.budget
    if budget is None or budget.basis != "at-risk":
        return
    found = Findings("risk", "real redemption stays within the amount as surely as stated")
    expected = sums.cost_micros / MICROS
    deviation = hypot(sqrt(sums.noise), budget.forecast_error * expected)
    quantile = expected + NormalDist().inv_cdf(budget.confidence) * deviation
    if quantile > budget.amount:
        found.add(
            f"with probability {budget.confidence} redemption stays within {quantile:,.6f}, "
            f"the budget is {budget.amount:,.6f}"
        )
    for problem in _stated(run, budget, deviation=deviation, quantile=quantile):
        found.add(problem)
    yield found.check()


def _stated(run: Run, budget: Budget, *, deviation: float, quantile: float) -> Iterator[str]:
    stated = run.certificate.budget.at_risk
    if stated is None:
        yield "certificate.json: budget.at_risk is missing"
        return
    for word, number, expected in (
        ("confidence", stated.confidence, budget.confidence),
        ("cost_error", stated.cost_error, budget.forecast_error),
        ("deviation", stated.deviation, deviation),
        ("quantile", stated.quantile, quantile),
    ):
        if not agree(number, expected, scale=abs(expected)):
            yield f"{word} is {number!r}, recomputed {expected!r}"
    row = next((limit for limit in run.certificate.limits if limit.name == BUDGET), None)
    if row is not None and row.at_most is not None and row.at_most > budget.amount:
        yield f"the expected cost is bounded by {row.at_most:,.6f}, above the amount"
