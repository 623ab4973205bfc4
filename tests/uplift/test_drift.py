from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from incentive_engine.uplift.diagnosis.drift import drift, stability
from incentive_engine.uplift.model import EffectModel, fit

from .trials import Known, draw, even_effects, people, policy_of


@pytest.fixture(scope="module")
def learned() -> tuple[Known, EffectModel]:
    known = draw(policy_of(10), even_effects(0.05), n=4_000, seed=0)
    return known, fit(known.trial, known.policy, seed=0)


def strangers(seed: int = 9, n: int = 4_000) -> pd.DataFrame:
    return people(n, np.random.default_rng(seed))


def test_users_like_the_trial_show_no_drift(learned: tuple[Known, EffectModel]) -> None:
    """Among 20 populations drawn alike, none: the index is at most 0.02, the share near 1."""
    known, model = learned
    for seed in range(20):
        found = drift(model, known.trial.features, strangers(seed))
        assert not found.warnings
        assert found.shifts[0].stability < 0.02
        assert found.effective_share is not None
        assert found.effective_share > 0.9


@pytest.mark.parametrize("users", [20, 100, 400, 1_500])
def test_few_users_of_many_levels_are_no_drift(users: int) -> None:
    """Among 25 populations drawn alike, none; the stated rate is one in a thousand."""
    rng = np.random.default_rng(users)
    known = draw(policy_of(10), even_effects(0.05), n=20_000, seed=0)

    def with_town(features: pd.DataFrame) -> pd.DataFrame:
        town = rng.zipf(1.3, len(features)).clip(max=2_000)
        return features.assign(
            town=town.astype(str), shop=rng.integers(0, 250, len(town)).astype(str)
        )

    then = with_town(known.trial.features)
    model = fit(replace(known.trial, features=then), known.policy, seed=0)
    for seed in range(25):
        assert not drift(model, then, with_town(strangers(seed, users))).warnings


def test_few_users_that_differ_much_are_told_of(learned: tuple[Known, EffectModel]) -> None:
    known, model = learned
    users = strangers(n=50)
    users["thrift"] += 3
    assert "`thrift`" in str(drift(model, known.trial.features, users).warnings[0])


def test_a_shifted_number_is_named(learned: tuple[Known, EffectModel]) -> None:
    known, model = learned
    users = strangers()
    users["thrift"] += 1
    found = drift(model, known.trial.features, users)
    assert found.shifts[0].feature == "thrift"
    assert found.shifts[0].difference == pytest.approx(1, abs=0.1)
    assert "`thrift`" in str(found.warnings[0])
    assert found.effective_share is not None
    assert found.effective_share < 0.6  # exp(-1) = 0.37 for a normal shifted by 1


def test_unseen_levels_and_new_gaps_are_drift(learned: tuple[Known, EffectModel]) -> None:
    known, model = learned
    users = strangers()
    users["region"] = np.where(np.arange(len(users)) % 2, users["region"], "abroad")
    users["age"] = users["age"].where(np.arange(len(users)) % 3 > 0)
    found = drift(model, known.trial.features, users)
    assert [shift.feature for shift in found.shifts[:2]] == ["region", "age"]
    assert found.shifts[0].stability > 0.25
    assert found.shifts[0].difference is None


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5, 0.95, 0.99])
def test_a_flag_that_moves_is_seen_whatever_most_people_have(share: float) -> None:
    before, after = (np.repeat([0, 1], n).astype(np.float32) for n in _ones(share, 0.3))
    whole, _ = stability(before, after, whole=True, alarms=0.001)
    assert stability(before, after, whole=False, alarms=0.001)[0] == pytest.approx(whole, rel=1e-6)


def test_a_feature_that_no_row_looked_at_has_may_fill_up() -> None:
    empty = np.full(1_000, np.nan, dtype=np.float32)
    filled = np.where(np.arange(1_000) % 2, empty, np.float32(1))
    assert stability(empty, filled, whole=False, alarms=0.001)[0] > 1
    assert stability(empty, empty, whole=False, alarms=0.001)[0] == pytest.approx(0)


def _ones(*shares: float) -> list[list[int]]:
    return [[round(10_000 * (1 - share)), round(10_000 * share)] for share in shares]


def test_the_index_is_the_textbook_one() -> None:
    before = np.repeat([0.0, 1.0], [5_000, 5_000]).astype(np.float32)
    after = np.repeat([0.0, 1.0], [8_000, 2_000]).astype(np.float32)
    by_hand = 0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5)
    index, chance = stability(before, after, whole=True, alarms=0.05)
    assert index == pytest.approx(by_hand, rel=1e-3)
    assert chance == pytest.approx(3.841 * 2 / 10_000, rel=1e-3)  # chi-square of one degree
