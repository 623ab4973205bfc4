"""Tier rules, as shops have them: coupons by recency, frequency and spend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from incentive_engine.domain import BoolArray, ChoiceArray, FloatArray

if TYPE_CHECKING:
    import pandas as pd


def offers_by_tier(allowed: BoolArray, face: FloatArray, standing: FloatArray) -> ChoiceArray:
    """Return (n,) int16, the coupon that each user's tier gets, −1 for who may have none.

    The best third of customers get the deepest coupon that they may have, the next third the
    middle one, the last third the smallest.

    Parameters
    ----------
    allowed
        (n, k) bool, pairs that the rules allow.
    face
        (k,) float64, face values, currency units.
    standing
        (n,) float64 in [0, 1), the best customers highest.
    """
    depth = np.argsort(np.argsort(face, kind="stable"), kind="stable")
    rank = np.where(allowed, depth, -1)
    sorted_rank = np.sort(rank, axis=1)
    open_offers = allowed.sum(axis=1)
    k = allowed.shape[1]
    third = np.minimum((standing * 3).astype(np.int64), 2)
    step = np.ceil((open_offers - 1) * third / 2).astype(np.int64).clip(0)
    wanted = sorted_rank[np.arange(len(rank)), np.minimum(k - open_offers + step, k - 1)]
    choice = (rank == wanted[:, None]).argmax(axis=1)
    return np.where(open_offers > 0, choice, -1).astype(np.int16)


def standing(features: pd.DataFrame, columns: tuple[str, str | None, str]) -> FloatArray:
    """Return recency, frequency and spend as one rank.

    Parameters
    ----------
    features
        n rows with the columns.
    columns
        Of recency (small is good), of frequency (None leaves it out) and of spend.

    Returns
    -------
    (n,) float64 in [0, 1): the rank of the sum of the three quintiles; a missing value counts as
    the lowest quintile, and ties are broken by spend.
    """
    recency, frequency, spend = columns
    quintiles = _quintile(_numbers(-features[recency])) + _quintile(_numbers(features[spend]))
    if frequency is not None:
        quintiles = quintiles + _quintile(_numbers(features[frequency]))
    fine = _share_below(_numbers(features[spend]))
    return _share_below(quintiles + fine)


def _numbers(column: pd.Series) -> FloatArray:
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isnan(numbers), -np.inf, numbers)


def _share_below(values: FloatArray) -> FloatArray:
    return np.searchsorted(np.sort(values), values, side="left") / len(values)


def _quintile(values: FloatArray) -> FloatArray:
    return np.floor(5 * _share_below(values))
