"""Learning the three models of how effects deviate from their averages, outside each fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.parallel import together
from incentive_engine.uplift.effects.averages.average_effects import Averages
from incentive_engine.uplift.effects.effects import Deviations, taken
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
from incentive_engine.uplift.effects.trees import (
    ArmTrees,
    ContrastTrees,
    fit_arm_trees,
    fit_contrast_trees,
)
from incentive_engine.uplift.rows import TrialRows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surprises:
    """What happened to n rows, and by how much that is not what was expected.

    Attributes
    ----------
    event : (n,) float64
        0 or 1.
    log_odds : (n,) float64
        Of the event given the features, averaged over the lottery's arms, out of fold.
    residual : (n,) float64
        Event less its probability by these.
    precision : (n,) float64
        Of the residuals.
    contrast : (n, k) float64
        What each row's arm says about each effect.
    """

    event: FloatArray
    log_odds: FloatArray
    residual: FloatArray
    precision: FloatArray
    contrast: FloatArray


def fit_deviations(
    rows: TrialRows,
    surprises: Surprises,
    averages: Averages,
    *,
    prognostic: FloatArray,
    one_ladder: bool,
    seed: int,
) -> tuple[Deviations, FloatArray]:
    """Learn the three models of deviations outside each fold.

    Returns
    -------
    The models, and the posterior covariance of the ridge's coefficients from all rows, (k, q, q).
    """
    offers = rows.lottery.reach.shape[1]
    functions = _functions(
        np.asarray(rows.columns), prognostic, offers, rows.params.ridge_coefficients
    )
    phi = taken(rows.phi, functions)
    equations = normal_equations(
        phi=phi, lottery=rows.lottery, residual=surprises.residual, weight=surprises.precision,
        folds=rows.folds,
    )  # fmt: skip
    every = Covariances(equations, averages.effect, one_ladder=one_ladder)
    guess = every.first()
    directions = _directions(every.of(guess))
    columns = tuple(int(rows.columns[at]) for at in functions)

    def believed(sums: NormalEquations, candidates: Covariances) -> tuple[Prior, Posterior]:
        prior = learn_prior(sums, columns, candidates, guess, rows.params)
        return prior, solve(sums, prior)

    def believed_outside(fold: int) -> tuple[Prior, Posterior]:
        sums = equations.without(fold)
        return believed(sums, Covariances(sums, averages.outside[fold], one_ladder=one_ladder))

    def fit_ridge() -> tuple[Interacting, FloatArray]:
        # one after the other: linear algebra may take threads by itself, and waits for them
        outside = [believed_outside(fold) for fold in range(rows.folds.count)]
        interacting = learn_pairs(
            equations, outside, columns, phi=phi, lottery=rows.lottery,
            residual=surprises.residual, weight=surprises.precision, folds=rows.folds,
            params=rows.params,
        )  # fmt: skip
        if not rows.params.has("products"):
            alone = np.stack([posterior.mean for _, posterior in outside])
            interacting = interacting.without_pairs(alone)
        return interacting, believed(equations, every)[1].per_offer

    (interacting, uncertainty), (contrast_trees, arm_trees) = together(
        fit_ridge, lambda: _fit_trees(rows, surprises, averages, directions, seed)
    )
    deviations = Deviations(
        functions=functions,
        ridge=interacting.ridge,
        pairs=interacting.pairs,
        contrast_trees=contrast_trees,
        arm_trees=arm_trees,
    )
    return deviations, uncertainty


def _fit_trees(
    rows: TrialRows,
    surprises: Surprises,
    averages: Averages,
    directions: FloatArray,
    seed: int,
) -> tuple[ContrastTrees, ArmTrees]:
    """Learn the trees on contrasts, along some directions over the offers, and in each arm."""
    average = (surprises.contrast * averages.outside[rows.folds.label]).sum(axis=1)
    contrast_trees = fit_contrast_trees(
        rows,
        unexplained=surprises.residual - average,
        weight=surprises.precision,
        directions=directions,
        share=float(surprises.event.mean()),
        seed=seed,
    )
    arm_trees = fit_arm_trees(
        rows,
        event=surprises.event,
        log_odds=surprises.log_odds,
        directions=directions,
        seed=seed,
    )
    return contrast_trees, arm_trees


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


def _directions(covariance: FloatArray) -> FloatArray:
    """Return the principal directions, scaled to one standard deviation, largest first."""
    variance, vectors = np.linalg.eigh(covariance)
    order = np.argsort(-variance, kind="stable")
    # directions with less variance than this share of the largest are left out
    largest = [i for i in order if variance[i] >= 0.03 * variance.max()]
    directions = (vectors[:, largest] * np.sqrt(variance[largest])).T
    # an eigenvector's sign is arbitrary, and trees would differ by it
    signs = np.where(directions.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    return np.asarray(directions * signs)
