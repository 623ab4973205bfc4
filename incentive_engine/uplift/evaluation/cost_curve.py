"""Gain against spend: how well a model spends any budget, compared with constant effects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.parallel import together
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.doubly_robust.increments import Increments
from incentive_engine.uplift.evaluation.price_paths import FoldedPath


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveComparison:
    """Plans made from the model and from a yardstick, with the same costs and budget.

    Attributes
    ----------
    share
        The budget as a share of what the model's plan costs without one.
    budget
        Expected cost per trial row that both plans may use, currency units.
    promised
        Incremental conversions per row that the model's scores add up to.
    spent
        What the model's plan costs per row, doubly robust.
    model, constant
        What the two plans bring per row, doubly robust; the yardstick is the constant effect.
    difference
        Model minus constant, row by row.
    """

    share: float
    budget: float
    promised: float
    spent: Estimate
    model: Estimate
    constant: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCurve:
    """The multi-armed, cost-aware Qini curve: the gain of the best plan against its spend.

    Attributes
    ----------
    points
        By rising budget.
    area
        The mean gain per row over budgets from 0 to the plan without one.
    area_over_constant
        The same, minus that of constant effects.

    References
    ----------
    Sverdrup, Wu, Athey, Wager: Qini curves for multi-armed treatment rules, arXiv:2306.11979.
    """

    points: tuple[CurveComparison, ...]
    area: Estimate
    area_over_constant: Estimate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """What a curve is drawn from.

    Attributes
    ----------
    path, baseline
        The plans of the model, and of the yardstick.
    effect
        (n, k) predicted effects.
    gain, cost
        Doubly robust increments of conversion, and of cost.
    """

    path: FoldedPath
    baseline: FoldedPath
    effect: FloatArray
    gain: Increments
    cost: Increments


def cost_curve(scored: Scored) -> CostCurve:
    """Return the curve, each point by doubly robust increments that no plan was made from."""
    n = scored.path.rows
    area, baseline_area = np.zeros((n, 2)), np.zeros((n, 2))
    points = []
    last, mine_before, theirs_before = 0.0, np.zeros((n, 2)), np.zeros((n, 2))
    # budgets of the curve, relative to the cost of the model's plan without a budget
    for share in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        budget = share * scored.path.cost
        (ours, mine, mean), (_, other, baseline) = together(
            partial(_planned, scored, scored.path, budget),
            partial(_planned, scored, scored.baseline, budget),
        )
        area += (share - last) * (mine + mine_before) / 2
        baseline_area += (share - last) * (other + theirs_before) / 2
        last, mine_before, theirs_before = share, mine, other
        points.append(
            CurveComparison(
                share=share,
                budget=budget / n,
                promised=float(taken(scored.effect, ours).mean()),
                spent=scored.cost.mean(scored.cost.part(ours)),
                model=mean,
                constant=baseline,
                difference=scored.gain.mean(mine - other),
            )
        )
    return CostCurve(
        points=tuple(points),
        area=scored.gain.mean(area),
        area_over_constant=scored.gain.mean(area - baseline_area),
    )


def _planned(
    scored: Scored, path: FoldedPath, budget: float
) -> tuple[IntArray, FloatArray, Estimate]:
    """Return a plan within a budget, its part of the increments, and their mean."""
    choice = path.plan(budget)
    brought = scored.gain.part(choice)
    return choice, brought, scored.gain.mean(brought)


def taken(values: FloatArray, choice: IntArray) -> FloatArray:
    """Return each row's value of its offer, (n,), 0 for none."""
    return np.where(choice >= 0, values[np.arange(len(choice)), choice], 0.0)
