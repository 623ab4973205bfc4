"""95 % intervals: of means over draws, of ratios of means, of shares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from incentive_engine.domain import FloatArray
from incentive_engine.stats.intervals import NORMAL_95


class Interval(NamedTuple):
    """An estimate with its 95 % interval; the ends are NaN where there is none."""

    value: float
    low: float
    high: float


def mean_interval(values: FloatArray) -> Interval:
    """Return the mean of independent draws, (d,) float64, with Student's interval.

    >>> mean_interval(np.array([1.0, 1.0, 1.0]))
    Interval(value=1.0, low=1.0, high=1.0)
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, float("nan"), float("nan"))
    half = _quantile(len(values)) * float(np.std(values, ddof=1) / np.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half)


def ratio_interval(top: FloatArray, bottom: FloatArray) -> Interval:
    """Return the ratio of two sums over draws, (d,) float64 each, with a jackknife interval.

    References
    ----------
    Efron, Stein (1981), The jackknife estimate of variance, equation 1.1.
    """
    nothing = Interval(float("nan"), float("nan"), float("nan"))
    total = float(bottom.sum())
    if total == 0:
        return nothing
    ratio = float(top.sum()) / total
    without_each = bottom.sum() - bottom
    # the jackknife leaves out each draw in turn, and none may be all of the denominator
    if len(top) < 2 or np.any(without_each == 0):
        return Interval(ratio, float("nan"), float("nan"))
    left_out = (top.sum() - top) / without_each
    spread = np.sqrt((len(top) - 1) * np.mean((left_out - left_out.mean()) ** 2))
    half = _quantile(len(top)) * float(spread)
    return Interval(ratio, ratio - half, ratio + half)


def quotient_interval(
    top: tuple[FloatArray, FloatArray], bottom: tuple[FloatArray, FloatArray]
) -> Interval:
    """Return the quotient of two ratios of sums, minus 1, with a jackknife interval.

    Parameters
    ----------
    top, bottom
        (numerator, denominator), each (d,) float64.

    >>> two, one = np.array([2.0, 2.0]), np.array([1.0, 1.0])
    >>> quotient_interval((two, one), (one, one))
    Interval(value=1.0, low=1.0, high=1.0)
    """

    def quotient(sums: list[FloatArray]) -> FloatArray:
        # one draw without a denominator leaves the whole interval unknown, as NaN
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios: FloatArray = (sums[0] / sums[1]) / (sums[2] / sums[3]) - 1
        return np.where(np.isfinite(ratios), ratios, np.nan)

    columns = [*top, *bottom]
    value = float(quotient([column.sum() for column in columns]))
    draws = len(top[0])
    if draws < 2:
        return Interval(value, float("nan"), float("nan"))
    left_out = quotient([column.sum() - column for column in columns])
    spread = np.sqrt((draws - 1) * np.mean((left_out - left_out.mean()) ** 2))
    half = _quantile(draws) * float(spread)
    return Interval(value, value - half, value + half)


def share_interval(share: float, draws: int) -> Interval:
    """Return a share of independent draws with Wilson's interval.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference.

    >>> [round(x, 3) for x in share_interval(19 / 20, 20)]
    [0.95, 0.764, 0.991]
    """
    z = NORMAL_95
    middle = (share + z**2 / (2 * draws)) / (1 + z**2 / draws)
    half = z / (1 + z**2 / draws) * np.sqrt(share * (1 - share) / draws + (z / (2 * draws)) ** 2)
    return Interval(share, max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def _quantile(draws: int) -> float:
    return float(stdtrit(draws - 1, 0.975))
