from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from incentive_engine.errors import DataError
from incentive_engine.uplift.doubly_robust.plan_value import plan_value

from .trials import draw, even_effects, make_trial, policy_of


def test_four_people_have_the_value_of_the_hand_solution() -> None:
    """Everyone gets the offer; without a model, arm means stand in: (1 - 0.5) per person."""
    trial = make_trial(
        policy_of(10),
        pd.DataFrame({"x": [1, 2, 3, 4]}),
        np.array([0, 0, 1, 1]),
        np.array([0, 1, 1, 1]),
        np.array([0, 50, 60, 70]),
        np.array([0, 0, 10, 10]),
        np.full(4, 0.5),
    )
    value = plan_value(trial, None, np.zeros(4, dtype=int))
    assert value.conversion.value == pytest.approx(0.5)
    assert value.spend.value == pytest.approx(65 - 25)
    assert value.cost.value == pytest.approx(10)
    assert value.ipw["conversion"].value == pytest.approx((-2 * 1 + 2 + 2) / 4)


def test_giving_nothing_brings_nothing() -> None:
    known = draw(policy_of(10, 20), even_effects(0.02, 0.03), n=500, seed=0)
    value = plan_value(known.trial, None, np.full(500, -1))
    assert value.treated == 0
    assert value.conversion.value == value.spend.value == value.cost.value == 0


def test_stated_intervals_cover_the_truth() -> None:
    """Of 200 trials, a 95 % interval misses more than 22 with probability 2e-4."""
    propensity = np.tile([0.5, 0.3, 0.2], (400, 1))
    missed = 0
    for seed in range(200):
        known = draw(
            policy_of(10, 20), even_effects(0.1, 0.3), n=400, seed=seed, propensity=propensity
        )
        choice = np.where(np.arange(400) % 2 == 0, 1, 0)
        value = plan_value(known.trial, None, choice).conversion
        missed += not value.low <= 0.2 <= value.high
    assert missed <= 22


def test_weights_multiply_the_outcome() -> None:
    known = draw(policy_of(10), even_effects(0.1), n=500, seed=0)
    everyone = np.zeros(500, dtype=int)
    single = plan_value(known.trial, None, everyone)
    triple = plan_value(known.trial, None, everyone, weight=np.full(500, 3.0))
    assert triple.conversion.value == pytest.approx(3 * single.conversion.value)


@pytest.mark.parametrize("choice", [[0, 1], [0.0] * 50, [2] * 50, [-2] * 50])
def test_a_choice_that_is_no_plan_is_refused(choice: list[float]) -> None:
    known = draw(policy_of(10, 20), even_effects(0.0, 0.0), n=50, seed=0)
    with pytest.raises(DataError, match="choice"):
        plan_value(known.trial, None, np.array(choice))
