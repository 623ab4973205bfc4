"""Learning how effects vary between users, with the shrinkage and pooling that the data support.

Three models of the deviations from average effects, each cross-fitted over the same folds: a ridge
on smooth functions of the features, whose prior (how alike offers are, how relevant each feature
is, which reinforce each other) is learned by marginal likelihood; trees on the contrasts between
arms, along the principal directions of that prior; trees in each arm. They are stacked out of
fold, and shrink with the chance that nothing they say comes true there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.parallel import in_blocks
from incentive_engine.stats.systematic_sample import evenly
from incentive_engine.uplift.effects.averages.average_effects import Averages, average_effects
from incentive_engine.uplift.effects.calibration import Calibration
from incentive_engine.uplift.effects.deviations import Surprises, fit_deviations
from incentive_engine.uplift.effects.effects import (
    Deviations,
    EffectLayer,
    less_centre,
    weighted,
)
from incentive_engine.uplift.effects.prognosis import Prognosis, learn_prognosis
from incentive_engine.uplift.effects.stacking import Belief, DeviationEvidence, WeightPrior
from incentive_engine.uplift.params import FitParams
from incentive_engine.uplift.rows import TrialRows


def fit_effects(
    rows: TrialRows,
    *,
    event: FloatArray,
    log_odds: FloatArray,
    expected: FloatArray,
    prognostic: FloatArray,
    rungs: tuple[tuple[int, ...], ...],
    seed: int,
) -> tuple[EffectLayer, FloatArray]:
    """Learn by how much each offer changes the probability of an event.

    Parameters
    ----------
    rows
        The trial.
    event
        (n,) 0 or 1.
    log_odds, expected
        (n,) of the event given the features, averaged over the lottery's arms, out of fold; the
        second as a probability.
    prognostic
        (p,) how much each feature tells about outcomes, whatever the arm.
    rungs
        Ladders along which effects do not fall.

    Returns
    -------
    The effects' model, and what it says of these rows out of fold, (n, k).
    """
    residual, params = event - expected, rows.params
    surprises = Surprises(
        event=event,
        log_odds=log_odds,
        residual=residual,
        precision=_precision(residual, expected, rows.lottery.weight),
        contrast=rows.lottery.contrast,
    )
    averages = average_effects(residual, rows.lottery, rows.folds, rungs)
    offers = rows.lottery.reach.shape[1]
    one_ladder = any(len(ladder) == offers for ladder in rungs)
    deviations, uncertainty = fit_deviations(
        rows, surprises, averages, prognostic=prognostic, one_ladder=one_ladder, seed=seed
    )
    departure = deviations.predict(rows.matrix, rows.phi, log_odds, folds=rows.folds)
    centre = _centre(departure, rows)
    less_centre(departure, centre, rows.folds.label)
    of_one_kind = one_ladder or offers == 1
    evidence, regained = _evidence(
        rows, surprises, deviations, departure=departure, centre=centre,
        likely=params.differ_chance_of_one_kind if of_one_kind else params.differ_chance,
    )  # fmt: skip
    stack = evidence.weigh(rows.folds)
    stacked = weighted(departure, stack.weight_outside, rows.folds.label)
    calibration = evidence.calibrate(stacked, rows.folds)
    if not params.has("calibration"):
        calibration = calibration.flat()
    layer = EffectLayer(
        averages=averages,
        deviations=deviations,
        uncertainty=uncertainty,
        centre=centre,
        stack=replace(stack, weight=stack.weight * regained),
        calibration=calibration,
        prognosis=_prognosis(rows, surprises, averages, stacked, calibration),
        support=rows.support,
        test=evidence.test(),
        rungs=rungs,
    )
    return layer, layer.of_stacked(stacked, rows.matrix, log_odds, folds=rows.folds)


def _prognosis(
    rows: TrialRows,
    surprises: Surprises,
    averages: Averages,
    stacked: FloatArray,
    calibration: Calibration,
) -> Prognosis:
    """Learn how effects follow the prognosis, by what calibrated deviations leave."""
    residual = surprises.residual.copy()

    def explain(block: slice) -> None:
        slope = calibration.slope_outside[rows.folds.label[block]]
        deviation = calibration(stacked[block], slope)
        residual[block] -= (surprises.contrast[block] * deviation).sum(axis=1)

    in_blocks(explain, len(residual))
    prognosis = learn_prognosis(
        surprises.log_odds,
        event=surprises.event,
        average=averages.outside,
        contrast=surprises.contrast,
        residual=residual,
        precision=surprises.precision,
        folds=rows.folds,
        believed=(rows.params.prognosis_slope, rows.params.prognosis_error),
    )
    return prognosis if rows.params.has("prognosis") else prognosis.flat()


def _evidence(
    rows: TrialRows,
    surprises: Surprises,
    deviations: Deviations,
    *,
    departure: FloatArray,
    centre: FloatArray,
    likely: float,
) -> tuple[DeviationEvidence, float]:
    """Return what rows say of the models' departures, and how much more new users' come true."""
    prior, regained = weight_prior(rows.params), 1.0
    if rows.params.has("averaging"):
        regained = _regained(
            deviations, rows, surprises.log_odds,
            departure=departure, centre=centre, usual=prior.usual,
        )  # fmt: skip
    claim = np.empty(departure.shape[:2])

    def claimed(block: slice) -> None:
        claim[block] = np.einsum("nbk,nk->nb", departure[block], surprises.contrast[block])

    in_blocks(claimed, len(departure))
    evidence = DeviationEvidence(
        claim=claim,
        contrast=surprises.contrast,
        residual=surprises.residual,
        precision=surprises.precision,
        lottery=rows.lottery.weight,
        prior=prior.attenuated(regained),
        likely=likely,
    )
    return evidence, regained


def weight_prior(params: FitParams) -> WeightPrior:
    """Return what is believed of the weights of the models in the stack."""
    # 1e-9: a model that an ablation leaves out has so much of its weight
    present = np.array(
        [1.0, *(1.0 if params.has(n) else 1e-9 for n in ("contrast_trees", "arm_trees"))]
    )

    def belief(chance: float, usual: tuple[float, ...]) -> Belief:
        left = present * usual
        return Belief(chance=chance, usual=tuple((left * sum(usual) / left.sum()).tolist()))

    add_up = params.additive_chance
    return WeightPrior(
        # weights of the ridge, the contrast trees and the arm trees where features add up, and
        # where they act together
        beliefs=(belief(add_up, (0.75, 0.17, 0.08)), belief(1 - add_up, (0.1, 0.5, 0.4))),
        each=params.weight_error,
        together=params.scale_error,
    )


def _precision(residual: FloatArray, expected: FloatArray, weight: FloatArray) -> FloatArray:
    """Return each row's precision: a rare buyer's outcome varies less than a frequent one's."""
    chance = expected.clip(0, 1)
    variance = np.maximum(chance * (1 - chance), 0.1 * np.mean(chance * (1 - chance)) + 1e-9)
    scale = float(np.sum(weight * residual**2 / variance) / weight.sum())
    return np.asarray(weight / (variance * max(scale, 1e-9)))


def _regained(
    deviations: Deviations,
    rows: TrialRows,
    log_odds: FloatArray,
    *,
    departure: FloatArray,
    centre: FloatArray,
    usual: FloatArray,
) -> float:
    """Return how much more of a deviation comes true where the folds' models are averaged, ≥ 1.

    Parameters
    ----------
    departure, centre
        (n, b, k) deviations out of fold less their means, and (folds, b, k) these means.
    usual
        (b,) expected weights.

    Notes
    -----
    Weights are learned out of fold, where one model speaks for each row; new users are told the
    mean of all folds' models, which has less noise. The slope of outcomes on predictions d is
    ``Cov(y, d) / Var(d)``. Averaging leaves the covariance as it is, so that the slope grows by
    the ratio of the variances: what errors in a regressor attenuate is regained.
    """
    # rows that tell a variance of deviations to a hundredth, which is all that it is needed for
    some = evenly(len(departure), 20_000)
    mean = deviations.predict(rows.matrix[some], rows.phi[some], log_odds[some], folds=None)
    reach = rows.lottery.reach[some]
    one = weighted(departure[some], usual[None], None)[reach]
    every = weighted(mean - centre.mean(axis=0), usual[None], None)[reach]
    # 1e-30: in place of no variance at all
    return max(float(one @ one) / max(float(every @ every), 1e-30), 1.0)


def _centre(deviation: FloatArray, rows: TrialRows) -> FloatArray:
    """Return the average deviation per fold, model and offer, over the rows in reach."""
    return np.stack([_mean_in_reach(deviation, rows, inside) for _, inside in rows.folds])


def _mean_in_reach(deviation: FloatArray, rows: TrialRows, inside: IntArray) -> FloatArray:
    reach = rows.lottery.reach[inside][:, None, :]
    total = (deviation[inside] * reach).sum(axis=0)
    return np.asarray(total / np.maximum(reach.sum(axis=0), 1))
