"""The probability of an event under every arm: an outcome model and an effect layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import FloatArray, Floats, Matrix
from incentive_engine.uplift.boosting.boosting import CrossFitted
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.effects import EffectLayer
from incentive_engine.uplift.effects.fit import fit_effects
from incentive_engine.uplift.effects.trees import expit
from incentive_engine.uplift.nuisance.campaign_level import campaign_levels
from incentive_engine.uplift.nuisance.outcome import fit_outcome
from incentive_engine.uplift.rows import TrialRows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Likelihoods:
    """How likely n people are to do something.

    Attributes
    ----------
    effect : (n, k) float64
        What each offer adds.
    by_arm : (n, 1 + k) float64
        Probability under every arm.
    """

    effect: FloatArray
    by_arm: FloatArray

    @classmethod
    def of(cls, effect: FloatArray, *, expected: FloatArray, share: FloatArray) -> Likelihoods:
        """Combine effects with the probability (n,) over arms of (n, 1 + k) shares."""
        control = expected - (share[:, 1:] * effect).sum(axis=1)
        by_arm = np.column_stack([control, control[:, None] + effect]).clip(0.0, 1.0)
        return cls(effect=effect, by_arm=by_arm)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventProbability:
    """Probability of an event per arm: one cross-fitted outcome model and an effect layer."""

    outcome: CrossFitted
    effects: EffectLayer

    def predict(
        self, matrix: Matrix, phi: Floats, share: FloatArray, *, folds: Folds | None
    ) -> Likelihoods:
        """Return effects and probabilities.

        Parameters
        ----------
        share
            (n, 1 + k) arm shares of the lottery that the outcome model averages over.
        folds
            Of these rows, or None for new rows.
        """
        log_odds = self.outcome.predict(matrix, folds=folds, raw=True)
        effect = self.effects.predict(matrix, phi, log_odds, folds=folds)
        return Likelihoods.of(effect, expected=expit(log_odds), share=share)


def fit_chances(
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
