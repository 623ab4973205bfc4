"""Costs follow their forecasts along a line with a bend, which the trial's redemptions tell."""

from __future__ import annotations

import numpy as np
import pytest

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.nuisance.cost_slope import CostSlope, fit_slope, no_slope

PAYS = np.array([10.0, 20.0])


def _fitted(rows: int, slope: tuple[float, float], *, seed: int = 0) -> CostSlope:
    """Return what is learned from redemptions that follow forecasts with known slopes."""
    rng = np.random.default_rng(seed)
    offer = rng.integers(0, 2, rows)
    chance = np.exp(rng.normal(-3.0, 0.6, rows))
    mean = np.array([(chance[offer == j] * PAYS[j]).mean() for j in range(2)])
    true = CostSlope(mean=mean, slope=np.array(slope))
    predicted = chance * PAYS[offer]
    followed = _each(true, predicted, offer)
    paid = PAYS[offer] * (rng.random(rows) < followed / PAYS[offer])
    return fit_slope(
        predicted, offer=offer, paid=paid, weight=np.ones(rows), pays=PAYS, mean=mean, error=0.2
    )


def _each(slope: CostSlope, cost: FloatArray, offer: np.ndarray) -> FloatArray:
    return np.asarray(slope(np.tile(cost[:, None], (1, 2)))[np.arange(len(cost)), offer])


def test_a_bend_that_redemptions_show_is_recovered() -> None:
    slope = _fitted(400_000, (-0.1, 0.5)).slope
    assert slope == pytest.approx([-0.1, 0.5], abs=0.12)


def test_few_redemptions_leave_forecasts_nearly_as_they_are() -> None:
    slopes = np.stack([_fitted(400, (0.0, 0.0), seed=seed).slope for seed in range(20)])
    assert np.abs(slopes).max() < 0.35
    assert np.abs(slopes.mean(axis=0)).max() < 0.08


def test_forecasts_without_a_redemption_are_left_as_they_are() -> None:
    learned = fit_slope(
        np.full(100, 0.2),
        offer=np.zeros(100, dtype=np.int64),
        paid=np.zeros(100),
        weight=np.ones(100),
        pays=np.zeros(1),
        mean=np.array([0.2]),
        error=0.2,
    )
    assert np.isfinite(learned.slope).all()
    assert learned(np.full((3, 1), 0.2)) == pytest.approx(0.2)


def test_no_slope_changes_nothing() -> None:
    cost = np.array([[0.0, 3.0], [1e9, 0.1]])
    assert no_slope(2)(cost).tolist() == cost.tolist()
