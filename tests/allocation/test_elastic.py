"""The least relaxation of limits that cannot hold, against one linear program of everybody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import linprog

from incentive_engine.allocation.infeasible.conflict import conflict, relax
from incentive_engine.allocation.limits import LinearLimit, ratio_limits, sum_limit
from incentive_engine.allocation.params import PLAN
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.limit_maps import LimitRows, rows_of
from incentive_engine.allocation.population.population import Users
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import to_micros

USERS, OFFERS = 300, 8


def draw_impossible(seed: int) -> Problem:
    """Return floors, caps, stocks and ratios that ask for more than there is."""
    rng = np.random.default_rng(seed)
    cells = int(rng.choice([1, 6, 40]))
    cost, spend = rng.gamma(2.0, 2.0, (OFFERS, USERS)), rng.gamma(2.0, 3.0, (OFFERS, USERS))
    if rng.random() < 0.5:
        cost, spend = np.round(cost) + 1, np.round(spend)
    value = rng.normal(1.0, 1.0, (OFFERS, USERS))
    value[rng.random(value.shape) < 0.2] = -np.inf
    value[0] = 1.0
    money = float(rng.uniform(0.05, 0.3)) * USERS * 5.0
    limits: list[LinearLimit] = [sum_limit("budget", "cost", at_most=round(money, 2))]
    for r in range(4):
        own, amount = np.arange(cells) % 4 == r % cells, float(rng.uniform(0.1, 0.5)) * money
        if rng.random() < 0.7:
            limits.append(sum_limit(f"floor {r}", "cost", at_least=round(amount, 2), cells=own))
        if rng.random() < 0.4:
            limits.append(sum_limit(f"cap {r}", "cost", at_most=round(amount, 2), cells=own))
    for j in range(4):
        own, count = np.arange(OFFERS) == j, float(rng.integers(USERS // 2))
        if rng.random() < 0.5:
            limits.append(sum_limit(f"count {j}", "issued", offers=own, at_least=count))
        else:
            limits.append(sum_limit(f"count {j}", "issued", offers=own, at_most=count))
    if rng.random() < 0.6:
        limits += ratio_limits("roi", ("spend", "cost"), at_least=round(rng.uniform(1.5, 6), 1))
    return Problem(
        offers=tuple(f"o{j}" for j in range(OFFERS)),
        value=value,
        measures=("cost", "spend"),
        columns=np.stack([cost, spend]),
        cell=rng.integers(0, cells, USERS).astype(np.uint16),
        n_cells=cells,
        limits=tuple(limits),
        exactly_one=bool(rng.random() < 0.4),
    )


def least_by_one_program(problem: Problem, limits: Sequence[LinearLimit]) -> float:
    """Return the least excess, in parts of bounds, by a program with a variable per pair."""
    offer, user = np.nonzero(problem.value > -np.inf)
    pairs = len(user)
    once = np.zeros((USERS, pairs))
    once[user, np.arange(pairs)] = 1.0
    rows, bounds = [], []
    for limit in limits:
        used = np.zeros(pairs)
        for name, coefficient in limit.terms:
            amount = np.ones(pairs)
            if name != "issued":
                amount = problem.columns[problem.measures.index(name), offer, user]
            used += coefficient * (to_micros(amount) / 1e6 if name == "cost" else amount)
        if limit.cells is not None:
            used *= limit.cells[problem.cell[user]]
        if limit.offers is not None:
            used *= limit.offers[offer]
        size = max(abs(limit.at_most or 0.0), abs(limit.at_least or 0.0)) or 1.0
        for bound, sign in ((limit.at_most, 1.0), (limit.at_least, -1.0)):
            if bound is not None:
                rows.append(sign * used / size)
                bounds.append(sign * bound / size)
    slack = np.zeros((len(rows) + USERS, len(rows)))
    slack[USERS:] = -np.eye(len(rows))
    matrix = np.hstack([np.vstack([once, *rows]), slack])
    cost, one = np.concatenate([np.zeros(pairs), np.ones(len(rows))]), np.ones(USERS)
    if problem.exactly_one:
        answer = linprog(
            cost, A_ub=matrix[USERS:], b_ub=bounds, A_eq=matrix[:USERS], b_eq=one, method="highs"
        )
    else:
        answer = linprog(cost, A_ub=matrix, b_ub=[*one, *bounds], method="highs")
    assert answer.fun is not None
    return float(answer.fun)


def prepared(seed: int) -> tuple[Problem, Users, LimitRows]:
    problem = draw_impossible(seed)
    users = users_of(problem)
    return problem, users, rows_of(problem, users, problem.enforced)


@pytest.mark.parametrize("seed", range(25))
def test_limits_give_way_by_the_least_that_one_program_of_everybody_finds(seed: int) -> None:
    problem, users, rows = prepared(seed)
    least = least_by_one_program(problem, problem.limits)
    relaxation = relax(users, rows)
    total = float(np.abs(relaxation.amounts / rows.sizes_of_bounds()).sum())
    assert relaxation.needed == (least > 1e-6)
    assert total == pytest.approx(least, rel=PLAN.relaxation.gap, abs=1e-6)


@pytest.mark.parametrize("seed", range(25))
def test_the_conflict_cannot_hold_and_does_without_any_of_its_limits(seed: int) -> None:
    problem, users, rows = prepared(seed)
    relaxation = relax(users, rows)
    if not relaxation.needed:
        return
    members = [rows.limits[i] for i in conflict(users, rows, relaxation).rows]
    assert least_by_one_program(problem, members) > 1e-7
    for one in members:
        others = [limit for limit in members if limit is not one]
        assert not others or least_by_one_program(problem, others) < 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_the_sums_of_a_relaxation_are_those_that_its_amounts_allow(seed: int) -> None:
    _, users, rows = prepared(seed)
    relaxation = relax(users, rows)
    used = rows.usage(relaxation.table)
    counted = np.diff(rows.matrix.indptr) * (rows.unit == 1.0)
    room = 1e-5 * rows.sizes_of_bounds() + 0.5 * counted  # split users are counted as whole ones
    assert np.all(used <= rows.upper + np.maximum(relaxation.amounts, 0.0) + room)
    assert np.all(used >= rows.lower + np.minimum(relaxation.amounts, 0.0) - room)
