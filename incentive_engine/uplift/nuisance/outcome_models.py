"""The three outcomes that are learned of each row: conversion, spend, and what an offer costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import FloatArray, Floats, Matrix
from incentive_engine.parallel import together
from incentive_engine.uplift.boosting.boosting import CrossFitted, expit
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.fit import fit_effects
from incentive_engine.uplift.estimates import Estimates
from incentive_engine.uplift.nuisance.cost import CostModel, fit_cost, stack_cost
from incentive_engine.uplift.nuisance.event_probability import (
    EventProbability,
    Likelihoods,
    campaign_levels,
    fit_outcome,
)
from incentive_engine.uplift.nuisance.spend import factors, fit_value
from incentive_engine.uplift.rows import TrialRows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpendModel:
    """Spend per arm: chance of buying × value of a purchase × factor of the arm.

    Attributes
    ----------
    buying
        Chance of spending anything; None where buyers are the converters.
    value
        Spend of a buyer, currency units, cross-fitted.
    factor : (1 + k,) float64
        What each arm multiplies it by, control included.
    """

    buying: EventProbability | None
    value: CrossFitted
    factor: FloatArray

    def amount(self, matrix: Matrix, *, folds: Folds | None) -> FloatArray:
        """Return what a buyer spends under each arm, (n, 1 + k), currency units."""
        return self.value.predict(matrix, folds=folds)[:, None] * self.factor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpendOutOfSample:
    """What a spend model says of n rows that it has not seen.

    Attributes
    ----------
    buying
        Of spending anything; None where buyers are the converters.
    amount : (n, 1 + k) float64
        Spend of a buyer under each arm, currency units.
    """

    buying: Likelihoods | None
    amount: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExpectedOutcomes:
    """What each model says of n users and k offers.

    Attributes
    ----------
    converting, spending
        Of conversions and of spend.
    cost : (n, k) float64
        Of each offer, ≥ 0.
    """

    converting: Likelihoods
    spending: SpendOutOfSample
    cost: FloatArray

    @property
    def spend_by_arm(self) -> FloatArray:
        """Expected spend under control (column 0) and each offer, (n, 1 + k)."""
        return (self.spending.buying or self.converting).by_arm * self.spending.amount

    @property
    def spend(self) -> FloatArray:
        """What each offer adds to spend, (n, k)."""
        by_arm = self.spend_by_arm
        return np.asarray(by_arm[:, 1:] - by_arm[:, :1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutcomeModels:
    """The three things that are learned.

    Attributes
    ----------
    converting
        Chance of conversion per arm.
    spending
        Spend per arm.
    costing
        Cost per offer.
    """

    converting: EventProbability
    spending: SpendModel
    costing: CostModel

    def estimate(
        self,
        matrix: Matrix,
        phi: Floats,
        share: FloatArray,
        offers: tuple[str, ...],
    ) -> Estimates:
        """Return estimates for users that no model has seen."""
        return self.combine(phi, offers, self.expect(matrix, phi, share))

    def expect(self, matrix: Matrix, phi: Floats, share: FloatArray) -> ExpectedOutcomes:
        """Return what each model says of users that none has seen."""
        converting = self.converting.predict(matrix, phi, share, folds=None)
        buying = None
        if self.spending.buying is not None:
            buying = self.spending.buying.predict(matrix, phi, share, folds=None)
        return ExpectedOutcomes(
            converting=converting,
            spending=SpendOutOfSample(
                buying=buying, amount=self.spending.amount(matrix, folds=None)
            ),
            cost=self.costing.predict(matrix, converting.by_arm[:, 1:], folds=None),
        )

    def combine(
        self, phi: Floats, offers: tuple[str, ...], outcomes: ExpectedOutcomes
    ) -> Estimates:
        """Return estimates by what each model says of the same n users."""
        control = np.full(len(phi), self.costing.control)
        return Estimates(
            offers=offers,
            conversion=outcomes.converting.effect,
            spend=outcomes.spend,
            cost=outcomes.cost,
            conversion_se=self.converting.effects.standard_error(phi),
            conversion_by_arm=outcomes.converting.by_arm,
            spend_by_arm=outcomes.spend_by_arm,
            cost_by_arm=np.column_stack([control, outcomes.cost]),
        )


def learn_outcomes(
    rows: TrialRows, trial: Trial, rungs: tuple[tuple[int, ...], ...], *, seed: int
) -> tuple[OutcomeModels, ExpectedOutcomes]:
    """Return what is learned of conversion, spend and cost, and what it says of rows out of fold.

    Parameters
    ----------
    rungs
        The offers by their ladders, as `ladders` gives them.
    """

    def fit_amounts() -> tuple[tuple[SpendModel, SpendOutOfSample], CostModel]:
        spending = _fit_spend(
            rows, conversion=trial.conversion, spend=trial.spend, rungs=rungs, seed=seed
        )
        return spending, fit_cost(rows, cost=trial.cost, seed=seed)

    (converting, chances), ((spending, spends), costing) = together(
        lambda: _fit_chances(rows, event=trial.conversion, rungs=rungs, seed=seed), fit_amounts
    )
    costing, costs = stack_cost(
        costing,
        rows,
        cost=trial.cost,
        conversion=trial.conversion,
        converting=chances.by_arm[:, 1:],
    )
    models = OutcomeModels(converting=converting, spending=spending, costing=costing)
    return models, ExpectedOutcomes(converting=chances, spending=spends, cost=costs)


def _fit_chances(
    rows: TrialRows, *, event: FloatArray, rungs: tuple[tuple[int, ...], ...], seed: int
) -> tuple[EventProbability, Likelihoods]:
    """Learn how likely an event (n,) is under each arm, and say it of these rows out of fold."""
    outcome = fit_outcome(rows, event=event, seed=seed)
    log_odds = outcome.predict(rows.matrix, folds=rows.folds, raw=True)
    log_odds += campaign_levels(rows, event=event, log_odds=log_odds)
    expected = expit(log_odds)
    effects, effect = fit_effects(
        rows,
        event=event,
        log_odds=log_odds,
        expected=expected,
        prognostic=outcome.gain(),
        rungs=rungs,
        seed=seed,
    )
    likelihoods = Likelihoods.of(effect, expected=expected, share=rows.lottery.share)
    return EventProbability(outcome=outcome, effects=effects), likelihoods


def _fit_spend(
    rows: TrialRows,
    *,
    conversion: FloatArray,
    spend: FloatArray,
    rungs: tuple[tuple[int, ...], ...],
    seed: int,
) -> tuple[SpendModel, SpendOutOfSample]:
    """Learn spend per arm from (n,) conversions and spends, and say it of these rows."""
    buys = spend != 0
    disagree = float((buys != (conversion > 0)).sum())
    # share of buyers up to which spending and converting may disagree and still be one event
    same = disagree <= 0.005 * float(buys.sum())
    buying, likelihoods = None, None
    if not same:
        buying, likelihoods = _fit_chances(
            rows, event=buys.astype(np.float64), rungs=rungs, seed=seed
        )
    value = fit_value(rows, spend, buys, seed=seed)
    worth = value.predict(rows.matrix, folds=rows.folds)
    factor = factors(rows, spend, buys, worth)
    model = SpendModel(buying=buying, value=value, factor=factor)
    return model, SpendOutOfSample(buying=likelihoods, amount=worth[:, None] * factor)
