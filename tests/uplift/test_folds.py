from __future__ import annotations

import numpy as np
import pandas as pd

from incentive_engine.uplift.crossfit import draw_folds


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
