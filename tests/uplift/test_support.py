from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from incentive_engine.uplift.effects.calibration import Calibration
from incentive_engine.uplift.model import EffectModel, estimate, fit
from incentive_engine.uplift.support import learn_support
from incentive_engine.uplift.trial_design import even_lottery

from .trials import Known, draw, make_trial, people, policy_of


def strong_effects(features: pd.DataFrame) -> np.ndarray:
    return np.asarray(0.06 * np.tanh(features[["thrift"]].to_numpy()))


@pytest.fixture(scope="module")
def learned() -> tuple[Known, EffectModel]:
    known = draw(policy_of(10), strong_effects, n=20_000, seed=2)
    return known, fit(known.trial, known.policy, seed=0)


def test_effects_of_users_far_outside_the_trial_decay_to_the_average(
    learned: tuple[Known, EffectModel],
) -> None:
    _, model = learned
    users = people(4, np.random.default_rng(3))
    users["thrift"], users["age"] = [2.0, 2.0, 2.0, 2.0], [50.0, 100.0, 1_000.0, -5_000.0]
    effect = estimate(model, users, where="users").conversion[:, 0]
    average = model.models.converting.effects.averages.effect[0]
    assert effect[0] - average > 0.02
    assert np.abs(effect[1] - average) < np.abs(effect[0] - average)
    assert effect[2:] == pytest.approx(average, abs=1e-4)


def test_a_trial_with_every_arm_everywhere_is_supported_everywhere(
    learned: tuple[Known, EffectModel],
) -> None:
    known, model = learned
    support = model.models.converting.effects.support
    assert support.arms == {}
    matrix = model.encoder.encode(known.trial.features, where="trial")
    assert (support.weight(matrix) == 1).all()


def test_a_group_that_never_got_an_arm_gets_the_average_effect() -> None:
    known = draw(policy_of(10), strong_effects, n=8_000, seed=4)
    trial = known.trial
    kept = np.flatnonzero((trial.features["region"] != "north") | (trial.arm == 1))
    uneven = make_trial(
        known.policy,
        trial.features.iloc[kept].reset_index(drop=True),
        trial.arm[kept].astype(np.int64),
        trial.conversion[kept],
        trial.spend[kept],
        trial.cost[kept],
        np.full(len(kept), 0.5),
    )
    model = fit(uneven, known.policy, seed=0)
    users = people(300, np.random.default_rng(5))
    effect = estimate(model, users, where="users").conversion[:, 0]
    average = model.models.converting.effects.averages.effect[0]
    north = (users["region"] == "north").to_numpy()
    assert np.abs(effect[north] - average).max() < 0.1 * np.abs(effect[~north] - average).max()


def test_support_is_learned_from_arms_alone() -> None:
    known = draw(policy_of(10), strong_effects, n=2_000, seed=6)
    matrix = np.arange(2_000, dtype=np.float32).reshape(-1, 1)
    silent = replace(known.trial, conversion=np.zeros(2_000))
    weights = [
        learn_support(matrix, (), even_lottery(trial, ()), seed=0).weight(matrix + 500)
        for trial in (known.trial, silent)
    ]
    assert (weights[0] == weights[1]).all()


def test_tails_have_slopes_of_their_own_and_an_end() -> None:
    ends = {"least": np.array([-4.0]), "most": np.array([3.0])}
    calibration = Calibration(
        low=np.array([-1.0]),
        high=np.array([1.0]),
        slope=np.array([0.5, 1.0, 0.1]),
        slope_outside=np.ones((2, 3)),
        **ends,
    )
    deviation = np.array([[-9.0], [-3.0], [0.5], [2.0], [9.0]])
    told = calibration(deviation, calibration.slope[None])[:, 0]
    assert told.tolist() == pytest.approx([-2.5, -2.0, 0.5, 1.1, 1.2])
