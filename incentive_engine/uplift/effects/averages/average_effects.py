"""The constant effect per offer: the baseline that every model has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.averages.ordered_normals import in_order
from incentive_engine.uplift.randomisation import Randomisation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Averages:
    """Average effects per offer over the rows in its reach.

    Attributes
    ----------
    effect : (k,) float64
        Shrunk towards zero and towards each other as far as they may be chance.
    standard_error : (k,) float64
        Of the measured effects, before shrinkage.
    outside : (folds, k) float64
        The effects from the rows outside each fold, shrunk as `effect` is, by the noise of all.
    """

    effect: FloatArray
    standard_error: FloatArray
    outside: FloatArray


def average_effects(
    residual: FloatArray,
    lottery: Randomisation,
    folds: Folds,
    rungs: tuple[tuple[int, ...], ...],
) -> Averages:
    """Return regression-adjusted differences of means, offer against control, within reach.

    A plan picks the offer that looks best for its cost, so the error of what it picks is not zero
    on average, however exact the means are; shrinking all effects by their errors corrects that,
    and pulling them together keeps a plan from chasing the offer that was luckiest.

    Parameters
    ----------
    residual
        (n,) outcome minus its expectation given the features.
    lottery
        Arms, weights, shares, reach.
    folds
        Of the n rows.
    rungs
        Ladders along which effects do not fall.
    """
    k = lottery.reach.shape[1]
    effect, outside = np.zeros(k), np.zeros((folds.count, k))
    influence = np.empty((len(residual), k))
    for offer in range(k):
        reached = lottery.reach[:, offer]
        inverse = np.where(reached, lottery.weight / lottery.share[:, offer + 1].clip(1e-12), 0)
        against = np.where(reached, lottery.weight / lottery.share[:, 0], 0)
        treated = inverse * (lottery.arm == offer + 1)
        control = against * (lottery.arm == 0)
        effect[offer], influence[:, offer] = _difference(residual, treated, control)
        outside[:, offer] = _outside(residual, treated, folds)
        outside[:, offer] -= _outside(residual, control, folds)
    error = influence.T @ influence
    alike = [ladder for ladder in rungs if _same_reach(lottery, ladder)]
    fewer = len(residual) / (len(residual) - np.bincount(folds.label, minlength=folds.count))
    believed = [
        _believed(each, more * error, alike) for each, more in zip(outside, fewer, strict=True)
    ]
    return Averages(
        effect=_believed(effect, error, alike),
        standard_error=np.sqrt(np.diag(error)),
        outside=np.stack(believed),
    )


def _same_reach(lottery: Randomisation, ladder: tuple[int, ...]) -> bool:
    """Return whether averages are over the same people, whose effects do not fall."""
    reach = lottery.reach[:, list(ladder)]
    return bool((reach == reach[:, :1]).all())


def _difference(
    residual: FloatArray, treated: FloatArray, control: FloatArray
) -> tuple[float, FloatArray]:
    """Return the difference of two weighted means, and how much each row moves it, (n,)."""
    difference, influence = 0.0, np.zeros(len(residual))
    for sign, weight in ((1, treated), (-1, control)):
        total = max(float(weight.sum()), 1e-12)
        mean = float(weight @ residual) / total
        difference += sign * mean
        influence += sign * weight * (residual - mean) / total
    return difference, influence


def _outside(residual: FloatArray, weight: FloatArray, folds: Folds) -> FloatArray:
    """Return the weighted mean of the rows outside each fold, (folds,)."""
    total = np.bincount(folds.label, weight * residual, folds.count)
    mass = np.bincount(folds.label, weight, folds.count)
    return np.asarray((total.sum() - total) / np.maximum(mass.sum() - mass, 1e-12))


def _believed(
    effect: FloatArray, error: FloatArray, rungs: Sequence[tuple[int, ...]]
) -> FloatArray:
    """Return what measured effects let believe, (k,).

    Parameters
    ----------
    effect
        (k,) measured.
    error
        (k, k) covariance of their errors; control is common to all.
    rungs
        Ladders along which average effects do not fall.

    Notes
    -----
    Effects are thought to be normal around zero with a covariance T of a common size and
    likeness; for each T the believed effects are ``T (T + error)⁻¹ effect``, and the T count by
    their marginal likelihood. So an offer that few people got is believed to work about as well
    as the others do, not as if it did nothing.

    Along a ladder T is that of sums of steps, and steps are thought to be upwards, the first one
    perhaps not: the believed effects are means of normal distributions that are cut there, and
    none of them equal another. Mending the order of noisy effects afterwards would make rungs
    equal that are not, and a plan never buys the deeper of two equal ones.
    """
    k = len(effect)
    precision = 1 / np.maximum(np.diag(error), 1e-30)
    # an offer that few rows measured says nothing about the size of effects
    unit = max(float(precision @ effect**2), float(k)) / float(precision.sum())
    # least variance of an error, in units of a squared effect; without one, where no outcome
    # differs from what was expected, beliefs would be certain and in no order at all
    error = error + 1e-6 * unit * np.eye(k)
    # how large effects are thought to be, in units of the measured ones or of their noise, and how
    # alike those of two offers, as their correlation
    size, alike = np.array(
        list(product((0.125, 0.25, 0.5, 1.0, 2.0, 4.0), (0.0, 0.5, 0.8, 0.95, 0.99)))
    ).T[:, :, None, None]
    steps = _steps(k, rungs)
    root = np.sqrt(np.diag(steps))
    prior = size**2 * unit * (alike * np.outer(root, root) + (1 - alike) * steps)
    total = prior + error
    pull = np.linalg.solve(total, prior).transpose(0, 2, 1)
    mean = pull @ effect
    fit = -0.5 * (np.linalg.solve(total, effect[:, None])[:, :, 0] @ effect)
    fit -= 0.5 * np.linalg.slogdet(total)[1]
    # how likely it is beforehand that first rungs may also do harm; with none at all, no rows
    # could tell that a ladder does
    harmful = 0.1
    if rungs:
        within = pull @ error
        within = (within + within.transpose(0, 2, 1)) / 2
        first, later = _upwards(k, rungs)
        fits, means = [], []
        for order, likely in ((np.vstack([first, later]), 1 - harmful), (later, harmful)):
            after, ordered = in_order(mean, within, order)
            before, _ = in_order(np.zeros_like(mean), prior, order)
            fits.append(fit + after - before + np.log(likely))
            means.append(ordered)
        fit, mean = np.concatenate(fits), np.concatenate(means)
    weight = np.exp(fit - fit.max())
    return np.asarray(weight / weight.sum() @ mean)


def _steps(k: int, rungs: Sequence[tuple[int, ...]]) -> FloatArray:
    """Return the covariance of effects that take independent steps up a ladder, (k, k).

    Those on no ladder are independent; all have a variance of 1, on average over a ladder.
    """
    covariance = np.eye(k)
    for ladder in rungs:
        height = np.arange(1.0, len(ladder) + 1)
        covariance[np.ix_(ladder, ladder)] = np.minimum.outer(height, height) / height.mean()
    return covariance


def _upwards(k: int, rungs: Sequence[tuple[int, ...]]) -> tuple[FloatArray, FloatArray]:
    """Return ladders' first steps, from no offer, and later ones as differences of k effects."""
    unit = np.eye(k)
    later = [unit[deep] - unit[shallow] for each in rungs for shallow, deep in pairwise(each)]
    return unit[[ladder[0] for ladder in rungs]], np.stack(later)
