"""A category of many levels has an effect at each, whatever the levels are called."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from incentive_engine.uplift.boosting.features import learn_encoder
from incentive_engine.uplift.model import estimate, fit
from uplift.trials import make_trial, policy_of

CITIES = 60


def _people(n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    place = rng.integers(0, CITIES, n)
    names = np.array([f"city {each}" for each in range(CITIES)])
    return pd.DataFrame({"city": names[place], "visits": rng.normal(size=n)}), place


def test_effects_of_sixty_cities_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    of_city = rng.normal(0.02, 0.07, CITIES)
    features, place = _people(20_000, rng)
    arm = rng.integers(0, 2, len(place))
    buys = (rng.random(len(place)) < 0.25 + arm * of_city[place]).astype(float)
    half, policy = np.full(len(place), 0.5), policy_of(10)
    trial = make_trial(policy, features, arm, buys, 50 * buys, 5 * arm * buys, half)
    asked, where = _people(5_000, rng)
    effect = estimate(fit(trial, policy, seed=0), asked, where="users").conversion[:, 0]
    # 167 rows an arm and city: a difference of means alone would reach 0.83
    assert np.corrcoef(effect, of_city[where])[0, 1] > 0.7


@pytest.mark.parametrize("levels", [16, 17])
def test_codes_of_few_levels_are_taken_for_numbers(levels: int) -> None:
    names = [f"level {at}" for at in range(levels)] * 30
    encoder = learn_encoder(pd.DataFrame({"number": range(len(names)), "word": names}))
    assert encoder.categories == (1,)
    assert encoder.crowded == ((1,) if levels > 16 else ())
