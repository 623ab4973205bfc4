"""What holds for problems of any size and scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from incentive_engine.allocation.limits import LinearLimit
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import FloatArray, to_micros

from .shuffling import solved, solved_in_both_orders
from .wild import draw_wild

SEEDS = st.integers(0, 2**32 - 1)
RELATIVE = 1e-9


def used_by(problem: Problem, plan: Allocation, limit: LinearLimit) -> tuple[float, float]:
    """Return what a plan uses of a limit, and the absolute amounts that were added."""
    taken = np.flatnonzero(plan.choice >= 0)
    offer = plan.choice[taken]
    counts = np.ones(len(taken), dtype=bool)
    if limit.cells is not None:
        counts &= limit.cells[problem.cell[taken]]
    if limit.offers is not None:
        counts &= limit.offers[offer]
    amounts = np.zeros(len(taken))
    gross = np.zeros(len(taken))
    for measure, coefficient in limit.terms:
        part = coefficient * _amounts(problem, measure)[offer, taken]
        amounts += part
        gross += np.abs(part)
    return float(amounts[counts].sum()), float(gross[counts].sum())


def _amounts(problem: Problem, measure: str) -> FloatArray:
    if measure == "issued":
        return np.ones(problem.value.shape)
    if measure == "face":
        assert problem.face is not None
        return np.broadcast_to(to_micros(problem.face)[:, None] / 1e6, problem.value.shape)
    column = problem.columns[problem.measures.index(measure)].astype(np.float64)
    return to_micros(column) / 1e6 if measure == "cost" else column


@settings(max_examples=40)
@given(seed=SEEDS)
def test_a_plan_keeps_its_limits_and_is_worth_at_most_the_bound(seed: int) -> None:
    problem = draw_wild(seed)
    if plan := solved(problem):
        taken = np.flatnonzero(plan.choice >= 0)
        value = problem.value[plan.choice[taken], taken].astype(np.float64)
        certificate = plan.certificate
        assert np.all(value > -np.inf)
        assert abs(certificate.value - value.sum()) <= RELATIVE * np.abs(value).sum()
        assert certificate.bound >= certificate.value
        assert not problem.exactly_one or len(taken) == problem.n_users
        for limit in problem.enforced:
            usage, gross = used_by(problem, plan, limit)
            room = 2.0 * RELATIVE * max(gross, 1e-3)
            assert limit.at_most is None or usage <= limit.at_most + room
            assert limit.at_least is None or usage >= limit.at_least - room


@settings(max_examples=15)
@given(seed=SEEDS, more=st.floats(1.0, 5.0))
def test_more_room_never_lowers_what_is_possible(seed: int, more: float) -> None:
    problem = draw_wild(seed)
    if plan := solved(problem):
        wider = tuple(
            x if x.at_most is None or x.ratio else replace(x, at_most=x.at_most * more)
            for x in problem.limits
        )
        bound = solve(replace(problem, limits=wider)).certificate.bound
        assert bound >= plan.certificate.bound - RELATIVE * _size(problem)


@settings(max_examples=10)
@given(seed=SEEDS)
def test_a_limit_less_never_lowers_what_is_possible(seed: int) -> None:
    problem = draw_wild(seed)
    if plan := solved(problem):
        for limit in problem.limits[:4]:
            fewer = tuple(x for x in problem.limits if x is not limit)
            bound = solve(replace(problem, limits=fewer)).certificate.bound
            assert bound >= plan.certificate.bound - RELATIVE * _size(problem)


def _size(problem: Problem) -> float:
    value = np.where(problem.value > -np.inf, np.abs(problem.value), 0)
    return float(value.max(axis=0).sum(dtype=np.float64))


@settings(max_examples=15)
@given(seed=SEEDS)
def test_the_order_of_users_offers_and_limits_changes_nothing(seed: int) -> None:
    problem = draw_wild(seed)
    rng = np.random.default_rng(seed)
    problem = replace(problem, key=rng.permutation(problem.n_users).astype(np.uint64))
    users, offers = rng.permutation(problem.n_users), rng.permutation(len(problem.offers))
    solved_in_both_orders(problem, users, offers)


@settings(max_examples=15)
@given(seed=SEEDS, power=st.integers(1, 8))
def test_counting_money_in_a_smaller_unit_lowers_prices_and_no_bound(
    seed: int, power: int
) -> None:
    problem = draw_wild(seed)
    unit = 2.0**power  # changes no digit of a float
    cost = to_micros(problem.columns[0].astype(np.float64)) / 1e6
    columns = np.stack([cost, problem.columns[1].astype(np.float64)])
    limits = tuple(x for x in problem.limits if not x.ratio)
    base = replace(problem, value=problem.value.astype(np.float64), columns=columns, limits=limits)
    scaled = replace(
        base,
        columns=columns * np.array([unit, 1.0])[:, None, None],
        limits=tuple(_scaled(x, unit) if x.terms[0][0] == "cost" else x for x in limits),
    )
    plain, other = solved(base), solved(scaled)
    if plain and other:
        room = RELATIVE * _size(problem)
        assert abs(plain.certificate.bound - other.certificate.bound) <= room


def _scaled(limit: LinearLimit, unit: float) -> LinearLimit:
    low, high = limit.at_least, limit.at_most
    return replace(
        limit,
        at_least=None if low is None else low * unit,
        at_most=None if high is None else high * unit,
    )
