"""Empirical-Bayes ridge for effects: a prior says how effects vary, and all offers share it.

The effect of offer j on a user with basis functions phi is ``a_j + b_j' phi``. The coefficients
have the prior ``Cov(b_ji, b_li) = B_jl · sqrt(r_ji r_li)``, independent over functions i: the
covariance B over the offers says how much effects vary between users (its diagonal) and how far
one offer's users are another's (its correlation: near 1 on a ladder, near 0 for offers of
different kinds), the relevance r how much of that is in function i. `covariance` and `relevance`
learn both by marginal likelihood, so that shrinkage and pooling follow the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from incentive_engine.domain import FloatArray, Floats, IntArray
from incentive_engine.parallel import side_by_side
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.randomisation import Randomisation

ROWS: Final = 1 << 11
"""Rows at a time: their functions stay in the processor's memory."""


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

    @property
    def total(self) -> tuple[FloatArray, FloatArray]:
        """The sums over all folds, (m, m) and (m,)."""
        return self.gram.sum(axis=0), self.moment.sum(axis=0)

    def without(self, fold: int) -> NormalEquations:
        """Return what the rows outside a fold say."""
        others = np.arange(len(self.gram)) != fold
        return NormalEquations(
            gram=self.gram[others], moment=self.moment[others], offers=self.offers
        )


def distinct_lines(lottery: Randomisation) -> tuple[FloatArray, IntArray]:
    """Return the distinct lines of the contrast (few, k), and which is each row's, (n,)."""
    kind, names = pd.factorize(lottery.kind)
    first = np.zeros(len(names), dtype=np.int64)
    first[kind] = np.arange(len(kind))
    return lottery.contrast_of(first), kind


def normal_equations(
    *,
    phi: Floats,
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
    lines, kind = distinct_lines(lottery)
    k, width = lines.shape[1], phi.shape[1] + 1
    gram = np.zeros((folds.count, k, width, k, width))
    moment = np.zeros((folds.count, k, width))

    def add(fold: int) -> None:
        inside = folds.inside(fold)
        for which, line in enumerate(lines):
            square, pull = _sums(phi, weight, residual, inside[kind[inside] == which])
            gram[fold] += np.einsum("a,b,ij->aibj", line, line, square)
            moment[fold] += np.outer(line, pull)

    side_by_side(add, folds.count)
    m = k * width
    return NormalEquations(
        gram=gram.reshape(folds.count, m, m), moment=moment.reshape(folds.count, m), offers=k
    )


def _sums(
    phi: Floats, weight: FloatArray, residual: FloatArray, rows: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return ``Σ weight · (1, phi) (1, phi)'`` and ``Σ weight · residual · (1, phi)`` of rows."""
    width = phi.shape[1] + 1
    square, pull = np.zeros((width, width)), np.zeros(width)
    half = np.empty((ROWS, width), phi.dtype)
    for start in range(0, len(rows), ROWS):
        block = rows[start : start + ROWS]
        # half of the weight on each side, so that one product of a matrix with itself does
        root = np.sqrt(weight[block]).astype(phi.dtype)
        design = half[: len(block)]
        design[:, 0] = root
        np.multiply(phi[block], root[:, None], out=design[:, 1:])
        square += design.T @ design
        pull += design.T @ (root * residual[block]).astype(phi.dtype)
    return square, pull


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prior:
    """What is believed of the coefficients before the data speak.

    Attributes
    ----------
    covariance : (k, k) float64
        B, over the offers.
    relevance : (k, p) float64
        r > 0, of each function for each offer; 1 when nothing is known.
    """

    covariance: FloatArray
    relevance: FloatArray

    def precision(self) -> FloatArray:
        """Return the prior precision of each function's coefficients, (p, k, k)."""
        root = 1 / np.sqrt(self.relevance)
        inverse = np.linalg.inv(self.covariance)
        return np.asarray(np.einsum("ji,jl,li->ijl", root, inverse, root))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posterior:
    """Coefficients of k offers and their covariance.

    Attributes
    ----------
    mean : (k, p) float64
        Coefficients of the basis functions, without the intercepts.
    root : (k, p, m) float64
        The covariance of two coefficients is the product of their rows.
    """

    mean: FloatArray
    root: FloatArray

    @property
    def per_offer(self) -> FloatArray:
        """The covariance of each offer's own coefficients, (k, p, p)."""
        return np.asarray(self.root @ self.root.transpose(0, 2, 1))

    @property
    def second_moments(self) -> FloatArray:
        """``E[b_ji b_li]`` of two offers' coefficients of one function, (k, k, p)."""
        spread = np.einsum("jir,lir->jli", self.root, self.root)
        return np.asarray(self.mean[:, None] * self.mean[None] + spread)


def solve(equations: NormalEquations, prior: Prior) -> Posterior:
    """Return the posterior given the rows."""
    from scipy.linalg.lapack import dtrtri  # only fitting should pay for loading it

    gram, moment = equations.total
    k, width = equations.offers, equations.width
    factor = np.linalg.cholesky(total_precision(gram, prior))
    # the inverse of the factor is a root of the covariance, and solves for the mean as well
    root = dtrtri(factor.T, lower=False)[0]
    mean = (root @ (root.T @ moment)).reshape(k, width)[:, 1:]
    return Posterior(mean=mean, root=root.reshape(k, width, -1)[:, 1:])


def log_evidence(gram: FloatArray, moment: FloatArray, prior: Prior) -> float:
    """Return the log marginal likelihood, up to a constant that does not depend on the prior."""
    from scipy.linalg import solve_triangular  # only fitting should pay for loading it

    factor = np.linalg.cholesky(total_precision(gram, prior))
    half = solve_triangular(factor, moment, lower=True)
    complexity = np.log(np.diag(factor)).sum()
    functions = prior.relevance.shape[1]
    volume = functions * np.linalg.slogdet(prior.covariance)[1] + np.log(prior.relevance).sum()
    return float(0.5 * half @ half - complexity - 0.5 * volume)


def total_precision(gram: FloatArray, prior: Prior) -> FloatArray:
    """Return the posterior precision of all parameters, (m, m)."""
    k, p = prior.relevance.shape
    total = gram.copy()
    # functions that no row of some fold shows leave a zero on the diagonal of the intercepts
    total.flat[:: len(gram) + 1] += 1e-10 * np.trace(gram) / len(gram)
    place = np.arange(1, p + 1)
    total.reshape(k, p + 1, k, p + 1)[:, place, :, place] += prior.precision()
    return total
