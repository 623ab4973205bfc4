"""The learner's settings are checked, do what they say, and stages can be left out one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from incentive_engine.errors import ConfigError
from incentive_engine.uplift.model import EffectModel, estimate, fit
from incentive_engine.uplift.params import FIT, FitParams
from incentive_engine.uplift.storage import load_model, save_model
from uplift.trials import Known, draw, policy_of


@pytest.fixture(scope="module")
def known() -> Known:
    return draw(
        policy_of(10, 20),
        lambda x: 0.08 * np.column_stack([x["thrift"] > 0, x["visits"] > 3]).astype(float),
        n=4000,
        seed=2,
    )


@pytest.fixture(scope="module")
def whole(known: Known) -> EffectModel:
    return fit(known.trial, known.policy, seed=1)


def test_settings_out_of_range_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        FitParams(folds=1, arm_rate=0.0, without=("produkts", "averaging"))
    text = str(caught.value)
    assert "FitParams: folds: it is 1" in text
    assert "FitParams: arm_rate: it is 0.0" in text
    assert "no stage is called `produkts`" in text
    assert "averaging`" not in text


def test_a_setting_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError):
        FitParams(weight_error=float("nan"))


def test_a_large_trial_has_three_folds_and_half_the_trees(
    known: Known, whole: EffectModel
) -> None:
    large = fit(known.trial, known.policy, seed=1, params=FitParams(large_trial=4000))
    outcomes = [model.models.converting.outcome.models for model in (whole, large)]
    assert [len(models) for models in outcomes] == [5, 3]
    assert [models[0].num_trees() for models in outcomes] == [60, 30]
    effects = [
        estimate(model, known.trial.features, where="users").conversion for model in (whole, large)
    ]
    assert np.corrcoef(effects[0].ravel(), effects[1].ravel())[0, 1] > 0.9


@pytest.mark.parametrize("stage", FitParams.STAGES)
def test_a_stage_that_is_left_out_changes_the_model(
    stage: str, known: Known, whole: EffectModel
) -> None:
    without = fit(known.trial, known.policy, seed=1, params=FitParams(without=(stage,)))
    before, after = (estimate(m, known.trial.features, where="users") for m in (whole, without))
    assert np.isfinite(after.conversion).all()
    assert np.isfinite(after.cost).all()
    measure = "cost" if "cost" in stage else "conversion"
    assert (getattr(after, measure) != getattr(before, measure)).any()


@pytest.mark.parametrize(("stage", "at"), [("contrast_trees", 1), ("arm_trees", 2)])
def test_a_model_that_is_left_out_has_no_weight(stage: str, at: int, known: Known) -> None:
    without = fit(known.trial, known.policy, seed=1, params=FitParams(without=(stage,)))
    weight = without.models.converting.effects.stack.weight
    assert weight[at] < 1e-6
    assert weight[0] > 0.1


def test_folds_and_trees_are_as_many_as_asked(known: Known) -> None:
    params = FitParams(folds=3, outcome_trees=7, effect_leaves=2)
    chances = fit(known.trial, known.policy, seed=1, params=params).models.converting
    assert [model.num_trees() for model in chances.outcome.models] == [7, 7, 7]
    tree = chances.effects.deviations.arm_trees.arms[0].models[0].dump_model()["tree_info"][0]
    assert tree["num_leaves"] <= 2


def test_a_saved_model_says_what_it_was_fitted_with(known: Known, tmp_path: Path) -> None:
    params = replace(FIT, folds=2, without=("cost_slope",))
    save_model(fit(known.trial, known.policy, seed=1, params=params), tmp_path)
    assert load_model(tmp_path).facts.params == params
