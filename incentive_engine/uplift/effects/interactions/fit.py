"""Learning which features reinforce each other, once it is known what each does by itself.

Few features drive the effects, and where two of them interact, each has an effect of its own as
a rule. So the candidates are the products of what the strongest features do; how large their
coefficients are is learned by marginal likelihood, and they count by the chance that there are
any.

References
----------
Tukey: One degree of freedom for non-additivity, Biometrics 5 (1949), for products of main effects.
Bien, Taylor, Tibshirani: A lasso for hierarchical interactions, Annals of Statistics 41 (2013),
section 1, for interactions of features that matter by themselves.
"""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numba
import numpy as np

from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.parallel import side_by_side
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.interactions.interactions import PairProducts, partners
from incentive_engine.uplift.effects.interactions.relevance import RESTRAINT, STEPS
from incentive_engine.uplift.effects.interactions.ridge import (
    NormalEquations,
    Posterior,
    Prior,
    distinct_lines,
    total_precision,
)
from incentive_engine.uplift.trial_design import Randomisation

STRONGEST: Final = 4
"""Features whose functions are multiplied with each other."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interacting:
    """What products say beside the functions of single features.

    Attributes
    ----------
    pairs
        The products' part.
    ridge : (folds, k, q) float64
        Coefficients of the basis functions, given the products.
    """

    pairs: PairProducts
    ridge: FloatArray

    def without_pairs(self, ridge: FloatArray) -> Interacting:
        """Return products that say nothing, and coefficients without them."""
        silent = replace(self.pairs, coefficient=np.zeros_like(self.pairs.coefficient))
        return Interacting(pairs=silent, ridge=ridge)


def learn_pairs(
    equations: NormalEquations,
    believed: list[tuple[Prior, Posterior]],
    columns: Sequence[int],
    *,
    phi: FloatArray,
    lottery: Randomisation,
    residual: FloatArray,
    weight: FloatArray,
    folds: Folds,
) -> Interacting:
    """Learn the products' coefficients outside each fold.

    Parameters
    ----------
    equations
        What the rows say of the basis functions; made of the arrays that follow.
    believed
        Prior and posterior of these, from the rows outside each fold.
    columns
        The feature of each of the q functions.
    phi
        (n, q) basis functions, centred.
    lottery, residual, weight, folds
        As in `normal_equations`.
    """
    spread = phi.T @ phi / len(phi)
    lines, kind = distinct_lines(lottery)

    def outside(fold: int) -> tuple[IntArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        prior, posterior = believed[fold]
        column, main = _strongest(posterior.mean, np.asarray(columns), spread)
        centre = (main @ spread @ main.T)[partners(len(main))]
        sums = _Sums.empty(len(lines), phi.shape[1], len(main))
        away = folds.holds(fold)
        rows = (phi, phi @ main.T, centre, kind, residual, weight, away)
        add_products(sums.beside, sums.itself, sums.pull, *rows)
        cross, square, moment = sums.of_offers(lines)
        coefficient, ridge = _coefficients(
            equations.without(fold), prior, cross=cross, square=square, moment=moment
        )
        return column, main, centre, coefficient, ridge

    found = side_by_side(outside, folds.count)
    stacked = [np.stack(parts) for parts in zip(*found, strict=True)]
    column, main, centre, coefficient, ridge = stacked
    pairs = PairProducts(column=column, main=main, centre=centre, coefficient=coefficient)
    return Interacting(pairs=pairs, ridge=ridge)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sums:
    """What rows say of P products, per distinct line of the contrast.

    Attributes
    ----------
    beside : (lines, P, 1 + q) float64
        Σ weight · product · (1, phi).
    itself : (lines, P, P) float64
        Σ weight · product · product.
    pull : (lines, P) float64
        Σ weight · product · residual.
    """

    beside: FloatArray
    itself: FloatArray
    pull: FloatArray

    @classmethod
    def empty(cls, lines: int, functions: int, mains: int) -> _Sums:
        count = mains * (mains - 1) // 2
        return cls(
            beside=np.zeros((lines, count, 1 + functions)),
            itself=np.zeros((lines, count, count)),
            pull=np.zeros((lines, count)),
        )

    def of_offers(self, lines: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the blocks of the normal equations, by the contrast's lines (lines, k).

        Those of basis functions and products, (k, 1 + q, k, P), of products alone, (k, P, k, P),
        and the products' moments, (k, P).
        """
        cross = np.einsum("la,lb,lji->aibj", lines, lines, self.beside)
        square = np.einsum("la,lb,lij->aibj", lines, lines, self.itself)
        return cross, square, lines.T @ self.pull


@numba.njit(cache=True, nogil=True)
def add_products(
    beside: FloatArray,
    itself: FloatArray,
    pull: FloatArray,
    phi: FloatArray,
    main: FloatArray,
    centre: FloatArray,
    kind: IntArray,
    residual: FloatArray,
    weight: FloatArray,
    left_out: BoolArray,
) -> None:
    """Add what rows say of the products of every two of m functions (n, m), less the centre."""
    n, q = phi.shape
    m = main.shape[1]
    value = np.empty(len(centre))
    for row in range(n):
        if left_out[row]:
            continue
        line = kind[row]
        at = 0
        for first in range(m):
            for second in range(first + 1, m):
                value[at] = main[row, first] * main[row, second] - centre[at]
                at += 1
        for at in range(len(centre)):
            weighted = weight[row] * value[at]
            pull[line, at] += weighted * residual[row]
            for other in range(len(centre)):
                itself[line, at, other] += weighted * value[other]
            beside[line, at, 0] += weighted
            sums, functions = beside[line, at, 1:], phi[row]
            for each in range(q):
                sums[each] += weighted * functions[each]


def _strongest(
    mean: FloatArray, columns: IntArray, spread: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return the features that move the effects most, and a function of each over all offers.

    Parameters
    ----------
    mean
        (k, q) coefficients.
    columns
        (q,) the feature of each basis function.
    spread
        (q, q) covariance of the basis functions over the rows.

    Returns
    -------
    The features (m,), and coefficients (m, q) of the direction in which most of the effects'
    variance lies, scaled so that a product of two varies as much as a feature does on average.
    """
    features = np.unique(columns)
    moved, functions = np.zeros(len(features)), np.zeros((len(features), len(columns)))
    for at, feature in enumerate(features):
        mine = np.flatnonzero(columns == feature)
        part = mean[:, mine] @ spread[np.ix_(mine, mine)] @ mean[:, mine].T
        variance, vectors = np.linalg.eigh(part)
        moved[at] = max(variance[-1], 0.0)
        if moved[at] > 0:
            leading = vectors[:, -1] * np.sign(vectors[np.abs(vectors[:, -1]).argmax(), -1])
            functions[at, mine] = leading @ mean[:, mine] / np.sqrt(moved[at])
    first = np.sort(np.argsort(-moved, kind="stable")[:STRONGEST])
    return features[first], functions[first] / len(features) ** 0.25


def _coefficients(
    equations: NormalEquations,
    prior: Prior,
    *,
    cross: FloatArray,
    square: FloatArray,
    moment: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return coefficients of the products (k, P) and, given these, of the functions (k, q).

    Notes
    -----
    The functions' coefficients are integrated out: what is left of the rows speaks for the
    products alone. Their relevances are those with the largest marginal likelihood, near 1, by
    expectation-maximisation; the gain in likelihood is the odds that there are interactions.
    """
    from scipy.linalg import cho_factor, cho_solve  # only fitting should pay for loading it

    k, width = equations.offers, equations.width
    count = square.shape[1]
    gram, total = equations.total
    factor = cho_factor(total_precision(gram, prior), lower=True)
    across = cross.reshape(k * width, k * count)
    alone, lean = cho_solve(factor, total), cho_solve(factor, across)
    left = square.reshape(k * count, k * count) - across.T @ lean
    pull = moment.reshape(k * count) - across.T @ alone
    inverse = np.asarray(np.linalg.inv(prior.covariance))
    relevance = _relevance(left, pull, inverse)
    believed = _precision(inverse, relevance)
    mean = np.linalg.solve(left + believed, pull)
    volume = np.linalg.slogdet(believed)[1] - np.linalg.slogdet(left + believed)[1]
    gain = 0.5 * float(pull @ mean + volume)
    mean = 0.5 * (1 + np.tanh(gain / 2)) * mean
    functions = (alone - lean @ mean).reshape(k, width)[:, 1:]
    return mean.reshape(k, count), functions


def _relevance(left: FloatArray, pull: FloatArray, inverse: FloatArray) -> FloatArray:
    """Return the likeliest relevance of each product, (P,), near 1.

    Parameters
    ----------
    left
        (k P, k P) what the rows say of products alone.
    pull
        (k P,) the same with the residual.
    inverse
        (k, k) of the prior covariance over the offers.
    """
    k = len(inverse)
    count = len(pull) // k
    relevance: FloatArray = np.ones(count)
    for _ in range(STEPS):
        covariance = np.asarray(np.linalg.inv(left + _precision(inverse, relevance)))
        mean = (covariance @ pull).reshape(k, count)
        spread = np.einsum("jili->jli", covariance.reshape(k, count, k, count))
        size = np.einsum("jl,jli->i", inverse, mean[:, None] * mean[None] + spread)
        relevance = np.asarray((size + 2 * RESTRAINT) / (k + 2 * RESTRAINT))
    return relevance


def _precision(inverse: FloatArray, relevance: FloatArray) -> FloatArray:
    """Return the prior precision of all coefficients, (k P, k P), offers outermost."""
    return np.asarray(np.kron(inverse, np.diag(1 / relevance)))
