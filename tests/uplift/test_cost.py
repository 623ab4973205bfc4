"""What a plan picks costs what was forecast: the forecast sees who reacts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.model import EffectModel, estimate, fit
from uplift.trials import BASE, Known, draw, policy_of


def _patches(features: pd.DataFrame) -> FloatArray:
    """Return effects that each offer has in a patch of its own, and nowhere else."""
    young = (features["age"].fillna(50.0) < 30).to_numpy(float)
    often = (features["visits"] >= 5).to_numpy(float)
    north = (features["region"] == "north").to_numpy(float)
    return 0.12 * np.column_stack([young * north, often * (1 - north)])


@pytest.fixture(scope="module")
def patchy() -> tuple[Known, EffectModel]:
    known = draw(policy_of(10, 20), _patches, n=30_000, seed=4)
    model = fit(known.trial, known.policy, seed=11)
    return draw(known.policy, _patches, n=50_000, seed=6), model


def _true_over_stated(known: Known, model: EffectModel, cost: FloatArray) -> float:
    """Return what the tenth of users with the best effect per cost really costs, over stated."""
    effect = estimate(model, known.trial.features, where="users").conversion
    best = (effect / cost).argmax(axis=1)
    rows = np.arange(len(best))
    picked = np.argsort(-(effect / cost)[rows, best])[: len(best) // 10]
    faces = np.array([offer.face_value for offer in known.policy.offers])
    true = 0.8 * (BASE + known.effect) * faces
    return float(true[picked, best[picked]].sum() / cost[picked, best[picked]].sum())


def test_the_cost_of_users_whom_a_plan_picks_is_nearer_the_truth_than_redemptions_alone_say(
    patchy: tuple[Known, EffectModel],
) -> None:
    known, model = patchy
    costing = model.models.costing
    estimates = estimate(model, known.trial.features, where="users")
    direct = costing.direct(model.encoder.encode(known.trial.features, where="t"), folds=None)
    alone = abs(_true_over_stated(known, model, direct) - 1)
    stacked = abs(_true_over_stated(known, model, estimates.cost) - 1)
    assert alone > 0.15
    assert stacked < 0.85 * alone


def test_each_offers_total_is_what_believed_conversions_pay(
    patchy: tuple[Known, EffectModel],
) -> None:
    """Eight in ten conversions redeem: the total is theirs, whatever the arm's luck was."""
    _, model = patchy
    known = draw(policy_of(10, 20), _patches, n=30_000, seed=4)
    estimates = model.out_of_fold.estimates
    for j, face in enumerate((10, 20)):
        got = known.trial.arm == j + 1
        believed = estimates.conversion_by_arm[got, j + 1].sum()
        assert estimates.cost[got, j].sum() == pytest.approx(0.8 * face * believed, rel=0.04)


def test_costs_without_conversions_rest_on_redemptions_alone() -> None:
    known = draw(policy_of(10, 20), _patches, n=3000, seed=5)
    object.__setattr__(known.trial, "conversion", np.zeros(3000))
    model = fit(known.trial, known.policy, seed=11)
    assert (model.models.costing.per_conversion < np.inf).all()
    assert np.isfinite(model.out_of_fold.estimates.cost).all()
