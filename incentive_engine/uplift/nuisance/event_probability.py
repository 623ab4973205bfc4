"""The probability of an event under every arm: an outcome model and an effect layer.

The outcome model, one for all arms of the lottery, says what people do on average over them. A
trial of several campaigns knows each row's features, but what moved everybody of a campaign (a
season, another basket of goods) stands in none of them. It says nothing of an offer, as it moves
all arms, and is taken off as noise. New users are of no campaign: they are told the level of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import FloatArray, Floats, Matrix
from incentive_engine.parallel import side_by_side
from incentive_engine.uplift.boosting.boosting import CrossFitted, Recipe, expit, train
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.effects import EffectLayer
from incentive_engine.uplift.params import FitParams
from incentive_engine.uplift.rows import TrialRows

if TYPE_CHECKING:
    import lightgbm as lgb


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


def outcome_recipe(share: float, rows: int, params: FitParams) -> Recipe:
    """Return how far a model of an event with this `share` may adapt on so many rows."""
    wanted = params.events_per_leaf / max(share, 1e-6)
    return Recipe(
        objective="binary",
        trees=params.outcome_trees,
        leaves=params.outcome_leaves,
        rate=params.outcome_rate,
        rows_per_leaf=int(np.clip(wanted, 20, max(rows // 4, 20))),
        l2=5.0,
    )


def fit_outcome(rows: TrialRows, *, event: FloatArray, seed: int) -> CrossFitted:
    """Learn the probability of an event (n,), 0 or 1, given the features, over all arms."""
    downsampled = rows.downsampled
    label = event[downsampled.row]
    weight = rows.lottery.weight[downsampled.row] * downsampled.stands_for
    recipe = rows.recipe(outcome_recipe(float(label.mean()), len(label), rows.params))

    def fit_fold(fold: int) -> lgb.Booster:
        seen = downsampled.outside(fold)
        data = downsampled.binned.subset(seen)
        return train(data, label=label[seen], weight=weight[seen], recipe=recipe, seed=seed + fold)

    return CrossFitted(tuple(side_by_side(fit_fold, rows.folds.count)))


def campaign_levels(rows: TrialRows, *, event: FloatArray, log_odds: FloatArray) -> FloatArray:
    """Return by how much each row's campaign raises the log odds of an event, (n,).

    Each row's level is learned from the rows outside its fold; 0 where there is one campaign.

    Parameters
    ----------
    event
        (n,) 0 or 1.
    log_odds
        (n,) of the event given the features, averaged over the lottery's arms, out of fold.

    Notes
    -----
    A campaign's level d solves Σ w (y − σ(x + d)) = 0 over its rows, with the log odds x and the
    lottery's weights w, under which levels are those of all arms. It is believed in proportion to
    the variance between campaigns over the total (method of moments).
    """
    level = np.zeros(len(event))
    if rows.campaign is None or not rows.campaign.any():
        return level
    campaign, folds = rows.campaign, rows.folds

    def outside(fold: int) -> FloatArray:
        some = folds.outside(fold)
        return _levels(campaign[some], event[some], log_odds[some], rows.lottery.weight[some])

    for fold, levels in enumerate(side_by_side(outside, folds.count)):
        inside = folds.inside(fold)
        # a campaign whose rows are all of one fold has no level outside it
        padded = np.append(levels, np.zeros(int(campaign.max()) + 1 - len(levels)))
        level[inside] = padded[campaign[inside]]
    return level


def _levels(
    campaign: npt.NDArray[np.int16], event: FloatArray, log_odds: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return (c,) float64, the level of each campaign as far as it is believed."""

    def sums(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(campaign, weight * values), dtype=np.float64)

    mass = np.maximum(np.bincount(campaign, weight), 1e-12)
    # events, and others, that a campaign is taken to have at least: its level stays finite
    fewest = 0.5
    share = fewest / np.maximum(np.bincount(campaign), 1)
    happened = np.clip(sums(event) / mass, share, 1 - share)
    level = np.zeros(len(mass))
    # Newton steps to a level, which double its digits each
    for _ in range(8):
        expected = expit(log_odds + level[campaign])
        slope = np.maximum(sums(expected * (1 - expected)) / mass, 1e-12)
        # a step of more than one unit may pass the level, where odds are far from it
        level += np.clip((happened - sums(expected) / mass) / slope, -1.0, 1.0)
    expected = expit(log_odds + level[campaign])
    spread = sums(weight * (event - expected) ** 2)
    noise = np.maximum(spread, fewest) / np.maximum(sums(expected * (1 - expected)), 1e-12) ** 2
    precision = 1 / noise
    signal = max(float(precision @ (level**2 - noise)) / float(precision.sum()), 0.0)
    return np.asarray(signal / (signal + noise) * level)
