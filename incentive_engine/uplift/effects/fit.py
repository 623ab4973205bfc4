"""Learning how effects vary between users, with the shrinkage and pooling that the data support.

Two models of the deviations share one prior covariance over the offers, learned by marginal
likelihood: a ridge on smooth functions of the features, which also learns how relevant each
feature is and which reinforce each other, and boosted stumps on each principal direction of that
covariance (one direction on a ladder, one per offer where offers differ in kind). Their shares are
judged out of fold, and shrink with the chance that nothing they say comes true there.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.uplift.effects.averages import average_effects
from incentive_engine.uplift.effects.covariance import Covariances
from incentive_engine.uplift.effects.effects import EffectLayer, linear
from incentive_engine.uplift.effects.interaction_fit import Interacting, learn_pairs
from incentive_engine.uplift.effects.relevance import learn_prior
from incentive_engine.uplift.effects.ridge import (
    NormalEquations,
    Posterior,
    Prior,
    normal_equations,
    solve,
)
from incentive_engine.uplift.effects.shrinkage import Judged
from incentive_engine.uplift.effects.stump_fit import Binned, Strength, boost
from incentive_engine.uplift.effects.stumps import Stumps
from incentive_engine.uplift.rows import Rows

USUAL_SHARES: Final = (0.7, 0.3)
"""Of the ridge and the boosted stumps: with few rows smooth functions err less, with many the rows
decide."""
LIKELY: Final = 0.8
"""How likely it is beforehand that users differ in what offers of different kinds change."""
LIKELY_OF_ONE_KIND: Final = 0.5
"""The same where there is one offer, or all are rungs of one declared ladder."""
STUMPS: Final = 50
RATE: Final = 0.1
EVENTS_PER_LEAF: Final = 60
"""Conversions that a leaf of an effect model should hold: effects are noisier than outcomes."""
NEGLIGIBLE: Final = 0.03
"""Directions with less variance than this share of the largest are left out."""
FAINTEST: Final = 1e-3
"""A contrast below this share of the largest says nothing, and its pseudo-outcome explodes."""


def fit_effects(
    rows: Rows,
    *,
    event: FloatArray,
    expected: FloatArray,
    rungs: tuple[tuple[int, ...], ...],
) -> EffectLayer:
    """Learn by how much each offer changes the probability of an event.

    Parameters
    ----------
    rows
        The trial.
    event
        (n,) 0 or 1.
    expected
        (n,) its probability given the features, averaged over the lottery's arms, out of fold.
    rungs
        Ladders along which effects do not fall.
    """
    residual = event - expected
    weight = _precision(residual, expected, rows.lottery.weight)
    averages = average_effects(residual, rows.lottery, rows.folds, rungs)
    equations = normal_equations(
        phi=rows.phi, lottery=rows.lottery, residual=residual, weight=weight, folds=rows.folds
    )
    one_ladder = any(len(ladder) == equations.offers for ladder in rungs)
    every = Covariances(equations, averages.effect, one_ladder=one_ladder)
    guess = every.first()
    directions = _directions(every.of(guess))

    def believed(said: NormalEquations, candidates: Covariances) -> tuple[Prior, Posterior]:
        prior = learn_prior(said, rows.columns, candidates, guess)
        return prior, solve(said, prior)

    def believed_outside(fold: int) -> tuple[Prior, Posterior]:
        said = equations.without(fold)
        return believed(said, Covariances(said, averages.outside[fold], one_ladder=one_ladder))

    unexplained = residual - (rows.lottery.contrast * averages.outside[rows.folds.label]).sum(1)
    # one after the other: linear algebra takes all threads by itself, and waits for them
    outside = [believed_outside(fold) for fold in range(rows.folds.count)]
    interacting = learn_pairs(
        equations,
        outside,
        rows.columns,
        phi=rows.phi,
        lottery=rows.lottery,
        residual=residual,
        weight=weight,
        folds=rows.folds,
    )
    boosted = _boost(
        rows,
        unexplained=unexplained,
        weight=weight,
        directions=directions,
        strength=_strength(event),
    )
    deviation = _out_of_fold(rows, interacting, boosted, directions)
    centre = _centre(deviation, rows)
    judged = Judged(
        claim=np.einsum("nbk,nk->nb", deviation - centre[rows.folds.label], rows.lottery.contrast),
        contrast=rows.lottery.contrast,
        residual=residual,
        weight=weight,
        usual=USUAL_SHARES,
        likely=LIKELY_OF_ONE_KIND if one_ladder or equations.offers == 1 else LIKELY,
    )
    return EffectLayer(
        averages=averages,
        ridge=interacting.ridge,
        pairs=interacting.pairs,
        uncertainty=believed(equations, every)[1].per_offer,
        directions=directions,
        boosted=boosted,
        centre=centre,
        blend=judged.blend(rows.folds),
        test=judged.test(),
        rungs=rungs,
    )


def _precision(residual: FloatArray, expected: FloatArray, weight: FloatArray) -> FloatArray:
    """Return each row's precision: a rare buyer's outcome varies less than a frequent one's."""
    chance = expected.clip(0, 1)
    variance = np.maximum(chance * (1 - chance), 0.1 * np.mean(chance * (1 - chance)) + 1e-9)
    scale = float(np.sum(weight * residual**2 / variance) / weight.sum())
    return np.asarray(weight / (variance * max(scale, 1e-9)))


def _directions(covariance: FloatArray) -> FloatArray:
    """Return the principal directions, scaled to one standard deviation, largest first."""
    variance, vectors = np.linalg.eigh(covariance)
    order = np.argsort(-variance, kind="stable")
    kept = [i for i in order if variance[i] >= NEGLIGIBLE * variance.max()]
    directions = (vectors[:, kept] * np.sqrt(variance[kept])).T
    signs = np.where(directions.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    return np.asarray(directions * signs)


def _strength(event: FloatArray) -> Strength:
    """Return stumps whose total shrinkage is that of a function with prior variance 1.

    With step size ``RATE`` a weak stump reaches ``RATE · STUMPS · G / (H + l2)`` in all, so an l2
    of ``RATE · STUMPS`` makes it the posterior mean ``G / (H + 1)`` to first order.
    """
    wanted = EVENTS_PER_LEAF / max(float(event.mean()), 1e-6)
    return Strength(
        stumps=STUMPS,
        rate=RATE,
        rows_per_leaf=int(np.clip(wanted, 20, max(len(event) // 12, 20))),
        l2=RATE * STUMPS,
    )


def _boost(
    rows: Rows,
    *,
    unexplained: FloatArray,
    weight: FloatArray,
    directions: FloatArray,
    strength: Strength,
) -> Stumps:
    """Learn one function per direction and fold, each on what those before leave."""
    binned = Binned.of(rows.codes, rows.folds)
    contrast, weight = rows.lottery.contrast[binned.order], weight[binned.order]
    left = np.tile(unexplained[binned.order], (rows.folds.count, 1))
    functions: list[FloatArray] = []
    before = np.zeros(len(contrast))
    for direction in directions:
        pull = contrast @ direction
        faintest = FAINTEST * np.abs(pull).max()
        pull = np.where(np.abs(pull) < faintest, faintest, pull)
        if functions:
            left -= before * binned.predict(functions[-1])
        value = boost(binned, label=left / pull, weight=weight * pull**2, strength=strength)
        functions.append(value)
        before = pull
    return Stumps.of(rows.bins, np.stack(functions, axis=-1), binned.count.sum(axis=0))


def _out_of_fold(
    rows: Rows,
    interacting: Interacting,
    boosted: Stumps,
    directions: FloatArray,
) -> FloatArray:
    """Return the deviations of both models, (n, 2, k)."""
    ridge = linear(interacting.ridge, rows.phi, folds=rows.folds)
    ridge += interacting.pairs.predict(rows.phi, folds=rows.folds)
    functions = boosted.predict(rows.matrix, folds=rows.folds)
    return np.stack([ridge, functions @ directions], axis=1)


def _centre(deviation: FloatArray, rows: Rows) -> FloatArray:
    """Return the average deviation per fold, model and offer, over the rows in reach."""
    return np.stack([_mean_in_reach(deviation, rows, inside) for _, inside in rows.folds])


def _mean_in_reach(deviation: FloatArray, rows: Rows, inside: IntArray) -> FloatArray:
    reach = rows.lottery.reach[inside][:, None, :]
    total = (deviation[inside] * reach).sum(axis=0)
    return np.asarray(total / np.maximum(reach.sum(axis=0), 1))
