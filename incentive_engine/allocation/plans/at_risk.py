"""A budget at risk: the plan whose redemption stays within an amount with a stated probability."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from incentive_engine.allocation.explorers import Explorers
from incentive_engine.allocation.params import SolveParams
from incentive_engine.allocation.plans.solved import Solved
from incentive_engine.allocation.population.explorer_usage import taken_fault
from incentive_engine.allocation.population.population import Population
from incentive_engine.allocation.population.variance import variance_in, variance_unit
from incentive_engine.allocation.problem import Question
from incentive_engine.allocation.risk import (
    RedemptionRisk,
    RiskReport,
    with_expected,
)
from incentive_engine.domain import BUDGET, MICROS, FloatArray, to_micros
from incentive_engine.errors import InfeasibleError


def plan_at_risk(
    question: Question,
    users: Population,
    planned: Callable[[Question], Solved],
    params: SolveParams,
) -> Solved:
    """Search the expected cost whose plan has the amount as its quantile.

    Parameters
    ----------
    planned
        Gives the plan of a question whose budget bounds the expected cost.

    Raises
    ------
    InfeasibleError
        When explorers alone cost more.
    """
    assert question.pool is not None
    amount = question.pool.amount
    risk = RedemptionRisk(confidence=question.pool.confidence, cost_error=question.pool.cost_error)
    expected = risk.expected(amount, noise=0.0)
    # the variance depends on the plan, and the plan on the bound that the variance allows
    best: Solved | None = None
    near = params.risk_gap
    for _ in range(params.risk_plans):
        plan = planned(with_expected(question, expected))
        report = report_of(question, users, plan, risk)
        keeps = report.quantile <= amount
        # a plan whose quantile passes the amount is never taken, however good
        if keeps and (best is None or plan.certificate.value > best.certificate.value):
            best = plan.with_risk(report)
        if not report.expected or (keeps and report.expected < (1.0 - 10.0 * near) * expected):
            break
        before, target = expected, (1.0 - near / 2.0) * amount
        expected = risk.expected(target, noise=report.variance / report.expected)
        if keeps and expected <= (1.0 + near) * before:
            break
    if best is None:
        by_lot = int(to_micros(_costs_by_lot(question.explorers, users)).sum()) / MICROS
        plan = planned(with_expected(question, by_lot))
        report = report_of(question, users, plan, risk)
        if report.quantile > amount:  # only explorers can cost so much without anybody else
            raise InfeasibleError(taken_fault(BUDGET, report.quantile, amount))
        best = plan.with_risk(report)
    return best


def report_of(
    question: Question, users: Population, plan: Solved, risk: RedemptionRisk
) -> RiskReport:
    """Return how a plan's real redemption is spread, wherever the users are.

    Users answer with one integer, so that the variance is the same for any number of shards.
    """
    assert question.face is not None
    unit, draft = variance_unit(question.face, users.n), plan.draft
    total = users.variance(
        draft.price, draft.index, draft.to, face=question.face[users.order], unit=unit
    )
    if (explorers := question.explorers) is not None:
        face = question.face[explorers.pairs[1]]
        total += variance_in(unit, _costs_by_lot(explorers, users), face)
    return risk.report(plan.certificate.budget.spent, variance=total * unit)


def _costs_by_lot(explorers: Explorers | None, users: Population) -> FloatArray:
    """Return (t,) float64, what each explorer with an offer is expected to cost."""
    if explorers is None:
        return np.empty(0)
    user, offer = explorers.pairs
    few, place = users.take(user), np.argsort(users.order)[offer]
    return np.asarray(few.columns[few.cost][place, np.arange(len(user))], dtype=np.float64)
