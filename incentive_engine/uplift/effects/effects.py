"""Effects per user and offer: averages, and deviations as far as they hold out of fold."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from incentive_engine.domain import FloatArray, Floats, IntArray, Matrix
from incentive_engine.parallel import in_blocks
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.averages.average_effects import Averages
from incentive_engine.uplift.effects.averages.ladder import repair
from incentive_engine.uplift.effects.calibration import Calibration
from incentive_engine.uplift.effects.interactions.interactions import PairProducts
from incentive_engine.uplift.effects.prognosis import Prognosis
from incentive_engine.uplift.effects.row_products import row_products
from incentive_engine.uplift.effects.stacking import HeterogeneityTest, Stack
from incentive_engine.uplift.effects.trees import ArmTrees, ContrastTrees
from incentive_engine.uplift.support import Support


def linear(coefficients: FloatArray, phi: Floats, *, folds: Folds | None) -> FloatArray:
    """Return sums of basis functions, (n, k), by (folds, k, q) coefficients and (n, q) values.

    For the folds' own rows by the coefficients of the row's fold, otherwise by their mean.
    """
    out = np.empty((len(phi), coefficients.shape[1]))
    average = coefficients.mean(axis=0)

    def sums(block: slice) -> None:
        if folds is None:
            out[block] = row_products(phi[block], average.T)
            return
        every = np.tensordot(phi[block], coefficients, axes=(1, 2))
        out[block] = every[np.arange(len(every)), folds.label[block]]

    in_blocks(sums, len(phi))
    return out


def quadratic(covariances: FloatArray, phi: Floats) -> FloatArray:
    """Return ``phi' C phi`` for each of k covariances (k, q, q) and n rows (n, q), (n, k).

    Computed as squares of ``R phi`` with ``C = R' R`` in float32, exact to five digits.
    """
    out = np.empty((len(phi), len(covariances)))
    size, vectors = np.linalg.eigh(covariances)
    halves = np.sqrt(size.clip(0)[:, :, None]) * vectors.transpose(0, 2, 1)
    roots = np.stack([np.linalg.qr(half, mode="r") for half in halves]).astype(np.float32)
    width = -phi.shape[1] % 4
    padded = np.pad(roots, ((0, 0), (0, 0), (0, width)))
    in_blocks(lambda block: _squares(out[block], phi[block], padded), len(phi))
    return out


@numba.njit(cache=True, nogil=True)
def _squares(out: FloatArray, phi: Floats, roots: Matrix) -> None:
    """Set the squared lengths (n, k) of k upper triangular matrices times (n, q) rows.

    The matrices are (k, q, q) and columns of zeros that make the width a multiple of four.
    """
    n, q = phi.shape
    width = roots.shape[2]
    # rows that are multiplied side by side
    lanes = 64
    values, sums = np.zeros((width, lanes), np.float32), np.empty(lanes, np.float32)
    for start in range(0, n, lanes):
        rows = min(lanes, n - start)
        for row in range(rows):
            for at in range(q):
                values[at, row] = phi[start + row, at]
        for each in range(len(roots)):
            total = np.zeros(lanes, np.float32)
            for line in range(q):
                sums[:] = 0.0
                for at in range(line // 4 * 4, width, 4):
                    root, part = roots[each, line, at : at + 4], values[at : at + 4]
                    for row in range(lanes):
                        first = root[0] * part[0, row] + root[1] * part[1, row]
                        last = root[2] * part[2, row] + root[3] * part[3, row]
                        sums[row] += first + last
                for row in range(lanes):
                    total[row] += sums[row] * sums[row]
            out[start : start + rows, each] = total[:rows]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deviations:
    """Models of how effects deviate from their averages, a version of each per fold.

    Attributes
    ----------
    functions : (q,) int64
        The basis functions that the ridge looks at.
    ridge : (folds, k, q) float64
        Their coefficients.
    pairs
        Products of the strongest features' functions, a part of the ridge.
    contrast_trees
        Trees on contrasts between arms.
    arm_trees
        Trees in each arm.
    """

    functions: IntArray
    ridge: FloatArray
    pairs: PairProducts
    contrast_trees: ContrastTrees
    arm_trees: ArmTrees

    def predict(
        self, matrix: Matrix, phi: Floats, log_odds: FloatArray, *, folds: Folds | None
    ) -> FloatArray:
        """Return each effect by the ridge, the trees on contrasts and those in arms, (n, 3, k)."""
        mine = taken(phi, self.functions)
        ridge = linear(self.ridge, mine, folds=folds) + self.pairs.predict(mine, folds=folds)
        contrast = self.contrast_trees.predict(matrix, folds=folds)
        arms = self.arm_trees.predict(matrix, log_odds, folds=folds)
        return np.stack([ridge, contrast, arms], axis=1)


def taken(phi: Floats, functions: IntArray) -> Floats:
    """Return some of the columns (n, q), without a copy where they are all."""
    return phi if len(functions) == phi.shape[1] else phi[:, functions]


def less_centre(deviation: FloatArray, centre: FloatArray, label: IntArray | None) -> FloatArray:
    """Return deviations (n, b, k) less the centre of each row's label, in place.

    Parameters
    ----------
    centre
        (labels, b, k).
    label
        (n,), or None where all rows have the first.
    """

    def subtract(block: slice) -> None:
        deviation[block] -= centre[0] if label is None else centre[label[block]]

    in_blocks(subtract, len(deviation))
    return deviation


def weighted(departure: FloatArray, weight: FloatArray, label: IntArray | None) -> FloatArray:
    """Return sums over b models of departures (n, b, k), by the weights of each row's label.

    Parameters
    ----------
    weight
        (labels, b).
    label
        As of `less_centre`.
    """
    out = np.empty(departure[:, 0].shape)

    def sums(block: slice) -> None:
        rows = departure[block]
        shares = weight[np.zeros(len(rows), np.int64) if label is None else label[block]]
        out[block] = np.einsum("nbk,nb->nk", rows, shares)

    in_blocks(sums, len(departure))
    return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectLayer:
    """Effects of k offers.

    Attributes
    ----------
    averages
        Constant effects.
    deviations
        Models of what differs between users.
    uncertainty : (k, q, q) float64
        Posterior covariance of the ridge's coefficients from all rows.
    centre : (folds, 3, k) float64
        Average deviation of each model, which is subtracted.
    stack
        Weights of the models.
    calibration
        Slopes of what comes true.
    prognosis
        How effects follow what people would do anyway.
    support
        For whom deviations hold.
    test
        Whether users differ measurably.
    rungs
        Positions of the offers of each ladder.
    """

    averages: Averages
    deviations: Deviations
    uncertainty: FloatArray
    centre: FloatArray
    stack: Stack
    calibration: Calibration
    prognosis: Prognosis
    support: Support
    test: HeterogeneityTest
    rungs: tuple[tuple[int, ...], ...]

    def predict(
        self, matrix: Matrix, phi: Floats, log_odds: FloatArray, *, folds: Folds | None
    ) -> FloatArray:
        """Return effects (n, k), out of fold for the trial's rows, averaged for new rows.

        Parameters
        ----------
        matrix, phi
            (n, p) features and (n, q) basis functions.
        log_odds
            (n,) of the event, averaged over the lottery's arms.
        folds
            Of these rows, or None for new rows.
        """
        deviation = self.deviations.predict(matrix, phi, log_odds, folds=folds)
        if folds is None:
            departure = less_centre(deviation, self.centre.mean(axis=0, keepdims=True), None)
            stacked = weighted(departure, self.stack.weight[None], None)
        else:
            departure = less_centre(deviation, self.centre, folds.label)
            stacked = weighted(departure, self.stack.weight_outside, folds.label)
        return self.of_stacked(stacked, matrix, log_odds, folds=folds)

    def of_stacked(
        self, stacked: FloatArray, matrix: Matrix, log_odds: FloatArray, *, folds: Folds | None
    ) -> FloatArray:
        """Return effects by their stacked deviations from the averages, (n, k) each."""
        holds, effect = self.support.weight(matrix), np.empty(stacked.shape)
        average, slope = self.averages.effect[None], self.calibration.slope[None]
        label = np.zeros(len(stacked), dtype=np.int64)
        share = self.prognosis.share(log_odds, None if folds is None else folds.label)
        if folds is not None:
            label = folds.label
            average, slope = self.averages.outside, self.calibration.slope_outside

        def combine(block: slice) -> None:
            calibrated = self.calibration(stacked[block], slope[label[block]])
            usual = average[label[block]]
            effect[block] = usual + (calibrated + usual * share[block, None]) * holds[block]

        in_blocks(combine, len(stacked))
        return self._repaired(effect)

    @property
    def constant(self) -> FloatArray:
        """The constant effects, (k,)."""
        return np.asarray(self._repaired(self.averages.effect[None])[0])

    def constant_outside(self, folds: Folds) -> FloatArray:
        """Return the constant effects by the rows outside each row's fold, (n, k)."""
        return self._repaired(self.averages.outside)[folds.label]

    def standard_error(self, phi: Floats) -> FloatArray:
        """Return a rough standard error of each effect, (n, k): a guide, not an interval."""
        variance = np.tile(self.averages.standard_error**2, (len(phi), 1))
        trust = min(float(self.stack.weight.sum()), 1.0) ** 2
        variance += trust * quadratic(self.uncertainty, taken(phi, self.deviations.functions))
        return np.asarray(np.sqrt(variance))

    def _repaired(self, effect: FloatArray) -> FloatArray:
        weight = 1 / np.maximum(self.averages.standard_error, 1e-12) ** 2
        return repair(effect, self.rungs, np.asarray(weight))
