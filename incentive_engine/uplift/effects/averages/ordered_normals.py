"""Normal beliefs about values that are known to stand in an order."""

from __future__ import annotations

from itertools import count, islice

import numpy as np

from incentive_engine.domain import FloatArray


def in_order(
    mean: FloatArray, covariance: FloatArray, order: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return how likely normal values are to stand in an order, and their means given that.

    Parameters
    ----------
    mean
        (c, k) of c beliefs about k values.
    covariance
        (c, k, k) of their errors, positive definite.
    order
        (r, k) of rank r; the values v stand in order where ``order @ v >= 0``.

    Returns
    -------
    The logarithms of c probabilities, and (c, k) means.

    Notes
    -----
    Importance sampling of the differences ``order @ v``, each from its normal distribution given
    those before it and cut at zero, at points spread evenly, so that equal beliefs have equal
    answers.

    References
    ----------
    Genz and Bretz: Computation of Multivariate Normal and t Probabilities (2009), sections 4.2
    and 4.3, on the method of Geweke, Hajivassiliou and Keane and on Richtmyer's points.
    """
    from scipy.special import log_ndtr, ndtri_exp  # only fitting should pay for loading it

    r = len(order)
    centre = mean @ order.T
    spread = order @ covariance @ order.T
    factor = np.linalg.cholesky(spread)
    # on four rungs believed equal, means are then exact to 2 %
    count_of_points = 512
    points = np.log(_lattice(r, count_of_points))
    drawn = np.zeros((len(mean), r, count_of_points))
    log_weight = np.zeros((len(mean), count_of_points))
    for at in range(r):
        given = np.einsum("ci,cip->cp", factor[:, at, :at], drawn[:, :at])
        log_chance = log_ndtr((centre[:, at, None] + given) / factor[:, at, at, None])
        log_weight += log_chance
        drawn[:, at] = -ndtri_exp(points[at] + log_chance)
    highest = log_weight.max(axis=1, keepdims=True)
    weight = np.exp(log_weight - highest)
    total = weight.sum(axis=1)
    moved = np.einsum("cij,cjp,cp->ci", factor, drawn, weight / total[:, None])
    change = covariance @ order.T @ np.linalg.solve(spread, moved[:, :, None])
    return np.log(total / count_of_points) + highest[:, 0], mean + change[:, :, 0]


def _lattice(dimensions: int, points: int) -> FloatArray:
    """Return points spread evenly over the open unit cube, (dimensions, points).

    Multiples of square roots of primes, without their whole part, and folded, so that what is
    integrated goes on smoothly from one side of the cube to the other.
    """
    primes = islice((n for n in count(2) if all(n % d for d in range(2, n))), dimensions)
    multiples = np.outer(np.sqrt(np.array([*primes], dtype=np.float64)), np.arange(1, points + 1))
    return np.asarray(1 - np.abs(2 * (multiples % 1) - 1))
