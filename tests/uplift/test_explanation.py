from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from incentive_engine.uplift.evaluation.explanation import explain
from incentive_engine.uplift.model import EffectModel, estimate, fit

from .trials import Known, draw, even_effects, ladder_effects, people, policy_of


@pytest.fixture(scope="module")
def ladder() -> tuple[Known, EffectModel]:
    known = draw(policy_of(10, 20, ladder="cash"), ladder_effects, n=20_000, seed=1)
    return known, fit(known.trial, known.policy, seed=0)


@pytest.fixture
def strangers() -> pd.DataFrame:
    return people(300, np.random.default_rng(9))


def test_the_parts_add_up_to_the_score(
    ladder: tuple[Known, EffectModel], strangers: pd.DataFrame
) -> None:
    _, model = ladder
    found = explain(model, strangers, where="users")
    total = found.average + found.contribution.sum(axis=2) + found.repair
    score = estimate(model, strangers, where="users").conversion
    np.testing.assert_allclose(total, score, atol=1e-12)


def test_all_that_features_leave_is_the_order_of_the_ladder(
    ladder: tuple[Known, EffectModel], strangers: pd.DataFrame
) -> None:
    _, model = ladder
    found = explain(model, strangers, where="users")
    untouched = found.effect[:, 1] > found.effect[:, 0] + 1e-9
    assert untouched.any()
    np.testing.assert_allclose(found.repair[untouched], 0, atol=1e-9)


def test_the_true_driver_comes_first(
    ladder: tuple[Known, EffectModel], strangers: pd.DataFrame
) -> None:
    _, model = ladder
    drivers = explain(model, strangers, where="users").drivers()
    assert [named[0]["feature"] for named in drivers.values()] == ["thrift", "thrift"]


def test_equal_effects_have_weak_drivers(strangers: pd.DataFrame) -> None:
    """Differences that mean nothing come true by chance in half of all worlds, not in this one."""
    known = draw(policy_of(10), even_effects(0.05), n=2_000, seed=4)
    model = fit(known.trial, known.policy, seed=4)
    found = explain(model, strangers, where="users")
    error = model.models.converting.effects.averages.standard_error[0]
    assert sum(driver["mean_contribution"] for driver in found.drivers()["off10"]) < error
    assert found.effect.std() < 0.5 * error
