"""A trial's arms as one even lottery, in which shares depend on reach alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from incentive_engine.domain import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Randomisation:
    """A trial of n rows and k offers, reweighted so that arm shares depend on reach alone.

    Attributes
    ----------
    arm : (n,) int64
        0 control, j offer j - 1.
    weight : (n,) float64
        ``share / propensity`` of the row's arm; 0 where an offer went to a row out of its reach.
        Of several campaigns, times what the campaign's age leaves of it.
        Under these weights the arm is independent of the features, given the reach.
    share : (n, 1 + k) float64
        Probability of each arm in that even lottery; 0 for an offer out of reach.
    reach : (n, k) bool
        Whether the eligibility rules let the offer go to the row.
    odds : (k,) float64
        Odds of each offer against control where it is in reach.
    """

    FEWEST_ROWS: ClassVar = 10
    """Rows that an arm needs; with fewer, not even an average effect has an error to state."""

    arm: IntArray
    weight: FloatArray
    share: FloatArray
    reach: BoolArray
    odds: FloatArray

    @property
    def contrast(self) -> FloatArray:
        """``1{arm = j} - share_j`` per offer, (n, k): what a row says about each effect."""
        return self.contrast_of(slice(None))

    def contrast_of(self, rows: IntArray | slice) -> FloatArray:
        """Return the contrasts of some rows, (m, k)."""
        offers = np.arange(1, self.share.shape[1])
        return np.asarray((self.arm[rows, None] == offers) - self.share[rows, 1:])

    @property
    def kind(self) -> IntArray:
        """A code per row of its arm and its reach, (n,) int64."""
        k = self.reach.shape[1]
        return np.asarray(self.arm + (k + 1) * (self.reach @ (1 << np.arange(k))))


def shares(odds: FloatArray, reach: BoolArray) -> FloatArray:
    """Return arm probabilities (n, 1 + k) from the offers' odds against control, (k,)."""
    dealt = np.column_stack([np.ones(len(reach)), reach * odds])
    return np.asarray(dealt / dealt.sum(axis=1, keepdims=True))
