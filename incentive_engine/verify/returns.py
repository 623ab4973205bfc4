"""Checks of what the money returns, of what was asked of it, and of what redemption may cost."""

from __future__ import annotations

from collections.abc import Iterator
from math import hypot, sqrt
from statistics import NormalDist
from typing import Final

from incentive_engine.config.overridable import Override
from incentive_engine.config.policy import Budget
from incentive_engine.domain import BUDGET, MICROS, SPEND
from incentive_engine.language import Text, say
from incentive_engine.run.statements import StatedMandate, StatedReturns

from .files import StatedRun
from .recomputed.arithmetic import agree
from .recomputed.sums import Sums
from .result import Check, CheckFindings

ROUGH: Final = 1e-2
"""The return of the last money is known to this part: it is that of a plan with split users."""


def check_returns(run: StatedRun, sums: Sums) -> Check:
    """Check spend, cost and their ratio, and the mandate.

    The return of the last money cannot be had from one plan. Where the plan maximises spend alone
    and every user counts alike, it is at least the price of the budget, which is checked.
    """
    stated, mandate = run.certificate.returns, run.certificate.mandate
    findings = CheckFindings(
        "returns", "the money returns what is stated, and what was asked of it"
    )
    for problem in (
        *_stated(sums, stated),
        *_margin(run, stated),
        *_mandate(run, stated, mandate),
    ):
        findings.add(problem)
    return findings.check()


def _stated(sums: Sums, stated: StatedReturns) -> Iterator[Text]:
    cost, spend, scale = sums.cost_micros / MICROS, sums.spend, sums.spend_scale
    roi = spend / cost if spend is not None and cost > 0 else None
    for word, number, expected, size in (
        ("cost", stated.cost, cost, cost),
        ("spend", stated.spend, spend, scale),
        ("roi", stated.roi, roi, scale / cost if cost > 0 else 0.0),
    ):
        if number is None or expected is None:
            same = number is expected
        else:
            same = bool(agree(number, expected, scale=size))
        if not same:
            yield say(
                "{word} is {number}, recomputed {expected}",
                word=word,
                number=number,
                expected=expected,
            )


def _margin(run: StatedRun, stated: StatedReturns) -> Iterator[Text]:
    policy, objective = run.policy, run.policy.objective
    alone = dict(objective.maximise) == {SPEND: 1.0} and not objective.weight
    if stated.marginal_roi is None or not alone or policy.budget is None:
        return
    price = next((limit.price for limit in run.certificate.limits if limit.name == BUDGET), None)
    # a price of face values says nothing of what a unit of expected cost returns
    if policy.budget.basis != "face" and price is not None:
        least = price - ROUGH * abs(price)
        if stated.marginal_roi < least:
            yield say(
                "the last money returns {marginal_roi}, below the budget's price {price}",
                marginal_roi=stated.marginal_roi,
                price=price,
            )


def _mandate(run: StatedRun, stated: StatedReturns, mandate: StatedMandate) -> Iterator[Text]:
    amount = run.certificate.budget.amount
    if mandate.cap is not None and (amount is None or amount > mandate.cap):
        yield say("the budget {amount} is above the cap {cap}", amount=amount, cap=mandate.cap)
    asked = run.manifest.overrides.get(Override.MIN_MARGINAL_ROI)
    if mandate.min_marginal_roi != asked:
        yield say(
            "the mandate is {min_marginal_roi}, the override says {asked}",
            min_marginal_roi=mandate.min_marginal_roi,
            asked=asked,
        )
    if mandate.min_marginal_roi is not None and (
        stated.marginal_roi is None
        or stated.marginal_roi < (1.0 - ROUGH) * mandate.min_marginal_roi
    ):
        yield say(
            "the last money returns {marginal_roi}, below {min_marginal_roi}",
            marginal_roi=stated.marginal_roi,
            min_marginal_roi=mandate.min_marginal_roi,
        )
    if mandate.min_roi != (asked := run.manifest.overrides.get(Override.MIN_ROI)):
        yield say(
            "the mandate is {min_roi}, the override says {asked}",
            min_roi=mandate.min_roi,
            asked=asked,
        )
    if mandate.min_roi and (stated.roi is not None and stated.roi < (1 - 1e-9) * mandate.min_roi):
        yield say(
            "the money returns {roi}, below {min_roi}", roi=stated.roi, min_roi=mandate.min_roi
        )


def check_risk(run: StatedRun, sums: Sums) -> Iterator[Check]:
    """Check the quantile of real redemption; nothing for another basis.

    Notes
    -----
    A redemption pays the face value f with probability c/f for an expected cost c: the variance
    is c·(f − c), nothing where c is above f. The forecast of the total adds its relative error.
    """
    budget = run.policy.budget
    if budget is None or budget.basis != "at-risk":
        return
    findings = CheckFindings("risk", "real redemption stays within the amount as surely as stated")
    expected = sums.cost_micros / MICROS
    deviation = hypot(sqrt(sums.noise), budget.forecast_error * expected)
    quantile = expected + NormalDist().inv_cdf(budget.confidence) * deviation
    if quantile > budget.amount:
        findings.add(
            say(
                "with probability {confidence} redemption stays within {quantile:,.6f}, "
                "the budget is {amount:,.6f}",
                confidence=budget.confidence,
                quantile=quantile,
                amount=budget.amount,
            )
        )
    for problem in _stated_risk(run, budget, deviation=deviation, quantile=quantile):
        findings.add(problem)
    yield findings.check()


def _stated_risk(
    run: StatedRun, budget: Budget, *, deviation: float, quantile: float
) -> Iterator[Text]:
    stated = run.certificate.budget.at_risk
    if stated is None:
        yield say("certificate.json: budget.at_risk is missing")
        return
    for word, number, expected in (
        ("confidence", stated.confidence, budget.confidence),
        ("cost_error", stated.cost_error, budget.forecast_error),
        ("deviation", stated.deviation, deviation),
        ("quantile", stated.quantile, quantile),
    ):
        if not agree(number, expected, scale=abs(expected)):
            yield say(
                "{word} is {number}, recomputed {expected}",
                word=word,
                number=repr(number),
                expected=repr(expected),
            )
    row = next((limit for limit in run.certificate.limits if limit.name == BUDGET), None)
    if row is not None and row.at_most is not None and row.at_most > budget.amount:
        yield say(
            "the expected cost is bounded by {at_most:,.6f}, above the amount", at_most=row.at_most
        )
