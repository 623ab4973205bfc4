"""What a campaign's own level adds to trials that are pooled, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from incentive_engine.data.trials.campaigns import Campaigns
from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import FloatArray
from incentive_engine.uplift.doubly_robust.plan_value import plan_value
from incentive_engine.uplift.model import EffectModel, estimate, fit
from uplift.trials import make_trial, people, policy_of

POLICY = policy_of(5, 10)
EFFECT = 0.05


def pooled(*bases: float, n: int, seed: int) -> Trial:
    """Return campaigns of n rows each, of which each has a base rate of its own, and no more."""
    rng = np.random.default_rng(seed)
    features = people(n * len(bases), rng)
    code = np.repeat(np.arange(len(bases)), n).astype(np.int16)
    arm = rng.integers(0, 3, len(code))
    buys = rng.random(len(code)) < np.array(bases)[code] + EFFECT * (arm > 0)
    nothing, third = np.zeros(len(code)), np.full(len(code), 1 / 3)
    trial = make_trial(POLICY, features, arm, buys, 80.0 * buys, nothing, third)
    names = tuple(f"c{place}" for place in range(len(bases)))
    reach = np.ones((len(code), 2), dtype=np.bool_)
    campaigns = Campaigns(names=names, code=code, person=trial.user_id, reach=reach)
    return replace(trial, campaigns=campaigns)


def learned(trial: Trial) -> EffectModel:
    return fit(trial, POLICY, seed=1)


def expected(model: EffectModel) -> FloatArray:
    """Return the control's expected conversion of each row, by models that never saw it."""
    return model.out_of_fold.estimates.conversion_by_arm[:, 0]


@pytest.fixture(scope="module")
def shifted() -> Trial:
    return pooled(0.03, 0.45, n=3_000, seed=4)


def test_each_campaign_is_expected_at_its_own_level_and_new_users_at_that_of_all(
    shifted: Trial,
) -> None:
    model = learned(shifted)
    assert shifted.campaigns is not None
    for place, base in enumerate((0.03, 0.45)):
        mine = expected(model)[shifted.campaigns.rows(place)]
        # three standard errors of a campaign's share of buyers
        assert mine.mean() == pytest.approx(base, abs=0.03)
    new = estimate(model, shifted.features, where="users").conversion_by_arm[:, 0]
    assert new.mean() == pytest.approx(0.24, abs=0.03)


def test_campaigns_of_different_levels_tell_effects_more_precisely_when_they_are_known(
    shifted: Trial,
) -> None:
    """A fourth of the outcomes' variance is between the campaigns: errors fall by a tenth."""
    everybody = np.zeros(shifted.n_rows, dtype=np.int16)
    known, unknown = (
        plan_value(shifted, learned(trial).out_of_fold.estimates, everybody).conversion
        for trial in (shifted, replace(shifted, campaigns=None))
    )
    assert known.standard_error < 0.92 * unknown.standard_error
    assert known.low < EFFECT < known.high


def test_campaigns_of_one_level_are_expected_at_one_level() -> None:
    trial = pooled(0.2, 0.2, n=3_000, seed=5)
    said = expected(learned(trial))
    assert trial.campaigns is not None
    one, other = (said[trial.campaigns.rows(place)].mean() for place in range(2))
    # a standard error of the difference between their shares of buyers
    assert one == pytest.approx(other, abs=0.01)


def test_the_name_of_a_single_campaign_changes_nothing() -> None:
    trial = pooled(0.2, n=1_500, seed=6)
    alone = replace(trial, campaigns=None)
    assert np.array_equal(expected(learned(trial)), expected(learned(alone)))


def test_a_campaign_that_nobody_bought_in_stays_expected_above_nothing() -> None:
    trial = pooled(0.3, 0.0, n=800, seed=7)
    assert trial.campaigns is not None
    conversion = np.where(trial.campaigns.rows(1), 0.0, trial.conversion)
    said = expected(learned(replace(trial, conversion=conversion, spend=80 * conversion)))
    assert np.isfinite(said).all()
    assert said[trial.campaigns.rows(1)].mean() < 0.02
