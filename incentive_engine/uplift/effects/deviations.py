"""Learning the three models of how effects deviate from their averages, outside each fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.parallel import side_by_side, together
from incentive_engine.uplift.boosting.boosting import CrossFitted, Recipe, predict, train
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
from incentive_engine.uplift.effects.trees import ArmTrees, ContrastTrees
from incentive_engine.uplift.rows import TrialRows

if TYPE_CHECKING:
    import lightgbm as lgb


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
    contrast_trees = _fit_contrast_trees(
        rows,
        unexplained=surprises.residual - average,
        weight=surprises.precision,
        directions=directions,
        share=float(surprises.event.mean()),
        seed=seed,
    )
    arm_trees = _fit_arm_trees(
        rows,
        event=surprises.event,
        log_odds=surprises.log_odds,
        directions=directions,
        seed=seed,
    )
    return contrast_trees, arm_trees


def _fit_contrast_trees(
    rows: TrialRows,
    *,
    unexplained: FloatArray,
    weight: FloatArray,
    directions: FloatArray,
    share: float,
    seed: int,
) -> ContrastTrees:
    """Learn one function per direction and fold, each on what those before leave.

    Parameters
    ----------
    unexplained
        (n,) outcome less its expectation and the average effects.
    weight
        (n,) precision.
    directions
        (d, k) principal directions, scaled to one standard deviation.
    share
        Of the rows that converted.

    Notes
    -----
    A function has a prior variance of about 1: with step size ``rate`` a weak tree reaches
    ``rate · trees · G / (H + l2)`` in all, so that an l2 of ``rate · trees`` makes it the
    posterior mean ``G / (H + 1)`` to first order.
    """
    downsampled, params = rows.downsampled, rows.params
    contrast = rows.lottery.contrast[downsampled.row]
    mass = weight[downsampled.row] * downsampled.stands_for
    wanted = params.events_per_contrast_leaf / max(share, 1e-6)
    recipe = Recipe(
        objective="regression",
        trees=params.contrast_trees,
        leaves=params.effect_leaves,
        rate=params.contrast_rate,
        rows_per_leaf=int(np.clip(wanted, 20, max(len(downsampled.row) // 12, 20))),
        l2=params.contrast_rate * params.contrast_trees,
        from_average=False,
    )

    def fit_fold(fold: int) -> list[lgb.Booster]:
        seen = downsampled.outside(fold)
        data, left = downsampled.binned.subset(seen), unexplained[downsampled.row[seen]]
        fitted: list[lgb.Booster] = []
        for direction in directions:
            pull = contrast[seen] @ direction
            # a contrast below this share of the largest says nothing, and its pseudo-outcome
            # explodes
            faintest = 1e-3 * np.abs(pull).max()
            pull = np.where(np.abs(pull) < faintest, faintest, pull)
            model = train(
                data,
                label=left / pull,
                weight=mass[seen] * pull**2,
                recipe=rows.recipe(recipe),
                seed=seed + fold,
            )
            fitted.append(model)
            # what this direction explains is taken off before the next one is learned
            if len(fitted) < len(directions):
                left = left - pull * predict(model, rows.matrix, rows=downsampled.row[seen])[:, 0]
        return fitted

    functions = zip(*side_by_side(fit_fold, rows.folds.count), strict=True)
    return ContrastTrees(functions=tuple(map(CrossFitted, functions)), directions=directions)


def _fit_arm_trees(
    rows: TrialRows,
    *,
    event: FloatArray,
    log_odds: FloatArray,
    directions: FloatArray,
    seed: int,
) -> ArmTrees:
    """Learn what each arm adds to the pooled log-odds (n,) of an event (n,), 0 or 1."""
    downsampled, params = rows.downsampled, rows.params
    label, start, arm = (
        event[downsampled.row],
        log_odds[downsampled.row],
        rows.lottery.arm[downsampled.row],
    )
    mass = rows.lottery.weight[downsampled.row] * downsampled.stands_for
    wanted = params.events_per_arm_leaf / max(float(label.mean()), 1e-6)
    arms, folds = rows.lottery.share.shape[1], rows.folds.count

    def fit_model(at: int) -> lgb.Booster:
        # one list of models for all arms and folds keeps both threads busy to the end
        fold, mine = at % folds, at // folds
        seen = np.flatnonzero((downsampled.fold != fold) & (arm == mine) & (mass > 0))
        recipe = Recipe(
            objective="binary",
            trees=params.arm_trees,
            leaves=params.effect_leaves,
            rate=params.arm_rate,
            rows_per_leaf=int(np.clip(wanted, 20, max(len(seen) // 12, 20))),
            # λ of the trees in each arm
            l2=5.0,
            from_average=False,
        )
        return train(
            downsampled.binned.subset(seen),
            label=label[seen],
            weight=mass[seen],
            recipe=rows.recipe(recipe),
            seed=seed + fold,
            start=start[seen],
        )

    models = side_by_side(fit_model, arms * folds)
    fitted = [CrossFitted(tuple(models[a * folds : (a + 1) * folds])) for a in range(arms)]
    shares = np.bincount(rows.lottery.arm, minlength=arms) / len(rows.lottery.arm)
    return ArmTrees(arms=tuple(fitted), pooling=_pooling(directions, shares))


def _pooling(directions: FloatArray, shares: FloatArray) -> FloatArray:
    """Return how far the effects of all offers tell each one's, (k, k).

    Notes
    -----
    With effects of covariance B and errors of covariance N the posterior mean of a row's effects
    e is ``e (B + N)⁻¹ B``. Errors are those of differences of arm means, whose size is taken to
    be that of the effects; how large all are is left to the stacking.
    """
    between = directions.T @ directions
    noise = np.diag(1 / shares[1:]) + 1 / shares[0]
    noise *= np.trace(between) / np.trace(noise)
    if len(between) == 1:
        return np.ones((1, 1))
    return np.asarray(np.linalg.solve(between + noise, between))


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
