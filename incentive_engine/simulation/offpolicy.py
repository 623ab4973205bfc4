"""What another way of handing out offers would have earned in a logged randomised trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import OUTCOMES, ChoiceArray, FloatArray
from incentive_engine.language import Message, say
from incentive_engine.language.wording import joined


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nuisance:
    """Predicted outcomes of n rows, by models that never saw them.

    Attributes
    ----------
    base : (n, 3) float64
        Outcome without an offer, per measure.
    effect : (n, k, 3) float64
        What each offer changes.
    """

    base: FloatArray
    effect: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChoiceValuation:
    """What a choice is worth on n logged rows, against giving nobody anything.

    Attributes
    ----------
    rows : (n, 3, 3) float32
        Contribution of each row per estimator and measure; their sum is the estimate of the
        total over the n rows, and their spread is its error.
    treated
        Rows that the choice gives an offer.
    matched
        Of these, rows that got just that offer.
    effective
        Effective sample size of the matched rows (Kish).
    cover : float
        Sum of the matched rows' weights per treated row; 1 in expectation where the trial could
        have given every chosen offer.
    cover_error : float
        Standard error of that.
    thin
        Matched or control rows whose propensity is below the clip.
    """

    ESTIMATORS: ClassVar = ("dr", "sn", "ipw")
    """Doubly robust; self-normalised inverse propensity; inverse propensity."""

    rows: FloatArray
    treated: int
    matched: int
    effective: float
    cover: float
    cover_error: float
    thin: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplayResult:
    """What one split of a trial into folds showed.

    Attributes
    ----------
    rows : (strategies, budgets, n, estimators, measures) float32
        Contribution of each row of the trial to each estimate, see `ChoiceValuation`.
    valuations
        (strategy, budget) to one valuation per fold, without its rows.
    planned : (strategies, budgets) float64
        Forecast cost.
    favoured : (strategies, budgets, 2) float64
        Rows of the favoured group that get an offer, and their forecast cost.
    """

    rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    valuations: dict[tuple[int, int], list[ChoiceValuation]]
    planned: FloatArray
    favoured: FloatArray


def value(
    trial: Trial, choice: ChoiceArray, nuisance: Nuisance, *, clip: float
) -> ChoiceValuation:
    """Value a choice by the arms that rows really got.

    Parameters
    ----------
    trial
        n logged rows.
    choice
        (n,) int16, -1 for none.
    nuisance
        Predictions for the doubly robust estimate.
    clip
        Smaller propensities count as this.

    Notes
    -----
    With w1 = 1{A = π}/e and w0 = 1{A = 0}/e on rows that π gives an offer (other rows contribute
    0), Y the outcome and q its prediction, a row contributes

    * ipw: (w1 − w0)·Y,
    * sn: m·(w1·(Y − μ1)/Σw1 − w0·(Y − μ0)/Σw0) + (μ1 − μ0) with μ the weighted means, m the
      number of treated rows: the linearised self-normalised estimate,
    * dr: q(π) − q(0) + w1·(Y − q(π)) − w0·(Y − q(0)).

    References
    ----------
    Dudík, Langford, Li (2011), Doubly robust policy evaluation and learning, equation 4;
    Swaminathan, Joachims (2015), The self-normalized estimator for counterfactual learning.
    """
    treated = np.flatnonzero(choice >= 0)
    arm, offer = trial.arm[treated], choice[treated].astype(np.int64)
    propensity = trial.propensity[treated]
    weight = 1 / np.maximum(propensity, clip)
    as_chosen, as_control = arm == offer + 1, arm == 0
    one, zero = weight * as_chosen, weight * as_control
    outcome = np.column_stack([trial.conversion, trial.spend, trial.cost])[treated]
    base = nuisance.base[treated]
    effect = nuisance.effect[treated, offer]
    rows = np.zeros(
        (len(choice), len(ChoiceValuation.ESTIMATORS), len(OUTCOMES)), dtype=np.float64
    )
    rows[treated, 0] = (
        effect + one[:, None] * (outcome - base - effect) - zero[:, None] * (outcome - base)
    )
    rows[treated, 1] = _self_normalised(outcome, one) - _self_normalised(outcome, zero)
    rows[treated, 2] = (one - zero)[:, None] * outcome
    total = one.sum()
    return ChoiceValuation(
        rows=rows.astype(np.float32),
        treated=len(treated),
        matched=int(as_chosen.sum()),
        effective=float(total**2 / (one**2).sum()) if total else 0.0,
        cover=float(total / len(treated)) if len(treated) else 1.0,
        cover_error=float(one.std() / np.sqrt(len(treated))) if len(treated) else 0.0,
        thin=int((propensity[as_chosen | as_control] < clip).sum()),
    )


def _self_normalised(outcome: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the rows' contributions to m times the weighted mean, (m, 3)."""
    total = weight.sum()
    if total == 0:
        return np.zeros_like(outcome)
    mean = (weight[:, None] * outcome).sum(axis=0) / total
    return np.asarray(mean + len(outcome) * weight[:, None] * (outcome - mean) / total)


def overlap_warning(valuations: list[ChoiceValuation]) -> Message | None:
    """Return what is wrong with the overlap between trial and choice, or nothing.

    Parameters
    ----------
    valuations
        Of the same choice on parts of the trial.
    """
    treated = sum(v.treated for v in valuations)
    if not treated:
        return None
    effective = sum(v.effective for v in valuations)
    cover = sum(v.cover * v.treated for v in valuations) / treated
    error = float(np.sqrt(sum((v.cover_error * v.treated) ** 2 for v in valuations))) / treated
    problems = []
    if cover < 1 - max(0.02, 4 * error):
        problems.append(say("overlap.never", share=1 - cover))
    # with fewer effective rows the interval itself is not to be trusted at conversion rates of a
    # few percent: about ten conversions
    if effective < 200:
        problems.append(say("overlap.few", rows=effective))
    if thin := sum(v.thin for v in valuations):
        problems.append(say("overlap.thin", rows=thin))
    return joined(problems) if problems else None
