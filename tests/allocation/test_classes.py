"""Users who are alike share a column of the linear program, and split its answer among them."""

import numpy as np
import pytest

from incentive_engine.allocation.dual.core import build_core
from incentive_engine.allocation.dual.near_tie_model import classes_of
from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.limit_maps import rows_of
from incentive_engine.allocation.problem import Problem


@pytest.mark.parametrize("seed", range(5))
def test_what_a_class_takes_is_spread_over_its_users_and_splits_few(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 4, 60)
    value = rng.random((3, 4))[:, kinds]
    cost = rng.random((3, 4))[:, kinds]
    problem = Problem(
        offers=("a", "b", "c"),
        value=value,
        measures=("cost", "spend"),  # no limit counts the spend, in which all users differ
        columns=np.stack([cost, rng.random((3, 60))]),
        limits=(sum_limit("budget", "cost", at_most=1.0),),
    )
    users = users_of(problem)
    rows = rows_of(problem, users, problem.limits)
    index = np.argsort(users.key)
    core = build_core(users, rows, index, prices=np.zeros(1))
    classes = classes_of(core, rows.counted(users.shape))
    assert sorted(classes.count) == sorted(np.bincount(kinds))
    taken = classes.count[classes.group] * rng.random(len(classes.pair)) / 3
    shares = classes.spread(taken)
    again = np.bincount(classes.like, weights=shares, minlength=len(taken))
    assert again == pytest.approx(taken)
    assert np.bincount(core.user, weights=shares).max() <= 1 + 1e-12
    split = np.unique(core.user[(shares > 1e-9) & (shares < 1 - 1e-9)])
    assert len(split) <= len(taken)
    assert core.value == pytest.approx(core.value[classes.pair][classes.like])
