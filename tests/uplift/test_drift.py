from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from incentive_engine.uplift.drift import drift, stability
from incentive_engine.uplift.model import UpliftModel, fit

from .trials import Known, draw, even_effects, people, policy_of


@pytest.fixture(scope="module")
def learned() -> tuple[Known, UpliftModel]:
    known = draw(policy_of(10), even_effects(0.05), n=4_000, seed=0)
    return known, fit(known.trial, known.policy, seed=0)


def strangers(seed: int = 9, n: int = 4_000) -> pd.DataFrame:
    return people(n, np.random.default_rng(seed))


def test_users_like_the_trial_show_no_drift(learned: tuple[Known, UpliftModel]) -> None:
    """Among 20 populations drawn alike, none: the index is at most 0.02, the share near 1."""
    known, model = learned
    for seed in range(20):
        found = drift(model, known.trial.features, strangers(seed))
        assert not found.warnings
        assert found.shifts[0].stability < 0.02
        assert found.effective_share > 0.9


def test_a_shifted_number_is_named(learned: tuple[Known, UpliftModel]) -> None:
    known, model = learned
    users = strangers()
    users["thrift"] += 1
    found = drift(model, known.trial.features, users)
    assert found.shifts[0].feature == "thrift"
    assert found.shifts[0].difference == pytest.approx(1, abs=0.1)
    assert "`thrift`" in found.warnings[0]
    assert found.effective_share < 0.6  # exp(-1) = 0.37 for a normal shifted by 1


def test_unseen_levels_and_new_gaps_are_drift(learned: tuple[Known, UpliftModel]) -> None:
    known, model = learned
    users = strangers()
    users["region"] = np.where(np.arange(len(users)) % 2, users["region"], "abroad")
    users["age"] = users["age"].where(np.arange(len(users)) % 3 > 0)
    found = drift(model, known.trial.features, users)
    assert [shift.feature for shift in found.shifts[:2]] == ["region", "age"]
    assert found.shifts[0].stability > 0.25
    assert found.shifts[0].difference is None


def test_the_index_is_the_textbook_one() -> None:
    before = np.repeat([0.0, 1.0], [5_000, 5_000]).astype(np.float32)
    after = np.repeat([0.0, 1.0], [8_000, 2_000]).astype(np.float32)
    by_hand = 0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5)
    assert stability(before, after, whole=True) == pytest.approx(by_hand, rel=1e-3)
