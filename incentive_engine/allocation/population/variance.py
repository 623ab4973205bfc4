"""How far what offers redeem may differ from what they are expected to, as sums of integers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import MICROS, FloatArray, to_micros


def variance_unit(face: FloatArray, n: int) -> float:
    """Return the power of two in which the variances of n users add up without overflow.

    Parameters
    ----------
    face
        (k,) float64, the offers' face values, currency units.
    """
    largest = max(float(np.max(face)) ** 2 / 4.0, 1.0) * max(n, 1)
    return float(2.0 ** (np.ceil(np.log2(largest)) - 61.0))


def variance_in(unit: float, cost: npt.NDArray[np.floating], face: FloatArray) -> int:
    """Return the variance of what (t,) pairs redeem, in units, rounded pair by pair.

    Notes
    -----
    A pair of expected cost c and face value f redeems f with probability c/f, independently of
    the others: its variance is c·(f − c), and 0 where c is above f.
    """
    expected = to_micros(cost) / MICROS
    variance = expected * np.maximum(face - expected, 0.0)
    return int(np.rint(variance / unit).astype(np.int64).sum())
