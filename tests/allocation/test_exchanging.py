"""Selections that exchanges between users end with."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp

from incentive_engine.allocation.integer.exchanges.local_search import trade
from incentive_engine.allocation.integer.programs.cp_sat import Selection, SelectionAnswer
from incentive_engine.allocation.solver_report import Status
from incentive_engine.domain import BoolArray, FloatArray


def selection(
    value: FloatArray,
    usage: FloatArray,
    *,
    lower: tuple[int | None, ...],
    upper: tuple[int | None, ...],
    hint: list[int],
    forced: bool = False,
) -> Selection:
    """Return a selection of users with the same number of pairs.

    Parameters
    ----------
    value
        (N, k).
    usage
        (r, N, k), whole numbers.
    hint
        Each user's pair, −1 for none.
    """
    n, k = value.shape
    return Selection(
        objective=value.ravel(),
        group=np.repeat(np.arange(n), k),
        forced=forced,
        matrix=sp.csr_array(usage.reshape(len(usage), -1).astype(np.int64)),
        lower=lower,
        upper=upper,
        hint=(np.array(hint)[:, None] == np.arange(k)).ravel(),
        elastic=np.full(len(usage), 10.0),
    )


def traded(problem: Selection) -> SelectionAnswer:
    """Return what exchanges end with where limits have no prices."""
    users = len(np.unique(problem.group))
    bound = problem.objective.reshape(users, -1).max(axis=1)
    bound = bound if problem.forced else np.maximum(bound, 0.0)
    return trade(problem, problem.objective, bound=float(bound.sum()), enough=np.inf)


def keeps(problem: Selection, chosen: BoolArray) -> bool:
    """Return whether a selection keeps every bound and has a pair per user at most."""
    used = np.asarray(problem.matrix @ chosen.astype(np.int64))
    each = np.bincount(problem.group[chosen], minlength=problem.group.max() + 1)
    return (
        bool(np.all(each <= 1) and (not problem.forced or np.all(each == 1)))
        and all(x is None or u >= x for u, x in zip(used, problem.lower, strict=True))
        and all(x is None or u <= x for u, x in zip(used, problem.upper, strict=True))
    )


def best_of(problem: Selection) -> float | None:
    """Return what the best selection is worth, by trying all; None where there is none."""
    users = int(problem.group.max()) + 1
    k = len(problem.group) // users
    worth = [
        float(problem.objective[chosen].sum())
        for pick in product(range(0 if problem.forced else -1, k), repeat=users)
        if keeps(problem, chosen := (np.array(pick)[:, None] == np.arange(k)).ravel())
    ]
    return max(worth, default=None)


def test_two_users_give_way_to_a_third() -> None:
    value, usage = np.array([[3.0], [3.0], [7.0]]), np.array([[[5], [5], [10]]])
    problem = selection(value, usage, lower=(None,), upper=(10,), hint=[0, 0, -1])
    assert traded(problem).chosen.tolist() == [False, False, True]


def test_what_breaks_a_bound_is_repaired_at_the_least_loss() -> None:
    value, usage = np.array([[3.0], [4.0], [5.0]]), np.ones((1, 3, 1))
    problem = selection(value, usage, lower=(None,), upper=(2,), hint=[0, 0, 0])
    assert traded(problem).chosen.tolist() == [False, True, True]


def test_a_bound_that_nobody_can_keep_leaves_no_answer() -> None:
    value, usage = np.ones((2, 1)), np.ones((1, 2, 1))
    problem = selection(value, usage, lower=(3,), upper=(None,), hint=[0, 0])
    answer = traded(problem)
    assert answer.status is Status.UNKNOWN
    assert not answer.found


@pytest.mark.parametrize("seed", range(200))
def test_exchanges_between_three_users_end_with_the_best_selection(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k, rows, forced = int(rng.integers(1, 5)), int(rng.integers(1, 4)), bool(rng.random() < 0.3)
    value = rng.normal(1.0, 2.0, (3, k))
    usage = rng.integers(0, 6, (rows, 3, k)) * (rng.random((rows, 3, k)) < 0.7)
    hint = rng.integers(0 if forced else -1, k, 3)
    used = np.where(hint >= 0, np.take_along_axis(usage, hint[None, :, None], 2)[..., 0], 0).sum(1)
    problem = selection(
        value,
        usage.astype(float),
        lower=tuple(int(x) - 1 if rng.random() < 0.3 else None for x in used),
        upper=tuple(int(x) + int(rng.integers(2)) for x in used),
        hint=hint.tolist(),
        forced=forced,
    )
    answer = traded(problem)
    assert keeps(problem, answer.chosen)
    assert problem.objective[answer.chosen].sum() == pytest.approx(best_of(problem), abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_exchanges_between_many_users_keep_all_bounds_and_never_lose(seed: int) -> None:
    rng = np.random.default_rng(seed)
    value = rng.gamma(2.0, 1.0, (60, 4))
    usage = rng.integers(1, 1_000, (6, 60, 4)) * (rng.random((6, 60, 1)) < 0.4)
    hint = rng.integers(-1, 4, 60)
    upper = tuple(int(x) for x in 0.2 * usage.max(axis=2).sum(axis=1))
    broken = selection(
        value, usage.astype(float), lower=(None,) * 6, upper=upper, hint=hint.tolist()
    )
    first = traded(broken)
    assert keeps(broken, first.chosen)
    again = traded(broken)
    assert np.array_equal(first.chosen, again.chosen)
    better = traded(replace(broken, hint=first.chosen))
    assert keeps(broken, better.chosen)
    assert broken.objective[better.chosen].sum() >= broken.objective[first.chosen].sum()
