"""Empirical-Bayes ridge for effects: how alike the offers are is learned, not assumed.

The effect of offer j on a user with basis functions phi is ``a_j + b_j' phi``. The coefficients
have the prior ``Cov(b_j, b_l) = B_jl I``: the covariance B over the offers says how much effects
vary between users (its diagonal) and how far one offer's users are another's (its correlation:
near 1 on a ladder, near 0 for offers of different kinds). B maximises the marginal likelihood of
the residuals, so shrinkage and pooling follow the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from incentive_engine.domain import BoolArray, FloatArray
from incentive_engine.uplift.folds import Folds
from incentive_engine.uplift.randomisation import Randomisation

SPREADS: Final = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5)
"""Standard deviation of effects between users, in units of the strongest average effect."""
CORRELATIONS: Final = (0.0, 0.5, 0.8, 0.95, 0.995)
"""How alike two offers' effects are over users."""
DOSE_POWERS: Final = (0.0, 1.0)
"""Whether spreads are equal over offers, or in proportion to the average effects."""
WEAKEST_DOSE: Final = 0.2
"""Dose of an offer with no visible average effect, relative to the strongest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalEquations:
    """Sums over the rows of each fold, enough to fit on any set of folds.

    Attributes
    ----------
    gram : (folds, m, m) float64
        ``Σ weight · (z ⊗ (1, phi)) (z ⊗ (1, phi))'`` with m = k (p + 1), offers outermost.
    moment : (folds, m) float64
        ``Σ weight · residual · (z ⊗ (1, phi))``.
    offers
        k.
    """

    gram: FloatArray
    moment: FloatArray
    offers: int

    @property
    def width(self) -> int:
        """Parameters of one offer, p + 1."""
        return int(self.moment.shape[1]) // self.offers

    def of(self, use: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Return the sums over the folds that `use` (folds,) marks."""
        return self.gram[use].sum(axis=0), self.moment[use].sum(axis=0)


def normal_equations(
    *,
    phi: FloatArray,
    lottery: Randomisation,
    residual: FloatArray,
    weight: FloatArray,
    folds: Folds,
) -> NormalEquations:
    """Sum up what the rows say.

    Parameters
    ----------
    phi
        (n, p) basis functions.
    lottery
        What each row's arm says about each effect; few distinct lines, one per arm and reach.
    residual
        (n,) outcome minus its expectation given the features.
    weight
        (n,) precision.
    folds
        Of the n rows.
    """
    _, first, kind = np.unique(lottery.kind, return_index=True, return_inverse=True)
    lines = lottery.contrast[first]
    k, width = lines.shape[1], phi.shape[1] + 1
    gram = np.zeros((folds.count, k, width, k, width))
    moment = np.zeros((folds.count, k, width))
    for fold, (_, inside) in enumerate(folds):
        for which, rows in _by_kind(kind[inside], inside, len(lines)):
            design = np.column_stack([np.ones(len(rows)), phi[rows]])
            weighted = design * weight[rows, None]
            line = lines[which]
            square = weighted.T @ design
            gram[fold] += np.einsum("a,b,ij->aibj", line, line, square)
            moment[fold] += np.outer(line, weighted.T @ residual[rows])
    m = k * width
    return NormalEquations(
        gram=gram.reshape(folds.count, m, m), moment=moment.reshape(folds.count, m), offers=k
    )


def _by_kind(kind: np.ndarray, rows: np.ndarray, count: int) -> Iterator[tuple[int, np.ndarray]]:
    for which in range(count):
        yield which, rows[kind == which]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """Coefficients of k offers and their covariance.

    Attributes
    ----------
    mean : (k, p) float64
        Coefficients of the basis functions, without the intercepts.
    covariance : (k, p, p) float64
        Per offer.
    """

    mean: FloatArray
    covariance: FloatArray


def solve(equations: NormalEquations, covariance: FloatArray, use: BoolArray) -> Posterior:
    """Return the posterior given the rows of some folds and the prior covariance B (k, k)."""
    from scipy.linalg import cho_factor, cho_solve  # only fitting should pay for loading it

    gram, moment = equations.of(use)
    k, width = equations.offers, equations.width
    factor = cho_factor(_precision(gram, covariance, width), lower=True)
    mean = cho_solve(factor, moment).reshape(k, width)[:, 1:]
    inverse = cho_solve(factor, np.eye(len(gram))).reshape(k, width, k, width)
    blocks = np.stack([inverse[j, 1:, j, 1:] for j in range(k)])
    return Posterior(mean=mean, covariance=blocks)


def learn_covariance(equations: NormalEquations) -> FloatArray:
    """Return the covariance over offers, (k, k), with the highest marginal likelihood."""
    gram, moment = equations.of(np.ones(len(equations.gram), dtype=np.bool_))
    width, k = equations.width, equations.offers
    average = _average(gram, moment, width)
    correlations = CORRELATIONS if k > 1 else (0.0,)
    best, chosen = -np.inf, np.eye(k)
    for power, correlation, spread in product(DOSE_POWERS, correlations, SPREADS):
        dose = _dose(average) ** power
        likeness = correlation + (1 - correlation) * np.eye(k)
        covariance = (spread * _scale(gram, average, width)) ** 2 * np.outer(dose, dose) * likeness
        evidence = _evidence(gram, moment, covariance, width)
        if evidence > best:
            best, chosen = evidence, covariance
    return chosen


def _average(gram: FloatArray, moment: FloatArray, width: int) -> FloatArray:
    """Return the average effects without any heterogeneity, (k,)."""
    return np.asarray(np.linalg.solve(gram[::width, ::width], moment[::width]))


def _dose(average: FloatArray) -> FloatArray:
    strongest = np.abs(average).max() or 1.0
    dose = np.maximum(np.abs(average) / strongest, WEAKEST_DOSE)
    return np.asarray(dose / np.sqrt(np.mean(dose**2)))


def _scale(gram: FloatArray, average: FloatArray, width: int) -> float:
    """Return the size of effects that spreads are counted in; never below the noise."""
    noise = np.sqrt(np.diag(np.linalg.inv(gram[::width, ::width])).mean())
    return float(max(np.abs(average).max(), noise))


def _precision(gram: FloatArray, covariance: FloatArray, width: int) -> FloatArray:
    k = len(covariance)
    prior = np.zeros((width, width))
    prior[1:, 1:] = np.eye(width - 1)
    total = gram + np.kron(np.linalg.inv(covariance), prior)
    # functions that no row of some fold shows leave a zero on the diagonal of the intercepts
    return np.asarray(total + 1e-10 * np.trace(gram) / (k * width) * np.eye(k * width))


def _evidence(gram: FloatArray, moment: FloatArray, covariance: FloatArray, width: int) -> float:
    """Return the log marginal likelihood up to a constant that does not depend on B."""
    from scipy.linalg import solve_triangular  # only fitting should pay for loading it

    factor = np.linalg.cholesky(_precision(gram, covariance, width))
    half = solve_triangular(factor, moment, lower=True)
    complexity = np.log(np.diag(factor)).sum()
    prior = 0.5 * (width - 1) * np.linalg.slogdet(covariance)[1]
    return float(0.5 * half @ half - complexity - prior)
