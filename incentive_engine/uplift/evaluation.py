"""How good a model is, on its own trial, out of fold, with 95 % intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from incentive_engine.config.schema import Policy
from incentive_engine.data.trial import Trial
from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.uplift.blend import HeterogeneityTest
from incentive_engine.uplift.model import UpliftModel, trial_digest
from incentive_engine.uplift.plan_value import Estimate, increments, mean_with_interval
from incentive_engine.uplift.randomisation import reachable
from incentive_engine.uplift.ranking import Group, auuc, groups, qini, slope

BUDGET_SHARES: Final = (0.1, 0.2, 0.5)
"""Budgets at which plans are compared, relative to the cost of the plan without a budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferEvaluation:
    """One offer, over the users that may get it.

    Attributes
    ----------
    offer
        Its id.
    rows, treated
        Trial rows in its reach, and how many of them got it.
    conversion, spend
        Average increments per user, doubly robust.
    cost
        Average cost per user that gets it, over the rows that did.
    effect_groups, effect_slope
        Predicted against doubly robust effects, by predicted effect; the slope is None for a
        constant prediction.
    cost_groups
        Predicted against paid cost, by predicted cost.
    auuc, qini
        Ranking of users by predicted effect; see `ranking`.
    """

    offer: str
    rows: int
    treated: int
    conversion: Estimate
    spend: Estimate
    cost: Estimate
    effect_groups: tuple[Group, ...]
    effect_slope: Estimate | None
    cost_groups: tuple[Group, ...]
    auuc: Estimate
    qini: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Plans made from the model and from constant effects, with the same costs and budget.

    Attributes
    ----------
    budget
        Expected cost per trial row that both plans may use, currency units.
    promised
        Incremental conversions per row that the model's scores add up to.
    model, constant
        What the two plans bring per row, doubly robust.
    difference
        Model minus constant, row by row.
    """

    budget: float
    promised: float
    model: Estimate
    constant: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything that is known about a model's quality.

    Attributes
    ----------
    rows
        Trial rows.
    heterogeneity
        Whether effects differ between users; if not, the constant effects are used.
    offers
        In the policy's order.
    comparisons
        Against the constant-effect baseline, at three budgets.
    """

    rows: int
    heterogeneity: HeterogeneityTest
    offers: tuple[OfferEvaluation, ...]
    comparisons: tuple[Comparison, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the content of evaluation.json."""
        return asdict(self)


def evaluate(model: UpliftModel, trial: Trial, policy: Policy) -> Evaluation:
    """Judge a model by the outcomes of the trial that it was fitted on, out of fold.

    Raises
    ------
    DataError
        When `trial` is not the one that the model was fitted on: its out-of-fold estimates would
        belong to other rows.
    """
    if trial_digest(trial) != model.facts.trial:
        raise DataError(
            Fault("trial", "is not the trial that the model was trained on", remedy="train again")
        )
    reach = reachable(trial.features, trial.offers, policy.eligibility)
    offers = tuple(
        _offer(model, trial, reach[:, position], position) for position in range(len(trial.offers))
    )
    return Evaluation(
        rows=trial.n_rows,
        heterogeneity=model.models.converting.effects.test,
        offers=offers,
        comparisons=tuple(_compare(model, trial, reach, share) for share in BUDGET_SHARES),
    )


def priced_plan(effect: FloatArray, cost: FloatArray, reach: BoolArray, budget: float) -> IntArray:
    """Return the plan that one price per unit of cost gives within a budget, -1 for no offer.

    A yardstick for comparing models without the allocation's limits. Rows that are indifferent at
    that price (all alike, where effects and costs are constant) get offers in a random order
    until the budget is used up.

    Parameters
    ----------
    effect, cost, reach
        (n, k).
    budget
        Total cost, currency units.
    """
    low, high = 0.0, _highest_price(effect, cost)
    if _spent(choice := _at_price(effect, cost, reach, 0.0), cost) <= budget:
        return choice
    for _ in range(60):
        price = (low + high) / 2
        choice = _at_price(effect, cost, reach, price)
        low, high = (price, high) if _spent(choice, cost) > budget else (low, price)
    return _filled(
        _at_price(effect, cost, reach, high), _at_price(effect, cost, reach, low), cost, budget
    )


def _filled(within: IntArray, over: IntArray, cost: FloatArray, budget: float) -> IntArray:
    """Return the plan within the budget, with as many rows of the dearer plan as it can pay."""
    rows = np.random.default_rng(0).permutation(np.flatnonzero(within != over))
    more = _each_spent(over, cost)[rows] - _each_spent(within, cost)[rows]
    paid = rows[np.cumsum(more) <= budget - _spent(within, cost)]
    filled = within.copy()
    filled[paid] = over[paid]
    return filled


def _offer(model: UpliftModel, trial: Trial, reach: BoolArray, position: int) -> OfferEvaluation:
    rows = np.flatnonzero(reach)
    estimates = model.out_of_fold.estimates
    effect = estimates.conversion[rows, position]
    offer = np.full(trial.n_rows, position)
    converted = increments(trial, trial.conversion, estimates.conversion_by_arm, offer)[rows]
    spent = increments(trial, trial.spend, estimates.spend_by_arm, offer)[rows]
    got = np.flatnonzero(reach & (trial.arm == position + 1))
    lottery = 1 / trial.propensity[got]
    found = model.models.converting.effects.test.found
    shown = effect if found else np.full(len(rows), effect.mean())
    return OfferEvaluation(
        offer=trial.offers[position],
        rows=len(rows),
        treated=len(got),
        conversion=mean_with_interval(converted),
        spend=mean_with_interval(spent),
        cost=mean_with_interval(trial.cost[got], lottery),
        effect_groups=groups(shown, converted, np.ones(len(rows))),
        effect_slope=slope(shown, converted),
        cost_groups=groups(estimates.cost[got, position], trial.cost[got], lottery),
        auuc=auuc(shown, converted),
        qini=qini(shown, converted),
    )


def _compare(model: UpliftModel, trial: Trial, reach: BoolArray, share: float) -> Comparison:
    estimates = model.out_of_fold.estimates
    cost = estimates.cost
    budget = share * _spent(_at_price(estimates.conversion, cost, reach, 0.0), cost)
    ours = priced_plan(estimates.conversion, cost, reach, budget)
    theirs = priced_plan(model.out_of_fold.constant, cost, reach, budget)
    means = estimates.conversion_by_arm
    gain, other = (increments(trial, trial.conversion, means, plan) for plan in (ours, theirs))
    given = np.flatnonzero(ours >= 0)
    return Comparison(
        budget=budget / trial.n_rows,
        promised=float(estimates.conversion[given, ours[given]].sum()) / trial.n_rows,
        model=mean_with_interval(gain),
        constant=mean_with_interval(other),
        difference=mean_with_interval(gain - other),
    )


def _highest_price(effect: FloatArray, cost: FloatArray) -> float:
    paid = cost > 0
    return float((effect[paid] / cost[paid]).max(initial=0.0)) + 1e-12


def _at_price(effect: FloatArray, cost: FloatArray, reach: BoolArray, price: float) -> IntArray:
    gain = np.where(reach, effect - price * cost, -np.inf)
    best = gain.argmax(axis=1)
    return np.where(gain[np.arange(len(best)), best] > 0, best, -1)


def _spent(choice: IntArray, cost: FloatArray) -> float:
    return float(_each_spent(choice, cost).sum())


def _each_spent(choice: IntArray, cost: FloatArray) -> FloatArray:
    return np.where(choice >= 0, cost[np.arange(len(choice)), choice], 0.0)
