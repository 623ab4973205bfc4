"""A budget that real redemption exceeds with a stated probability at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy.special import ndtri

from incentive_engine.allocation import Plan
from incentive_engine.domain import MICROS, FloatArray

ROUNDS: Final = 6
"""Solves at most; each brings the safe amount about ten times nearer."""
NEAR: Final = 1e-3
"""Good enough: this share of the budget is left unused at most."""


def safe_amount(
    budget: float,
    solve: Callable[[float], Plan],
    *,
    face: FloatArray,
    confidence: float,
    cost_error: float,
) -> Plan:
    """Return the plan with the largest expected cost whose real cost is safe.

    Parameters
    ----------
    budget
        What must not be exceeded, currency units.
    solve
        Plans for an expected cost.
    face
        (k,) what one redemption costs, currency units.
    confidence
        The probability that the real cost stays within the budget.
    cost_error
        Relative standard error of the forecast of the total.

    Notes
    -----
    With M the plan's expected cost and z the normal quantile of the confidence, the plan is safe
    when M + z·sqrt(V + (cost_error·M)²) ≤ budget. V = Σ cost·(face − cost) is the variance of
    independent redemptions, each at face value.
    """
    z = float(ndtri(confidence))
    amount = budget / (1 + z * cost_error)
    best = None
    for _ in range(ROUNDS):
        plan = solve(amount)
        needed = _needed(plan, face=face, z=z, cost_error=cost_error)
        if needed <= budget:
            best = plan
        if (1 - NEAR) * budget <= needed <= budget:
            return plan
        spent = float(plan.cost_micros.sum()) / MICROS
        if needed < budget and spent < (1 - NEAR) * amount:
            return plan
        amount *= (1 - NEAR / 2) * budget / needed
    return best if best is not None else solve(0.0)


def _needed(plan: Plan, *, face: FloatArray, z: float, cost_error: float) -> float:
    rows = np.flatnonzero(plan.choice >= 0)
    cost = plan.cost_micros[rows] / MICROS
    noise = float((cost * np.maximum(face[plan.choice[rows]] - cost, 0)).sum())
    mean = float(cost.sum())
    return mean + z * float(np.sqrt(noise + (cost_error * mean) ** 2))
