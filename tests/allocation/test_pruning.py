"""Offers that bring nothing stay only where a limit needs them."""

from __future__ import annotations

import numpy as np
import pytest

from incentive_engine.allocation.integer.draft import CandidatePlan
from incentive_engine.allocation.integer.pruning import drop_useless
from incentive_engine.allocation.limits import LinearLimit, ratio_limits, sum_limit
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.limit_maps import LimitRows, rows_of
from incentive_engine.allocation.population.population import Users
from incentive_engine.allocation.population.sweep import tally
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import BoolArray, FloatArray

USERS, CELLS = 6_000, 40


def everyone_served(
    *limits: LinearLimit, worth: float
) -> tuple[Users, LimitRows, CandidatePlan, FloatArray]:
    """Return a plan in which everybody has an offer, of different costs and worth little."""
    rng = np.random.default_rng(3)
    value = np.where(rng.random((1, USERS)) < 0.1, 1.0, worth * rng.random((1, USERS)))
    cost = rng.gamma(2.0, 2.0, (1, USERS))
    problem = Problem(
        offers=("a",),
        value=value,
        measures=("cost", "spend"),
        columns=np.stack([cost, cost * rng.lognormal(0.0, 1.0, (1, USERS))]),
        cell=rng.integers(0, CELLS, USERS).astype(np.uint16),
        n_cells=CELLS,
        limits=limits,
    )
    users = users_of(problem)
    rows = rows_of(problem, users, problem.enforced)
    choice = np.zeros(USERS, dtype=np.int16)
    plan = CandidatePlan(price=None, index=np.arange(USERS), to=choice, table=tally(users, choice))
    return users, rows, plan, value[0]


def cell(number: int) -> BoolArray:
    return np.asarray(np.arange(CELLS) == number, dtype=bool)


FLOORS = tuple(
    sum_limit(f"floor {c}", "cost", at_least=300.0 + 5 * c, cells=cell(c)) for c in range(CELLS)
)
CASES = {
    "no limit": (),
    "one floor": (sum_limit("floor", "cost", at_least=15_000.0),),
    "a floor per cell": FLOORS,
    "floors and a count": (*FLOORS, sum_limit("reach", "issued", at_least=4_500.0)),
    "a return": (
        sum_limit("floor", "cost", at_least=9_000.0),
        *ratio_limits("roi", ("spend", "cost"), at_least=1.6),
    ),
}


@pytest.mark.parametrize("worth", [0.0, -1.0])
@pytest.mark.parametrize("name", CASES)
def test_no_offer_is_left_that_could_go_alone(name: str, worth: float) -> None:
    users, rows, plan, value = everyone_served(*CASES[name], worth=worth)
    assert not rows.excess(plan.table).any()
    kept = drop_useless(users, rows, plan)
    assert not rows.excess(kept.table).any()
    assert kept.table.value >= plan.table.value
    choice = kept.everybody(users)
    assert np.all(choice[value > 0] == 0)
    left = np.flatnonzero((choice >= 0) & (value <= 0))
    assert len(left) < np.count_nonzero(value <= 0)
    assert (len(left) > 1_000) == bool(CASES[name])
    for user in left[::10].tolist():
        one = np.array([user])
        less = kept.changed(users.take(one), one, np.full(1, -1, dtype=np.int16))
        assert rows.excess(less.table).any()
