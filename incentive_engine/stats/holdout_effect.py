"""What a campaign changed, by the users that were held out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.intervals import interval


def difference_from_holdout(
    outcome: FloatArray,
    *,
    held: BoolArray,
    stratum: IntArray,
    covariates: FloatArray | None = None,
) -> Estimate:
    """Return by how much the mean outcome of all others exceeds that of the holdout.

    Parameters
    ----------
    outcome
        (n,) what users did.
    held
        (n,) whether a user was held out, drawn by lot within each stratum.
    stratum
        (n,) from 0.
    covariates
        (n, p) what was known of users before, such as a model's prediction; no column may hang on
        whether a user was held out.

    Returns
    -------
    Per user, in the outcome's unit, with a normal 95 % interval; its error is infinite where
    either side has fewer than two users.

    Notes
    -----
    Differences of means within strata, weighted by the strata's numbers of users that were not
    held out. The variance within strata is taken to be that of all strata together, one for
    either side: a small stratum without a purchase would otherwise count as certain. So would a
    holdout that by chance bought little; its variance is at least that of the others.

    With covariates, what they explain of the outcome within strata and sides is taken off it
    first, by least squares with the same coefficients on both sides. Those who were held out were
    drawn by lot, so that leaves the difference where it is, on average, and its interval narrower
    by the root of the share that is explained.

    References
    ----------
    Deng, Xu, Kohavi, Walker: Improving the sensitivity of online controlled experiments by
    utilizing pre-experiment data, WSDM 2013, section 3 (CUPED).
    Lin: Agnostic notes on regression adjustments to experimental data, Annals of Applied
    Statistics 7 (2013), section 4.
    Miratrix, Sekhon, Yu: Adjusting treatment effect estimates by post-stratification in
    randomized experiments, JRSS B 75 (2013), section 2.
    """
    code = _joined(stratum, held)
    count = int(code.max(initial=0)) + 1
    if covariates is not None:
        outcome = outcome - _explained(outcome, covariates, code * 2 + held)
    others, held_out = (_side(outcome[mine], code[mine], count) for mine in (~held, held))
    if min(others.users.sum(), held_out.users.sum()) < _Side.FEWEST:
        return interval(0.0, float("inf"))
    share = others.users / others.users.sum()
    used = share > 0
    certain, uncertain = (
        float((share[used] ** 2 / side.users[used]).sum()) for side in (others, held_out)
    )
    # a small holdout that bought nothing by chance would else count as known for certain
    variance = others.variance * certain + max(held_out.variance, others.variance) * uncertain
    return interval(float(share @ (others.mean - held_out.mean)), float(np.sqrt(variance)))


def filled(columns: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return columns with the mean of what is known where a number is missing or infinite."""
    is_known = np.isfinite(columns)
    count = np.maximum(is_known.sum(axis=0), 1)
    mean = np.where(is_known, columns, 0.0).sum(axis=0, dtype=np.float64) / count
    return np.where(is_known, columns, mean).astype(np.float32)


def _explained(outcome: FloatArray, covariates: FloatArray, group: IntArray) -> FloatArray:
    """Return what covariates explain of an outcome, (n,), by least squares within groups."""
    count = np.maximum(np.bincount(group), 1)

    def within(column: FloatArray) -> FloatArray:
        return column - (np.bincount(group, column) / count)[group]

    spread = covariates.std(axis=0)
    columns = covariates[:, spread > 0] / spread[spread > 0]
    residuals = (
        np.column_stack([within(column) for column in columns.T]) if columns.size else columns
    )
    if not residuals.size:
        return np.zeros(len(outcome))
    # columns that repeat each other share a coefficient: the shortest solution
    slope = np.linalg.lstsq(residuals.T @ residuals, residuals.T @ within(outcome), rcond=1e-9)[0]
    return np.asarray(columns @ slope, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Side:
    """Users and mean of each stratum, (s,), and the variance within strata of all together."""

    FEWEST: ClassVar = 2
    """Users of either kind that a stratum needs; smaller ones stand together."""

    users: FloatArray
    mean: FloatArray
    variance: float


def _side(outcome: FloatArray, code: IntArray, count: int) -> _Side:
    users = np.bincount(code, minlength=count).astype(np.float64)
    mean = np.bincount(code, outcome, minlength=count) / np.maximum(users, 1)
    deviations = outcome - mean[code]
    freedom = max(int(len(outcome) - (users > 0).sum()), 1)
    return _Side(users=users, mean=mean, variance=float(deviations @ deviations) / freedom)


def _joined(stratum: IntArray, held: BoolArray) -> IntArray:
    """Return strata from 0; those with too few users of either kind stand together, as the last.

    If they are too few even so, they join the largest stratum.
    """
    count = int(stratum.max(initial=0)) + 1
    too_few = np.zeros(count, dtype=np.bool_)
    for mine in (~held, held):
        too_few |= np.bincount(stratum[mine], minlength=count) < _Side.FEWEST
    if not too_few.any():
        return stratum
    joined = np.where(too_few[stratum], count, stratum)
    # a stratum without either kind says nothing of the difference, and may not be left out
    together = joined == count
    fewest = min(int((together & mine).sum()) for mine in (~held, held))
    if fewest < _Side.FEWEST and not too_few.all():
        largest = int(np.bincount(stratum[~too_few[stratum]]).argmax())
        joined = np.where(together, largest, joined)
    return np.unique(joined, return_inverse=True)[1]
