"""Which features the effects depend on: the relevance of each, learned like the rest of the prior.

Effects that depend on one feature of twenty drown when all twenty are shrunk alike. So the prior
variance of a feature's coefficients is a parameter too, one for all offers or one per offer,
whichever the rows speak for; features without a say are shrunk away, the others are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.uplift.effects.interactions.covariance import Covariances, Guess
from incentive_engine.uplift.effects.interactions.ridge import (
    NormalEquations,
    Prior,
    log_evidence,
    solve,
)
from incentive_engine.uplift.params import FIT, FitParams


def learn_prior(
    equations: NormalEquations,
    columns: Sequence[int],
    candidates: Covariances,
    guess: Guess,
    params: FitParams = FIT,
) -> Prior:
    """Return the likeliest prior.

    Whoever wants estimates out of fold has to learn the prior out of fold, too: features that
    only seem relevant are those that agree with the very rows they were chosen on.

    Parameters
    ----------
    equations
        What the rows say.
    columns
        The feature of each of the p functions; those of one feature are equally relevant.
    candidates
        Covariances over the offers, judged by the same rows.
    guess
        A likely one where all features are equally relevant.
    """
    feature = np.unique(np.asarray(columns, dtype=np.int64), return_inverse=True)[1]
    every = np.ones((equations.offers, len(feature)))
    shared = Prior(covariance=candidates.of(guess), relevance=every)
    # turns between covariance and relevance
    for _ in range(2):
        shared = _shared_relevance(equations, shared, feature, params)
        guess = candidates.near(guess, shared.relevance)
        shared = Prior(covariance=candidates.of(guess), relevance=shared.relevance)
    own = _own_relevance(equations, shared, feature, params)
    gain = _log_evidence(equations, own) - _log_evidence(equations, shared)
    surprise = _surprise(own.relevance / shared.relevance, feature, params)
    return own if gain > surprise else shared


def _shared_relevance(
    equations: NormalEquations, prior: Prior, feature: IntArray, params: FitParams
) -> Prior:
    """Return the prior with the likeliest relevance of each feature for all offers.

    Notes
    -----
    Expectation-maximisation: a feature's relevance becomes the mean square of its coefficients
    under the posterior, in units of the covariance B: ``Σ_jl (B⁻¹)_jl E[b_ji b_li] / k``.

    References
    ----------
    Tipping: Sparse Bayesian learning and the relevance vector machine, JMLR 1 (2001), section 3.
    """
    k = equations.offers
    inverse = np.linalg.inv(prior.covariance)
    for _ in range(params.relevance_steps):
        size = np.einsum("jl,jli->i", inverse, solve(equations, prior).second_moments)
        shared = _towards(np.ones(len(feature)), size, float(k), feature, params)
        prior = Prior(covariance=prior.covariance, relevance=np.tile(shared, (k, 1)))
    return prior


def _own_relevance(
    equations: NormalEquations, shared: Prior, feature: IntArray, params: FitParams
) -> Prior:
    """Return the prior with a relevance of each feature for each offer, near the shared one.

    As above, offer by offer: exact where offers are independent, and elsewhere a candidate that
    its evidence has to speak for.
    """
    prior = shared
    variance = np.diag(shared.covariance)
    for _ in range(params.relevance_steps):
        moments = solve(equations, prior).second_moments
        sizes = np.stack([moments[j, j] / variance[j] for j in range(len(variance))])
        rows = zip(shared.relevance, sizes, strict=True)
        own = np.stack([_towards(near, size, 1.0, feature, params) for near, size in rows])
        prior = Prior(covariance=shared.covariance, relevance=own)
    return prior


def _towards(
    near: FloatArray, size: FloatArray, offers: float, feature: IntArray, params: FitParams
) -> FloatArray:
    """Return each feature's mean square, (p,), pulled towards what was believed, `near` (p,)."""
    members = np.bincount(feature)
    believed = np.bincount(feature, weights=near) / members
    pull = 2 * params.relevance_restraint
    total = np.bincount(feature, weights=size)
    return np.asarray(((total + pull * believed) / (offers * members + pull))[feature])


def _surprise(ratio: FloatArray, feature: IntArray, params: FitParams) -> float:
    """Return how unlikely relevances (k, p) are that depart by a ratio from those believed."""
    first = np.unique(feature, return_index=True)[1]
    departure = ratio[:, first]
    return float(params.relevance_restraint * (np.log(departure) + 1 / departure - 1).sum())


def _log_evidence(equations: NormalEquations, prior: Prior) -> float:
    return log_evidence(*equations.total, prior)
