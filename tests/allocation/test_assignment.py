from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp

from incentive_engine.allocation import Problem, solve, sum_limit
from incentive_engine.allocation.integer.assignment import assign
from incentive_engine.allocation.integer.bins import assignment_of
from incentive_engine.allocation.integer.cp_sat import Selection, Status
from incentive_engine.allocation.integer.scip import branch
from incentive_engine.domain import BoolArray, IntArray

from .shuffling import solved_in_both_orders


def draw_selection(rng: np.random.Generator, *, n: int, k: int, kind: int) -> Selection:
    """Return users of k offers with a limit each, but for some offers.

    Values are whole numbers, decimals or neither, weights small, decimals' integers or large.
    """
    user, offer = np.repeat(np.arange(n), k), np.tile(np.arange(k), n)
    keep = rng.random(n * k) < 0.85
    keep[::k] = True
    user, offer = user[keep], offer[keep]
    value = rng.normal(20.0, 15.0, len(user))
    value = [np.rint(value), np.round(value, 2), value][kind]
    weight = rng.integers(0, [12, 300, 10**7][kind], len(user))
    limited = np.flatnonzero(rng.random(k) < 0.8)
    rows = np.searchsorted(limited, offer)
    dense = np.zeros((len(limited), len(user)), dtype=np.int64)
    counts = np.flatnonzero(np.isin(offer, limited))
    dense[rows[counts], counts] = weight[counts]
    used = dense.sum(axis=1)
    room = (used * rng.uniform(0.15, 0.6, len(limited))).astype(int)
    return Selection(
        objective=value,
        group=user,
        forced=bool(rng.random() < 0.5),
        matrix=sp.csr_array(dense),
        lower=(None,) * len(limited),
        upper=tuple(room.tolist()),
        hint=np.zeros(len(user), dtype=bool),
        elastic=np.empty(0),
    )


def keeps(selection: Selection, chosen: BoolArray) -> bool:
    """Return whether a selection keeps its limits and has one pair per user, or at most one."""
    count = np.bincount(selection.group[chosen], minlength=int(selection.group.max()) + 1)
    used: IntArray = selection.matrix.toarray() @ chosen.astype(np.int64)
    enough = bool(np.all(count == 1)) if selection.forced else bool(np.all(count <= 1))
    return enough and all(
        x <= most
        for x, most in zip(used.tolist(), selection.upper, strict=True)
        if most is not None
    )


def best_by_brute_force(selection: Selection) -> float:
    """Return the most that a selection can be worth, −inf where none keeps the limits."""
    groups = [np.flatnonzero(selection.group == user) for user in np.unique(selection.group)]
    none = [] if selection.forced else [-1]
    best = -np.inf
    for pairs in product(*([*group.tolist(), *none] for group in groups)):
        chosen = np.zeros(len(selection.group), dtype=bool)
        chosen[[pair for pair in pairs if pair >= 0]] = True
        if keeps(selection, chosen):
            best = max(best, float(selection.objective[chosen].sum()))
    return best


@pytest.mark.parametrize("seed", range(60))
def test_the_best_assignment_of_few_users_equals_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 6)), int(rng.integers(2, 5))
    selection = draw_selection(rng, n=n, k=k, kind=seed % 3)
    best = best_by_brute_force(selection)
    answer = assign(selection, effort=0.5)
    if assignment_of(selection) is None or best == -np.inf:
        assert not answer.found
        return
    assert answer.bound >= best - 1e-9
    assert answer.status is Status.OPTIMAL
    assert keeps(selection, answer.chosen)
    assert selection.objective[answer.chosen].sum() == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("kind", range(3))
@pytest.mark.parametrize("seed", range(4))
def test_the_best_assignment_of_more_users_agrees_with_another_solver(
    seed: int, kind: int
) -> None:
    rng = np.random.default_rng([seed, kind])
    selection = draw_selection(rng, n=25, k=4, kind=kind)
    answer, other = assign(selection, effort=2.0), branch(selection, nodes=100_000, enough=np.inf)
    assert answer.found == other.found
    if other.found:
        value = float(selection.objective[answer.chosen].sum())
        known = float(selection.objective[other.chosen].sum())
        assert keeps(selection, answer.chosen)
        assert value <= known + 1e-6 * abs(known) <= answer.bound + 2e-6 * abs(known)
        assert answer.bound - value <= 2e-3 * abs(value)


def test_the_bound_holds_where_little_effort_proves_nothing() -> None:
    selection = draw_selection(np.random.default_rng(5), n=60, k=6, kind=0)
    quick, long = assign(selection, effort=0.01), assign(selection, effort=3.0)
    assert long.status is Status.OPTIMAL
    assert quick.bound >= selection.objective[long.chosen].sum()


def test_limits_of_another_form_are_left_to_other_solvers() -> None:
    selection = draw_selection(np.random.default_rng(0), n=8, k=4, kind=0)
    assert assignment_of(selection) is not None
    rows = len(selection.lower)
    everyone = sp.csr_array(np.ones((1, len(selection.group)), dtype=np.int64))
    matrix = sp.csr_array(sp.vstack([selection.matrix, everyone]))
    shared = replace(
        selection, matrix=matrix, lower=(None,) * (rows + 1), upper=(*selection.upper, 3)
    )
    floors = replace(selection, lower=(1, *selection.lower[1:]))
    negative = replace(selection, matrix=-selection.matrix, upper=(-1,) * rows)
    for other in (shared, floors, negative):
        assert assignment_of(other) is None
        assert assign(other, effort=1.0).status is Status.UNKNOWN
    loose = replace(shared, upper=(*selection.upper, len(selection.group)))
    assert assignment_of(loose) is not None


def tight_assignment(seed: int, *, n: int, k: int) -> Problem:
    """Return users who all get an offer of a tight budget each; what costs less is worth less.

    References
    ----------
    Martello and Toth, "Knapsack Problems" (1990), §7.5: class D.
    """
    rng = np.random.default_rng(seed)
    used = rng.integers(1, 101, (k, n)).astype(float)
    worth = used - 111.0 - rng.integers(-10, 11, (k, n))
    return Problem(
        offers=tuple(f"o{j}" for j in range(k)),
        value=worth,
        measures=("used",),
        columns=used[None],
        limits=tuple(
            sum_limit(f"room {j}", "used", at_most=float(room), offers=np.arange(k) == j)
            for j, room in enumerate((0.8 * used.sum(axis=1) / k).astype(int))
        ),
        exactly_one=True,
    )


def test_a_tight_assignment_is_solved_within_a_thousandth() -> None:
    certificate = solve(tight_assignment(1, n=60, k=6)).certificate
    bound = certificate.solver["solver_bound"]
    assert certificate.feasible
    assert 0 <= bound - certificate.value <= 1e-3 * abs(bound)


def test_the_order_of_users_and_offers_changes_no_assignment() -> None:
    rng = np.random.default_rng(3)
    problem = tight_assignment(2, n=40, k=5)
    assert solved_in_both_orders(problem, rng.permutation(40), rng.permutation(5))
