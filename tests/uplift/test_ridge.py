from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.crossfit import draw_folds
from incentive_engine.uplift.effects.deviations import _functions
from incentive_engine.uplift.effects.interactions.covariance import Covariances
from incentive_engine.uplift.effects.interactions.relevance import learn_prior
from incentive_engine.uplift.effects.interactions.ridge import (
    NormalEquations,
    Prior,
    log_evidence,
    normal_equations,
    solve,
)
from incentive_engine.uplift.randomisation import Randomisation

PAIRS = (0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5)
RELEVANCE = np.array([[1.0, 4.0], [0.25, 1.0]])


def equations_of(
    effect_of: FloatArray,
    *,
    average: tuple[float, float] = (0.1, 0.1),
    n: int = 20_000,
    noise: float = 1.0,
    seed: int = 0,
) -> tuple[NormalEquations, FloatArray, FloatArray, FloatArray]:
    """Draw residuals ``z'(effects) + noise`` with coefficients `effect_of` (k, p)."""
    rng = np.random.default_rng(seed)
    k, p = effect_of.shape
    phi = rng.normal(size=(n, p)) / np.sqrt(p)
    arm = rng.integers(0, k + 1, n)
    share = np.full((n, k + 1), 1 / (k + 1))
    lottery = Randomisation(
        arm=arm,
        weight=np.ones(n),
        share=share,
        reach=np.ones((n, k), dtype=bool),
        odds=np.ones(k),
    )
    z = lottery.contrast
    residual = (z * (np.array(average) + phi @ effect_of.T)).sum(axis=1) + noise * rng.normal(
        size=n
    )
    folds = draw_folds(pd.Series(range(n)), count=2, rng=rng)
    made = normal_equations(
        phi=phi,
        lottery=lottery,
        residual=residual,
        weight=np.full(n, 1 / noise**2),
        folds=folds,
    )
    return made, phi, z, residual


def learn_covariance(
    equations: NormalEquations,
    *,
    average: tuple[float, float] = (0.1, 0.1),
    one_ladder: bool = False,
) -> FloatArray:
    candidates = Covariances(equations, np.array(average), one_ladder=one_ladder)
    return candidates.of(candidates.first())


def learned(
    equations: NormalEquations,
    columns: Sequence[int],
    *,
    average: tuple[float, float] = (0.1, 0.1),
) -> Prior:
    candidates = Covariances(equations, np.array(average), one_ladder=False)
    return learn_prior(equations, columns, candidates, candidates.first())


def equally(covariance: FloatArray, functions: int) -> Prior:
    return Prior(covariance=covariance, relevance=np.ones((len(covariance), functions)))


def correlation(covariance: FloatArray) -> float:
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def test_the_posterior_is_that_of_the_long_regression() -> None:
    made, phi, z, residual = equations_of(np.array([[0.3, 0.0], [0.1, 0.2]]), n=500)
    prior = np.array([[0.04, 0.01], [0.01, 0.09]])
    design = np.concatenate(
        [np.column_stack([z[:, [j]], z[:, [j]] * phi]) for j in range(2)], axis=1
    )
    relevance = RELEVANCE
    spread = np.zeros((2, 3, 2, 3))
    for i in range(2):
        root = np.sqrt(relevance[:, i])
        spread[:, i + 1, :, i + 1] = prior * np.outer(root, root)
    penalty = np.linalg.pinv(spread.reshape(6, 6))
    expected = np.linalg.solve(design.T @ design + penalty, design.T @ residual)
    found = solve(made, Prior(covariance=prior, relevance=relevance))
    assert found.mean == pytest.approx(expected.reshape(2, 3)[:, 1:], abs=1e-7)
    inverse = np.linalg.inv(design.T @ design + penalty)
    assert found.per_offer[1] == pytest.approx(inverse[4:, 4:], abs=1e-7)


def test_offers_of_a_ladder_are_found_to_be_alike() -> None:
    slope = np.random.default_rng(1).normal(size=8)
    made, *_ = equations_of(np.stack([0.5 * slope, slope]), average=(0.25, 0.5))
    assert correlation(learn_covariance(made, average=(0.25, 0.5))) >= 0.8


def test_differences_are_found_to_grow_with_the_average_effects_that_are_believed() -> None:
    slope = np.random.default_rng(1).normal(size=8)
    made, *_ = equations_of(np.stack([0.5 * slope, slope]), average=(0.25, 0.5))
    for believed, ratio in (((0.25, 0.5), 0.5), ((0.4, 0.5), 0.8)):
        spread = np.sqrt(np.diag(learn_covariance(made, average=believed)))
        assert spread[0] / spread[1] == pytest.approx(ratio)


def test_offers_of_different_kinds_are_found_to_be_unrelated() -> None:
    """Even where they are declared to be one ladder."""
    kinds = np.random.default_rng(2).normal(size=(2, 8))
    kinds[1] -= kinds[0] * (kinds[0] @ kinds[1]) / (kinds[0] @ kinds[0])
    made, *_ = equations_of(kinds)
    assert correlation(learn_covariance(made)) <= 0.5
    assert correlation(learn_covariance(made, one_ladder=True)) <= 0.5


def test_where_the_rows_cannot_tell_the_rungs_of_a_ladder_are_alike() -> None:
    slope = np.random.default_rng(1).normal(size=(1, 8))
    made, *_ = equations_of(slope * [[0.5], [1.0]], n=40, noise=20.0)
    assert correlation(learn_covariance(made, one_ladder=True)) >= 0.8


def test_noise_is_shrunk_to_nothing() -> None:
    """Spread of the fitted effects stays below a twentieth of one offer's noise-free size."""
    made, phi, *_ = equations_of(np.zeros((2, 8)), seed=3)
    fitted = phi @ solve(made, learned(made, range(8))).mean.T
    assert fitted.std() < 0.05


def test_the_evidence_is_the_likelihood_of_the_rows_with_the_effects_integrated_out() -> None:
    """Two priors differ as the normal densities with covariance ``I + X P X'`` do."""
    made, phi, z, residual = equations_of(np.array([[0.3, 0.0], [0.1, 0.2]]), n=60)
    design = np.concatenate(
        [np.column_stack([z[:, [j]], z[:, [j]] * phi]) for j in range(2)], axis=1
    )
    flat = 1e4  # of the intercepts, whose prior is flat
    found, expected = [], []
    for prior in (equally(0.2 * np.eye(2), 2), Prior(covariance=np.eye(2), relevance=RELEVANCE)):
        spread = np.diag([flat, 0, 0, flat, 0, 0])
        place = [1, 2, 4, 5]
        spread[np.ix_(place, place)] = np.diag(
            (np.diag(prior.covariance)[:, None] * prior.relevance).ravel()
        )
        total = np.eye(60) + design @ spread @ design.T
        density = -0.5 * residual @ np.linalg.solve(total, residual)
        expected.append(density - 0.5 * np.linalg.slogdet(total)[1])
        found.append(log_evidence(*made.total, prior))
    assert found[0] - found[1] == pytest.approx(expected[0] - expected[1], abs=1e-3)


def test_a_feature_that_effects_depend_on_is_found_among_others() -> None:
    """Over 40 seeds the right feature was 12 to 124 times as relevant as the usual one."""
    effects = np.zeros((2, 12))
    effects[:, 4:6] = [[0.3, -0.4], [0.6, -0.8]]
    made, *_ = equations_of(effects, average=(0.25, 0.5))
    prior = learned(made, PAIRS, average=(0.25, 0.5))
    feature = prior.relevance[:, ::2]
    assert (feature.argmax(axis=1) == 2).all()
    assert (feature[:, 2] > 4 * np.median(feature, axis=1)).all()


def test_offers_with_features_of_their_own_get_relevances_of_their_own() -> None:
    """Over 40 seeds each offer's own feature was 4.4 to 10 times as relevant as the other's."""
    effects = np.zeros((2, 12))
    effects[0, 0:2], effects[1, 6:8] = [0.6, -0.8], [-0.8, 0.6]
    relevance = learned(equations_of(effects)[0], PAIRS).relevance
    assert relevance.argmax(axis=1).tolist() == [0, 6]
    assert relevance[0, 0] > 2 * relevance[0, 6]
    assert relevance[1, 6] > 2 * relevance[1, 0]


def test_relevance_keeps_most_of_the_noise_out() -> None:
    """Over 40 seeds the error of the effects fell to 0.13 to 0.81 of what it was."""
    effects = np.zeros((2, 24))
    effects[:, 0] = 1.0
    made, phi, *_ = equations_of(effects, n=6_000, seed=4)
    prior, plain = learned(made, range(24)), learn_covariance(made)
    truth = phi @ effects.T
    errors = [
        np.square(phi @ solve(made, one).mean.T - truth).mean()
        for one in (prior, equally(plain, 24))
    ]
    assert errors[0] < 0.9 * errors[1]


def test_a_fold_has_no_say_in_what_the_others_say() -> None:
    made, *_ = equations_of(np.array([[0.3, 0.0], [0.1, 0.2]]), n=500)
    changed = NormalEquations(gram=made.gram.copy(), moment=made.moment.copy(), offers=2)
    changed.moment[1] += 100
    before, after = (solve(e.without(1), learned(e.without(1), (0, 1))) for e in (made, changed))
    assert (before.mean == after.mean).all()


def test_the_ridge_looks_at_the_features_that_tell_most_where_there_are_many() -> None:
    columns = np.repeat(np.arange(300), 2)
    prognostic = np.arange(300.0)[::-1]
    few = _functions(columns, prognostic, 4, 480)
    assert (few == np.arange(120)).all()
    assert (_functions(columns[:20], prognostic, 4, 480) == np.arange(20)).all()
