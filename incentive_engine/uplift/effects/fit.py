"""Learning how effects vary between users, with the shrinkage and pooling that the data support.

Three models of the deviations from average effects, each cross-fitted over the same folds: a ridge
on smooth functions of the features, whose prior (how alike offers are, how relevant each feature
is, which reinforce each other) is learned by marginal likelihood; trees on the contrasts between
arms, along the principal directions of that prior; trees in each arm. They are stacked out of
fold, and shrink with the chance that nothing they say comes true there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.parallel import together
from incentive_engine.uplift.effects.averages import average_effects
from incentive_engine.uplift.effects.effects import (
    MODELS,
    Deviations,
    EffectLayer,
    taken,
    weighted,
)
from incentive_engine.uplift.effects.interactions.covariance import Covariances
from incentive_engine.uplift.effects.interactions.fit import Interacting, learn_pairs
from incentive_engine.uplift.effects.interactions.relevance import learn_prior
from incentive_engine.uplift.effects.interactions.ridge import (
    NormalEquations,
    Posterior,
    Prior,
    normal_equations,
    solve,
)
from incentive_engine.uplift.effects.stacking import Belief, DeviationEvidence, WeightPrior
from incentive_engine.uplift.effects.trees import (
    ArmTrees,
    ContrastTrees,
    fit_arm_trees,
    fit_contrast_trees,
)
from incentive_engine.uplift.params import FitParams
from incentive_engine.uplift.rows import TrialRows
from incentive_engine.uplift.systematic_sample import evenly

ADD_UP: Final = (0.75, 0.17, 0.08)
"""Weights of the ridge, the contrast trees and the arm trees where features add up."""
ACT_TOGETHER: Final = (0.1, 0.5, 0.4)
"""The same where features act together."""
LEFT_OUT: Final = 1e-9
"""A model that an ablation leaves out has so much of its weight."""
NEGLIGIBLE: Final = 0.03
"""Directions with less variance than this share of the largest are left out."""
SPREAD_ROWS: Final = 20_000
"""Rows that tell a variance of deviations to a hundredth, which is all that it is needed for."""
TINY: Final = 1e-30
"""In place of no variance at all."""


def fit_effects(
    rows: TrialRows,
    *,
    event: FloatArray,
    log_odds: FloatArray,
    expected: FloatArray,
    prognostic: FloatArray,
    rungs: tuple[tuple[int, ...], ...],
    seed: int,
) -> tuple[EffectLayer, FloatArray]:
    """Learn by how much each offer changes the probability of an event.

    Parameters
    ----------
    rows
        The trial.
    event
        (n,) 0 or 1.
    log_odds, expected
        (n,) of the event given the features, averaged over the lottery's arms, out of fold; the
        second as a probability.
    prognostic
        (p,) how much each feature tells about outcomes, whatever the arm.
    rungs
        Ladders along which effects do not fall.

    Returns
    -------
    The effects' model, and what it says of these rows out of fold, (n, k).
    """
    residual, params = event - expected, rows.params
    functions = _functions(
        np.asarray(rows.columns),
        prognostic,
        rows.lottery.reach.shape[1],
        params.ridge_coefficients,
    )
    phi = taken(rows.phi, functions)
    columns = tuple(int(rows.columns[at]) for at in functions)
    precision = _precision(residual, expected, rows.lottery.weight)
    averages = average_effects(residual, rows.lottery, rows.folds, rungs)
    equations = normal_equations(
        phi=phi, lottery=rows.lottery, residual=residual, weight=precision, folds=rows.folds
    )
    one_ladder = any(len(ladder) == equations.offers for ladder in rungs)
    every = Covariances(equations, averages.effect, one_ladder=one_ladder)
    guess = every.first()
    directions = _directions(every.of(guess))

    def believed(said: NormalEquations, candidates: Covariances) -> tuple[Prior, Posterior]:
        prior = learn_prior(said, columns, candidates, guess)
        return prior, solve(said, prior)

    def believed_outside(fold: int) -> tuple[Prior, Posterior]:
        said = equations.without(fold)
        return believed(said, Covariances(said, averages.outside[fold], one_ladder=one_ladder))

    def fit_ridge() -> tuple[Interacting, FloatArray]:
        # one after the other: linear algebra may take threads by itself, and waits for them
        outside = [believed_outside(fold) for fold in range(rows.folds.count)]
        interacting = learn_pairs(
            equations,
            outside,
            columns,
            phi=phi,
            lottery=rows.lottery,
            residual=residual,
            weight=precision,
            folds=rows.folds,
        )
        if not params.has("products"):
            alone = np.stack([posterior.mean for _, posterior in outside])
            interacting = interacting.without_pairs(alone)
        return interacting, believed(equations, every)[1].per_offer

    def fit_trees() -> tuple[ContrastTrees, ArmTrees]:
        average = (rows.lottery.contrast * averages.outside[rows.folds.label]).sum(axis=1)
        contrast_trees = fit_contrast_trees(
            rows,
            unexplained=residual - average,
            weight=precision,
            directions=directions,
            share=float(event.mean()),
            seed=seed,
        )
        return contrast_trees, fit_arm_trees(
            rows, event=event, log_odds=log_odds, directions=directions, seed=seed
        )

    (interacting, uncertainty), (contrast_trees, arm_trees) = together(fit_ridge, fit_trees)
    deviations = Deviations(
        functions=functions,
        ridge=interacting.ridge,
        pairs=interacting.pairs,
        contrast_trees=contrast_trees,
        arm_trees=arm_trees,
    )
    said = deviations.predict(rows.matrix, rows.phi, log_odds, folds=rows.folds)
    centre = _centre(said, rows)
    departure = said - centre[rows.folds.label]
    prior, regained = weight_prior(params), 1.0
    if params.has("averaging"):
        regained = _regained(
            deviations, rows, log_odds, departure=departure, centre=centre, usual=prior.usual
        )
    evidence = DeviationEvidence(
        claim=np.einsum("nbk,nk->nb", departure, rows.lottery.contrast),
        contrast=rows.lottery.contrast,
        residual=residual,
        precision=precision,
        lottery=rows.lottery.weight,
        prior=prior.attenuated(regained),
        likely=params.differ_chance_of_one_kind
        if one_ladder or equations.offers == 1
        else params.differ_chance,
    )
    stack = evidence.weigh(rows.folds)
    stacked = weighted(departure, stack.weight_outside[rows.folds.label])
    calibration = evidence.calibrate(stacked, rows.folds)
    if not params.has("calibration"):
        calibration = calibration.flat()
    layer = EffectLayer(
        averages=averages,
        deviations=deviations,
        uncertainty=uncertainty,
        centre=centre,
        stack=replace(stack, weight=stack.weight * regained),
        calibration=calibration,
        support=rows.support,
        test=evidence.test(),
        rungs=rungs,
    )
    return layer, layer.of_deviations(said, rows.matrix, folds=rows.folds)


def weight_prior(params: FitParams) -> WeightPrior:
    """Return what is believed of the weights of the models in the stack."""
    kept = np.array([1.0, *(1.0 if params.has(n) else LEFT_OUT for n in MODELS[1:])])

    def belief(chance: float, usual: tuple[float, ...]) -> Belief:
        left = kept * usual
        return Belief(chance=chance, usual=tuple((left * sum(usual) / left.sum()).tolist()))

    add_up = params.additive_chance
    return WeightPrior(
        beliefs=(belief(add_up, ADD_UP), belief(1 - add_up, ACT_TOGETHER)),
        each=params.weight_error,
        together=params.scale_error,
    )


def _functions(
    columns: IntArray, prognostic: FloatArray, offers: int, coefficients: int
) -> IntArray:
    """Return which basis functions the ridge looks at, in their order.

    Features are chosen by what they tell about outcomes over all arms, which says nothing of who
    got which arm by lot: so the choice cannot agree with chance differences between arms.
    """
    most = max(coefficients // offers, 1)
    if len(columns) <= most:
        return np.arange(len(columns))
    ranked = np.argsort(-prognostic, kind="stable")
    place = np.empty(len(prognostic), dtype=np.int64)
    place[ranked] = np.arange(len(ranked))
    return np.sort(np.argsort(place[columns], kind="stable")[:most])


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


def _regained(
    deviations: Deviations,
    rows: TrialRows,
    log_odds: FloatArray,
    *,
    departure: FloatArray,
    centre: FloatArray,
    usual: FloatArray,
) -> float:
    """Return how much more of a deviation comes true where the folds' models are averaged, ≥ 1.

    Parameters
    ----------
    departure, centre
        (n, b, k) deviations out of fold less their means, and (folds, b, k) these means.
    usual
        (b,) expected weights.

    Notes
    -----
    Weights are learned out of fold, where one model speaks for each row; new users are told the
    mean of all folds' models, which has less noise. The slope of outcomes on predictions d is
    ``Cov(y, d) / Var(d)``. Averaging leaves the covariance as it is, so that the slope grows by
    the ratio of the variances: what errors in a regressor attenuate is regained.
    """
    some = evenly(len(departure), SPREAD_ROWS)
    mean = deviations.predict(rows.matrix[some], rows.phi[some], log_odds[some], folds=None)
    reach = rows.lottery.reach[some]
    one = weighted(departure[some], usual[None])[reach]
    every = weighted(mean - centre.mean(axis=0), usual[None])[reach]
    return max(float(one @ one) / max(float(every @ every), TINY), 1.0)


def _centre(deviation: FloatArray, rows: TrialRows) -> FloatArray:
    """Return the average deviation per fold, model and offer, over the rows in reach."""
    return np.stack([_mean_in_reach(deviation, rows, inside) for _, inside in rows.folds])


def _mean_in_reach(deviation: FloatArray, rows: TrialRows, inside: IntArray) -> FloatArray:
    reach = rows.lottery.reach[inside][:, None, :]
    total = (deviation[inside] * reach).sum(axis=0)
    return np.asarray(total / np.maximum(reach.sum(axis=0), 1))
