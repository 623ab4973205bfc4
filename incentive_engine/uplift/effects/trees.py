"""Effect learners of LightGBM trees: on contrasts of arms, and on the arms' own outcomes.

Both see features together, which no sum of functions of single features can say. The first (an
R-learner) goes straight for differences between arms, along the principal directions in which
effects vary over the offers. The second (a T-learner) asks in each arm what the pooled outcome
model leaves unexplained, in log-odds, so that effects stay within what probabilities allow.

References
----------
Nie, Wager: Quasi-oracle estimation of heterogeneous treatment effects, Biometrika 108 (2021),
section 2, for regressing residuals on contrasts.
Künzel and others: Metalearners for estimating heterogeneous treatment effects, PNAS 116 (2019),
section 2, for one model per arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from incentive_engine.domain import FloatArray, Matrix
from incentive_engine.parallel import side_by_side
from incentive_engine.uplift.boosting.boosting import CrossFitted, Recipe, expit, predict, train
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.row_products import row_products
from incentive_engine.uplift.rows import TrialRows

if TYPE_CHECKING:
    import lightgbm as lgb


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContrastTrees:
    """Deviations of effects along d directions over the offers.

    Attributes
    ----------
    functions
        d boosted functions of the features.
    directions : (d, k) float64
        Effects over the offers that one unit of each function means.
    """

    functions: tuple[CrossFitted, ...]
    directions: FloatArray

    def predict(self, matrix: Matrix, *, folds: Folds | None) -> FloatArray:
        """Return deviations, (n, k), out of fold for the trial's rows."""
        total = np.zeros((len(matrix), self.directions.shape[1]))
        for function, direction in zip(self.functions, self.directions, strict=True):
            total += function.predict(matrix, folds=folds)[:, None] * direction
        return total

    def save(self, directory: Path, name: str) -> None:
        """Write one text file per function and fold."""
        for at, function in enumerate(self.functions):
            function.save(directory, f"{name}_{at}")

    @classmethod
    def load(
        cls, directory: Path, name: str, *, directions: FloatArray, count: int
    ) -> ContrastTrees:
        """Read what `save` wrote."""
        functions = (
            CrossFitted.load(directory, f"{name}_{at}", count=count)
            for at in range(len(directions))
        )
        return cls(functions=tuple(functions), directions=directions)


def fit_contrast_trees(
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArmTrees:
    """Deviations of effects as differences between the arms' own outcome models.

    Attributes
    ----------
    arms
        1 + k boosted functions: what an arm adds to the pooled model's log-odds.
    pooling : (k, k) float64
        What the effects of all offers let believe of each, as far as offers are alike.
    """

    arms: tuple[CrossFitted, ...]
    pooling: FloatArray

    def predict(self, matrix: Matrix, log_odds: FloatArray, *, folds: Folds | None) -> FloatArray:
        """Return effects, (n, k), given the pooled model's log-odds of an event (n,)."""
        chance = [
            expit(log_odds + arm.predict(matrix, folds=folds, raw=True)) for arm in self.arms
        ]
        alone = np.stack(chance[1:], axis=1) - chance[0][:, None]
        return alone @ self.pooling if folds is not None else row_products(alone, self.pooling)

    def save(self, directory: Path, name: str) -> None:
        """Write one text file per arm and fold."""
        for at, arm in enumerate(self.arms):
            arm.save(directory, f"{name}_{at}")

    @classmethod
    def load(cls, directory: Path, name: str, *, pooling: FloatArray, count: int) -> ArmTrees:
        """Read what `save` wrote."""
        arms = (
            CrossFitted.load(directory, f"{name}_{at}", count=count)
            for at in range(len(pooling) + 1)
        )
        return cls(arms=tuple(arms), pooling=pooling)


def fit_arm_trees(
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
