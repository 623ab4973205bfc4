from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.folds import draw_folds
from incentive_engine.uplift.randomisation import Randomisation
from incentive_engine.uplift.ridge import (
    NormalEquations,
    learn_covariance,
    normal_equations,
    solve,
)

EVERY = np.ones(2, dtype=bool)


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


def correlation(covariance: FloatArray) -> float:
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def test_the_posterior_is_that_of_the_long_regression() -> None:
    made, phi, z, residual = equations_of(np.array([[0.3, 0.0], [0.1, 0.2]]), n=500)
    prior = np.array([[0.04, 0.01], [0.01, 0.09]])
    design = np.concatenate(
        [np.column_stack([z[:, [j]], z[:, [j]] * phi]) for j in range(2)], axis=1
    )
    penalty = np.kron(np.linalg.inv(prior), np.diag([0.0, 1.0, 1.0]))
    expected = np.linalg.solve(design.T @ design + penalty, design.T @ residual)
    found = solve(made, prior, EVERY)
    assert found.mean == pytest.approx(expected.reshape(2, 3)[:, 1:], abs=1e-7)
    inverse = np.linalg.inv(design.T @ design + penalty)
    assert found.covariance[1] == pytest.approx(inverse[4:, 4:], abs=1e-7)


def test_offers_of_a_ladder_are_found_to_be_alike() -> None:
    slope = np.random.default_rng(1).normal(size=8)
    made, *_ = equations_of(np.stack([0.5 * slope, slope]), average=(0.25, 0.5))
    assert correlation(learn_covariance(made)) >= 0.8


def test_offers_of_different_kinds_are_found_to_be_unrelated() -> None:
    kinds = np.random.default_rng(2).normal(size=(2, 8))
    kinds[1] -= kinds[0] * (kinds[0] @ kinds[1]) / (kinds[0] @ kinds[0])
    made, *_ = equations_of(kinds)
    assert correlation(learn_covariance(made)) <= 0.5


def test_noise_is_shrunk_to_nothing() -> None:
    """Spread of the fitted effects stays below a twentieth of one offer's noise-free size."""
    made, phi, *_ = equations_of(np.zeros((2, 8)), seed=3)
    fitted = phi @ solve(made, learn_covariance(made), EVERY).mean.T
    assert fitted.std() < 0.05
