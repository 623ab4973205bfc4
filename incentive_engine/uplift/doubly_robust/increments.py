"""Doubly robust increments of one measure, and the mean that any plan makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Self

import numba
import numpy as np
import numpy.typing as npt

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.parallel import in_blocks, side_by_side
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.intervals import interval


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Increments:
    """What each of k offers brought each of n trial rows, in one measure or a sum of some.

    Attributes
    ----------
    arm : (n,) int64
        What the row got; 0 is control.
    expected : (n, k) float64
        By how much the offer should change the measure.
    surprise : (n,) float64
        Outcome minus expectation under the row's arm, over the arm's propensity.
    noise : (n,) float64
        Standard deviation of `surprise` that the row's expectation lets expect, ≥ 0.
    """

    arm: IntArray
    expected: FloatArray
    surprise: FloatArray
    noise: FloatArray

    @classmethod
    def of(
        cls, *, arm: npt.ArrayLike, propensity: FloatArray, outcome: FloatArray, by_arm: FloatArray
    ) -> Self:
        """Return the increments of one measure from (n, 1 + k) expectations under each arm.

        Notes
        -----
        The variance of an outcome is taken to be in proportion to its expectation, with a factor
        per arm from all of its rows: right for rare events, and for events times an amount. A
        plan that treats few rows sees few events, and when these are fewer than expected, so is
        their own spread; the expectation does not err in the same direction.
        """
        got = np.asarray(arm, dtype=np.int64)
        mine = by_arm[np.arange(len(got)), got]
        rest = outcome - mine
        variance = np.zeros(len(got))

        # share of an arm's mean below which no row's expectation counts while judging its noise
        least_expected = 0.1

        def judge(each: int) -> None:
            rows = np.flatnonzero(got == each)
            weight = 1 / propensity[rows]
            total, mass = float(weight @ mine[rows]), float(weight.sum())
            if total > 0:
                factor = float(weight @ rest[rows] ** 2) / total
                floor = least_expected * total / mass
                variance[rows] = factor * np.maximum(mine[rows], floor)

        side_by_side(judge, by_arm.shape[1])
        return cls(
            arm=got,
            expected=by_arm[:, 1:] - by_arm[:, :1],
            surprise=rest / propensity,
            noise=np.sqrt(variance) / propensity,
        )

    def part(self, choice: npt.NDArray[np.integer]) -> FloatArray:
        """Return what a plan's increments are made of, (n, 2), for `mean`.

        The second column is how often `surprise` counts in the row's increment, which is the
        first plus that: parts add up and subtract as plans' increments do.

        Parameters
        ----------
        choice
            (n,) the offer that the plan gives each row, -1 for none; not made from the row's own
            outcome.
        """
        out = np.empty((len(choice), 2))
        in_blocks(partial(_set_part, out, self.arm, self.expected, choice), len(choice))
        return out

    def per_row(self, part: FloatArray) -> FloatArray:
        """Return the increments that a part stands for, (n,), in the measure's unit.

        With the choice c they are ``mu_c - mu_0 + 1{A = c} (Y - mu_c) / p
        - 1{A = 0} (Y - mu_0) / p``, and 0 where c is none.
        """
        return np.asarray(part[:, 0] + part[:, 1] * self.surprise)

    def of_offer(self, offer: int) -> FloatArray:
        """Return the increments if everybody got an offer, (n,)."""
        return self.per_row(self.part(np.full(len(self.arm), offer)))

    def mean(self, part: FloatArray) -> Estimate:
        """Return the mean per row of the increments that a part stands for.

        The variance is the larger of what the rows show and what their expectations let expect.
        """
        values, n = self.per_row(part), len(part)
        if n < 2:
            return interval(float(values.sum()), float("inf"))
        shown = float(values.var(ddof=1))
        foreseen = float(part[:, 0].var(ddof=1)) + float(np.mean((part[:, 1] * self.noise) ** 2))
        return interval(float(values.mean()), float(np.sqrt(max(shown, foreseen) / n)))


def _set_part(
    out: FloatArray,
    arm: IntArray,
    expected: FloatArray,
    choice: npt.NDArray[np.integer],
    block: slice,
) -> None:
    _fill_part(out[block], arm[block], expected[block], choice[block])


@numba.njit(cache=True, nogil=True)
def _fill_part(
    out: FloatArray, arm: IntArray, expected: FloatArray, choice: npt.NDArray[np.integer]
) -> None:
    """Set a plan's part of the increments; see `Increments.part`."""
    for row in range(len(choice)):
        given = choice[row]
        out[row, 0], out[row, 1] = 0.0, 0.0
        if given >= 0:
            out[row, 0] = expected[row, given]
            out[row, 1] = (1.0 if arm[row] == given + 1 else 0.0) - (arm[row] == 0)
