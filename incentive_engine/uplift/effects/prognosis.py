"""Effects along the prognosis: whom an offer moves more, as they might convert anyway.

Deviations are shrunk to nothing where rows are few, so that those who hardly ever convert are told
the average effect. More often than not an offer does less for them, and more for those on the
brink; and a plan with little money picks those who cost little, which are the former. So an effect
may grow with the variance p (1 - p) of the event, to which it is in proportion where an offer
shifts everybody's log-odds alike. How far it does so is one number, learned for all offers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.uplift.boosting.boosting import expit
from incentive_engine.uplift.crossfit import Folds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prognosis:
    """How far effects are in proportion to the variance of the event.

    Attributes
    ----------
    usual : () float64
        Mean of p (1 - p) over the trial's rows.
    slope : () float64
        1 where effects are in proportion, 0 where they have nothing to do with it.
    slope_outside : (folds,) float64
        The same by the rows outside each fold.
    """

    usual: FloatArray
    slope: FloatArray
    slope_outside: FloatArray

    def flat(self) -> Prognosis:
        """Return the prognosis that says nothing of effects."""
        return replace(self, slope=np.zeros(()), slope_outside=np.zeros_like(self.slope_outside))

    def share(self, log_odds: FloatArray, label: IntArray | None) -> FloatArray:
        """Return by which share of the average effect people's own differ, (n,).

        Parameters
        ----------
        log_odds
            (n,) of the event.
        label
            (n,) fold of these rows, or None for new rows.
        """
        slope = self.slope if label is None else self.slope_outside[label]
        return np.asarray(slope * _away(log_odds, self.usual))


def learn_prognosis(
    log_odds: FloatArray,
    *,
    event: FloatArray,
    average: FloatArray,
    contrast: FloatArray,
    residual: FloatArray,
    precision: FloatArray,
    folds: Folds,
    believed: tuple[float, float],
) -> Prognosis:
    """Learn the slope from the n rows of a trial.

    Parameters
    ----------
    log_odds
        (n,) of the event, out of fold.
    event
        (n,) 0 or 1.
    average
        (folds, k) average effects by the rows outside each fold.
    contrast
        (n, k) what each row's arm says about each effect.
    residual, precision
        (n,) what is left to explain, and its precision.
    folds
        Of the rows.
    believed
        Mean and standard deviation of the slope beforehand.

    Notes
    -----
    The posterior mean of a regression of the residual on ``Σ_j z_j average_j x``, with x the
    variance over its mean less one, and constant effects partialled out. The moment's own variance
    over rows stands for that of the residuals. The slope is multiplied by that of events on their
    chances, at most 1: a prognosis that is noise tells nothing of effects.
    """
    chance = expit(log_odds)
    usual = np.asarray(max(float(np.mean(chance * (1 - chance))), 1e-12))
    centred = chance - chance.mean()
    sure = float(np.clip(centred @ event / max(float(centred @ centred), 1e-12), 0.0, 1.0))
    claim = sure * (contrast * average[folds.label]).sum(axis=1) * _away(log_odds, usual)
    weighted = contrast * precision[:, None]
    both = np.column_stack([claim, residual])
    constant = np.linalg.lstsq(weighted.T @ contrast, weighted.T @ both, rcond=None)[0]
    claim, residual = (both - contrast @ constant).T
    moved = precision * claim * residual
    quantities = np.stack([precision * claim**2, moved, moved**2])
    inside = np.stack([np.bincount(folds.label, quantity, folds.count) for quantity in quantities])
    total = inside.sum(axis=1)

    def posterior(sums: FloatArray) -> float:
        size, moment, spread = map(float, sums)
        mean, deviation = believed
        noise = spread / size if size > 0 else 1.0
        certainty = size / max(noise, 1e-12)
        pull = moment / max(noise, 1e-12) + mean / deviation**2
        return sure * pull / (certainty + 1 / deviation**2)

    outside = [posterior(total - inside[:, fold]) for fold in range(folds.count)]
    return Prognosis(
        usual=usual, slope=np.asarray(posterior(total)), slope_outside=np.array(outside)
    )


def _away(log_odds: FloatArray, usual: FloatArray) -> FloatArray:
    """Return by how much the variance of the event differs from the usual, in units of that."""
    chance = expit(log_odds)
    # variances further above their mean, in units of it, count as that far from it
    return np.minimum(chance * (1 - chance) / usual - 1, 3.0)
