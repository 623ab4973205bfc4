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

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from incentive_engine.domain import FloatArray, Floats, IntArray
from incentive_engine.parallel import side_by_side
from incentive_engine.stats.systematic_sample import quantile_rows
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.interactions.interactions import PairProducts, partners
from incentive_engine.uplift.effects.interactions.ridge import (
    ROWS,
    NormalEquations,
    Posterior,
    Prior,
    distinct_lines,
    total_precision,
)
from incentive_engine.uplift.params import FIT, FitParams
from incentive_engine.uplift.randomisation import Randomisation


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
    phi: Floats,
    lottery: Randomisation,
    residual: FloatArray,
    weight: FloatArray,
    folds: Folds,
    params: FitParams = FIT,
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
    some = phi[quantile_rows(len(phi))]
    # functions are centred, so that this is their covariance
    spread = np.asarray(some.T @ some / len(some), dtype=np.float64)
    strongest = [_strongest(ridge.mean, np.asarray(columns), spread) for _, ridge in believed]
    column, main = (np.stack(parts) for parts in zip(*strongest, strict=True))
    first, second = partners(main.shape[1])
    centre = (main @ spread @ main.transpose(0, 2, 1))[:, first, second]
    lines, kind = distinct_lines(lottery)

    def of_fold(fold: int) -> _Sums:
        inside = folds.inside(fold)
        parts = [inside[kind[inside] == which] for which in range(len(lines))]
        sums = [
            _sums(phi, rows, main=main, centre=centre, residual=residual, weight=weight)
            for rows in parts
        ]
        return _Sums(*(np.stack(each) for each in zip(*sums, strict=True)))

    sums = side_by_side(of_fold, folds.count)

    def outside(fold: int) -> tuple[FloatArray, FloatArray]:
        beside, itself, pull = (
            np.sum([part[:, fold] for at, part in enumerate(parts) if at != fold], axis=0)
            for parts in zip(*sums, strict=True)
        )
        cross, square, moment = _of_offers(lines, beside, itself, pull)
        return _coefficients(
            equations.without(fold),
            believed[fold][0],
            cross=cross,
            square=square,
            moment=moment,
            params=params,
        )

    solved = side_by_side(outside, folds.count)
    coefficient, ridge = (np.stack(parts) for parts in zip(*solved, strict=True))
    pairs = PairProducts(column=column, main=main, centre=centre, coefficient=coefficient)
    return Interacting(pairs=pairs, ridge=ridge)


class _Sums(NamedTuple):
    """What rows of one fold say of P products of each of v versions, by line of the contrast.

    Attributes
    ----------
    beside : (lines, v, P, 1 + q) float64
        Σ weight · product · (1, phi).
    itself : (lines, v, P, P) float64
        Σ weight · product · product.
    pull : (lines, v, P) float64
        Σ weight · product · residual.
    """

    beside: FloatArray
    itself: FloatArray
    pull: FloatArray


def _sums(
    phi: Floats,
    rows: IntArray,
    *,
    main: FloatArray,
    centre: FloatArray,
    residual: FloatArray,
    weight: FloatArray,
) -> _Sums:
    """Return what some rows of one line say of products of (v, m, q) functions, less centres."""
    versions, mains, q = main.shape
    count, kind = centre.shape[1], phi.dtype
    functions, middle = main.reshape(versions * mains, q).T.astype(kind), centre.astype(kind)
    first, second = partners(mains)
    beside = np.zeros((versions * count, 1 + q))
    itself, pull = np.zeros((versions, count, count)), np.zeros(versions * count)
    for start in range(0, len(rows), ROWS):
        block = rows[start : start + ROWS]
        mine = phi[block]
        value = (mine @ functions).reshape(len(block), versions, mains)
        product = value[:, :, first] * value[:, :, second] - middle
        weighted = product * weight[block, None, None].astype(kind)
        flat = weighted.reshape(len(block), versions * count).T
        beside[:, 0] += flat.sum(axis=1)
        beside[:, 1:] += flat @ mine
        itself += weighted.transpose(1, 2, 0) @ product.transpose(1, 0, 2)
        pull += flat @ residual[block].astype(kind)
    return _Sums(beside.reshape(versions, count, 1 + q), itself, pull.reshape(versions, count))


def _of_offers(
    lines: FloatArray, beside: FloatArray, itself: FloatArray, pull: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the blocks of the normal equations, by the contrast's lines (lines, k).

    Those of basis functions and products, (k, 1 + q, k, P), of products alone, (k, P, k, P),
    and the products' moments, (k, P).
    """
    cross = np.einsum("la,lb,lji->aibj", lines, lines, beside)
    square = np.einsum("la,lb,lij->aibj", lines, lines, itself)
    return cross, square, lines.T @ pull


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
        covariance = mean[:, mine] @ spread[np.ix_(mine, mine)] @ mean[:, mine].T
        variance, vectors = np.linalg.eigh(covariance)
        moved[at] = max(variance[-1], 0.0)
        if moved[at] > 0:
            # an eigenvector's sign is arbitrary: its largest entry is made positive
            leading = vectors[:, -1] * np.sign(vectors[np.abs(vectors[:, -1]).argmax(), -1])
            functions[at, mine] = leading @ mean[:, mine] / np.sqrt(moved[at])
    # features whose functions are multiplied with each other
    first = np.sort(np.argsort(-moved, kind="stable")[:4])
    return features[first], functions[first] / len(features) ** 0.25


def _coefficients(
    equations: NormalEquations,
    prior: Prior,
    *,
    cross: FloatArray,
    square: FloatArray,
    moment: FloatArray,
    params: FitParams,
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
    # Schur's complement: what the rows say of products once functions are integrated out
    left = square.reshape(k * count, k * count) - across.T @ lean
    pull = moment.reshape(k * count) - across.T @ alone
    inverse = np.asarray(np.linalg.inv(prior.covariance))
    relevance = _relevance(left, pull, inverse, params)
    believed = _precision(inverse, relevance)
    mean = np.linalg.solve(left + believed, pull)
    volume = np.linalg.slogdet(believed)[1] - np.linalg.slogdet(left + believed)[1]
    gain = 0.5 * float(pull @ mean + volume)
    # times the chance that there are any: a logistic function of the gain, which tanh does not let
    # overflow
    mean = 0.5 * (1 + np.tanh(gain / 2)) * mean
    functions = (alone - lean @ mean).reshape(k, width)[:, 1:]
    return mean.reshape(k, count), functions


def _relevance(
    left: FloatArray, pull: FloatArray, inverse: FloatArray, params: FitParams
) -> FloatArray:
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
    for _ in range(params.relevance_steps):
        covariance = np.asarray(np.linalg.inv(left + _precision(inverse, relevance)))
        mean = (covariance @ pull).reshape(k, count)
        spread = np.einsum("jili->jli", covariance.reshape(k, count, k, count))
        size = np.einsum("jl,jli->i", inverse, mean[:, None] * mean[None] + spread)
        pulled = 2 * params.relevance_restraint
        relevance = np.asarray((size + pulled) / (k + pulled))
    return relevance


def _precision(inverse: FloatArray, relevance: FloatArray) -> FloatArray:
    """Return the prior precision of all coefficients, (k P, k P), offers outermost."""
    return np.asarray(np.kron(inverse, np.diag(1 / relevance)))
