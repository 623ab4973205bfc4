from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from incentive_engine.errors import DataError
from incentive_engine.uplift.crossfit import draw_folds
from incentive_engine.uplift.model import fit

from .trials import draw, even_effects, policy_of


def test_every_row_stands_in_exactly_one_fold() -> None:
    folds = draw_folds(pd.Series(range(101)), count=4, rng=np.random.default_rng(0))
    inside = np.concatenate([inside for _, inside in folds])
    assert sorted(inside) == list(range(101))
    assert all(len(np.intersect1d(outside, inside)) == 0 for outside, inside in folds)
    assert {len(inside) for _, inside in folds} == {25, 26}


def test_rows_of_one_person_share_a_fold() -> None:
    person = pd.Series(np.arange(60) % 20)
    folds = draw_folds(person, count=5, rng=np.random.default_rng(1))
    assert pd.Series(folds.label).groupby(person).nunique().max() == 1


def test_the_same_seed_deals_the_same_folds() -> None:
    first, second = (
        draw_folds(pd.Series(range(50)), count=5, rng=np.random.default_rng(3)) for _ in range(2)
    )
    assert np.array_equal(first.label, second.label)


@pytest.mark.parametrize(
    ("of", "message"),
    [
        ("arm", "rows of `off10` belong to 1 users, all in one fold, expected an arm"),
        ("conversion", "conversions belong to 1 users, all in one fold"),
    ],
)
def test_what_cannot_be_learned_outside_one_fold_is_refused_by_name(of: str, message: str) -> None:
    known = draw(policy_of(10, 20), even_effects(0.02, 0.04), n=1500, seed=3)
    same = known.trial.arm == 1 if of == "arm" else known.trial.conversion > 0
    ids = pd.Series(np.where(same, -1, np.arange(1500)))
    with pytest.raises(DataError, match="look for rows that share a user_id") as caught:
        fit(replace(known.trial, user_id=ids), known.policy, seed=1)
    assert message in str(caught.value)
