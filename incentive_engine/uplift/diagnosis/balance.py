"""Whether arms differ in what was known before the offer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numba
import numpy as np
import pandas as pd
from scipy.special import ndtri

from incentive_engine.domain import BoolArray, FloatArray, IntArray
from incentive_engine.language import say
from incentive_engine.language.wording import shortened
from incentive_engine.parallel import side_by_side
from incentive_engine.stats.systematic_sample import quantile_rows
from incentive_engine.uplift.diagnosis.arms import WeightedArms
from incentive_engine.uplift.diagnosis.thresholds import DIAGNOSIS
from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict, Imbalance, TrialCheck


def balance_findings(
    features: pd.DataFrame, arms: WeightedArms
) -> tuple[list[CheckVerdict], tuple[Imbalance, ...]]:
    """Compare every feature between every offer's arm and control."""
    every = [_Pair.of(arms, offer) for offer in range(arms.reach.shape[1])]
    pairs = [pair for pair in every if pair.rows >= DIAGNOSIS.balance_rows]
    names = list(features)

    def compare(at: int) -> list[Imbalance]:
        return list(_compare(str(names[at]), features[names[at]], pairs))

    compared = [each for findings in side_by_side(compare, len(names)) for each in findings]
    ranked = sorted(compared, key=lambda each: -abs(each.z))
    if not compared:
        return [
            CheckVerdict(
                check=TrialCheck.BALANCE, verdict="fine", what=say("trial.balance.nothing")
            )
        ], ()
    limit = float(-ndtri(DIAGNOSIS.balance_alarms / (2 * len(compared))))
    findings = _told_by([each for each in ranked if abs(each.z) > DIAGNOSIS.certain_z])
    off = [each for each in ranked if abs(each.z) > limit]
    if off and not findings:
        findings.append(_warning(off, len(compared)))
    worst = max(abs(each.difference) for each in compared)
    fine = say("trial.balance.fine", comparisons=len(compared), worst=worst)
    shown = 10
    return findings or [CheckVerdict(check=TrialCheck.BALANCE, verdict="fine", what=fine)], tuple(
        ranked[:shown]
    )


def _told_by(certain: list[Imbalance]) -> list[CheckVerdict]:
    """Return a refusal per feature that tells the arm, or by which arms hold other people."""
    worst: dict[str, Imbalance] = {}
    for each in certain:
        if abs(each.difference) > DIAGNOSIS.other_people:
            worst.setdefault(each.feature, each)
    return [
        CheckVerdict(
            check=TrialCheck.BALANCE,
            verdict="refusal",
            what=say(
                "trial.balance.tells"
                if abs(each.difference) > DIAGNOSIS.after_offer
                else "trial.balance.other",
                feature=each.feature,
                arm=each.arm,
                difference=each.difference,
                z=each.z,
            ),
            remedy=say("trial.balance.deny"),
        )
        for each in worst.values()
    ]


def _warning(off: list[Imbalance], comparisons: int) -> CheckVerdict:
    named = [
        say("trial.balance.one", feature=each.feature, arm=each.arm, difference=each.difference)
        for each in off
    ]
    return CheckVerdict(
        check=TrialCheck.BALANCE,
        verdict="warning",
        what=say(
            "trial.balance.off", off=len(off), comparisons=comparisons, named=shortened(named, 3)
        ),
        remedy=say("trial.balance.lost"),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pair:
    """An offer's rows and those of control that might have got it, with their weights."""

    arm: str
    treated: IntArray
    control: IntArray
    weights: tuple[FloatArray, FloatArray]

    @property
    def rows(self) -> int:
        """The rows of the smaller side."""
        return min(len(self.treated), len(self.control))

    @classmethod
    def of(cls, arms: WeightedArms, offer: int) -> Self:
        treated, control = arms.treated(offer), arms.control(offer)
        weights = (arms.inverse[treated], arms.inverse[control])
        return cls(arm=arms.names[offer + 1], treated=treated, control=control, weights=weights)


def _compare(name: str, column: pd.Series, pairs: list[_Pair]) -> Iterator[Imbalance]:
    for label, values, is_flag in _numbers(name, column):
        for pair in pairs:
            if is_flag and not _enough(values[pair.treated], values[pair.control]):
                continue
            difference, z = _difference(values, (pair.treated, pair.control), pair.weights)
            yield Imbalance(feature=label, arm=pair.arm, difference=difference, z=z)


def _numbers(name: str, column: pd.Series) -> Iterator[tuple[str, FloatArray, bool]]:
    """Yield what is compared: the label, (n,) values, and whether they are 0 or 1."""
    missing = column.isna().to_numpy()
    if missing.any() and not missing.all():
        yield f"{name} missing", missing.astype(np.float64), True
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        values = _winsorised(column, missing)
        if values is not None:
            yield name, values, bool(np.isin(values, (0.0, 1.0)).all())
        return
    codes, levels = pd.factorize(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    # levels of a category that are compared, the most frequent ones
    most_levels = 20
    for code in np.argsort(-counts, kind="stable")[:most_levels]:
        if counts[code] < len(column):
            yield f"{name} = {levels[code]}", (codes == code).astype(np.float64), True


def _winsorised(column: pd.Series, missing: BoolArray) -> FloatArray | None:
    """Return numbers without tails, the mean where missing; None when they are all alike."""
    if pd.api.types.is_datetime64_any_dtype(column):
        days = (column - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
        values = days.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    is_finite = ~missing & (np.abs(values) <= np.finfo(np.float32).max)  # as models see them
    present = values if is_finite.all() else values[is_finite]
    if not len(present) or present.min() == present.max():
        return None
    # numbers are cut at these quantiles, so that single rows do not decide
    tail = 0.01
    low, high = np.quantile(present[quantile_rows(len(present))], (tail, 1 - tail))
    if low == high:
        low, high = present.min(), present.max()
    cut = np.clip(values, low, high)
    gone = np.isnan(cut)
    if gone.any():
        cut = np.where(gone, cut[is_finite].mean(), cut)
    return np.asarray(cut, dtype=np.float64)


def _enough(treated: FloatArray, control: FloatArray) -> bool:
    ones = [flag.sum() for flag in (treated, control)]
    zeros = [len(flag) - one for flag, one in zip((treated, control), ones, strict=True)]
    pooled = sum(ones) / max(len(treated) + len(control), 1)
    expected = min(pooled, 1 - pooled) * min(len(treated), len(control))
    # rows with and without a level that either arm needs for a normal approximation
    fewest_rows = 20
    return bool(expected >= fewest_rows and sum(zeros) > 0)


def _difference(
    values: FloatArray, sides: tuple[IntArray, IntArray], weights: tuple[FloatArray, FloatArray]
) -> tuple[float, float]:
    """Return the difference of weighted means in standard deviations, and over its error.

    Notes
    -----
    The error is that of two samples of one population, with the variance of both together: an arm
    that has few rows of a level by chance has too small a variance of its own by the same chance,
    and among many rare levels that is no longer rare. Where weights vary, they may vary with the
    values, so that the error is at least what either side shows.
    """
    mean, variance, error, rows = np.array(
        [_moments(values, *side) for side in zip(sides, weights, strict=True)]
    ).T
    apart, spread = float(mean[0] - mean[1]), float(variance.mean())
    # stands for infinity where a feature is one value in one arm and another in the other
    certain = 100.0
    if spread <= 0:
        sign = float(np.sign(apart))
        return sign * certain, sign * certain
    pooled = np.average(variance + (mean - np.average(mean, weights=rows)) ** 2, weights=rows)
    noise = float(pooled * (1 / rows).sum())
    if any(np.ptp(weight) > 0 for weight in weights):
        noise = max(noise, float(error.sum()))
    return apart / float(np.sqrt(spread)), apart / float(np.sqrt(noise))


@numba.njit(cache=True, nogil=True)
def _moments(
    values: FloatArray, rows: IntArray, weight: FloatArray
) -> tuple[float, float, float, float]:
    """Return the weighted mean over some rows, its variance and squared error, and Kish's n.

    The variance is that of the values; n is how many rows of equal weight would tell as much.
    """
    total, squares, mean = 1e-300, 1e-300, 0.0
    for at in range(len(rows)):
        total += weight[at]
        squares += weight[at] ** 2
        mean += weight[at] * values[rows[at]]
    mean /= total
    spread, noise = 0.0, 0.0
    for at in range(len(rows)):
        square = (values[rows[at]] - mean) ** 2
        spread += weight[at] * square
        noise += weight[at] ** 2 * square
    return mean, spread / total, noise / total**2, total**2 / squares
