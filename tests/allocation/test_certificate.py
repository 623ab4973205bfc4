from __future__ import annotations

import json

import numpy as np
import pytest

from incentive_engine.allocation.limits import LinearLimit
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.choosers import choices_at
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import FloatArray, to_micros

from .campaign import campaign
from .problems import draw_solved
from .shuffling import solved_in_both_orders


def usage_of_pairs(problem: Problem, limit: LinearLimit) -> FloatArray:
    """Return (k, n) what each pair uses of a limit, straight from the definition."""
    usage = np.zeros(problem.value.shape)
    for measure, coefficient in limit.terms:
        if measure == "cost":
            part = to_micros(problem.columns[problem.measures.index("cost")]) / 1e6
        elif measure == "issued":
            part = np.ones(problem.value.shape)
        elif measure == "face":
            assert problem.face is not None
            part = np.repeat(problem.face[:, None], problem.n_users, axis=1)
        else:
            part = problem.columns[problem.measures.index(measure)].astype(np.float64)
        usage += coefficient * part
    if limit.cells is not None:
        usage *= limit.cells[problem.cell]
    if limit.offers is not None:
        usage *= limit.offers[:, None]
    return usage


def bound_by_the_formula(problem: Problem, plan: Allocation) -> float:
    score = problem.value.astype(np.float64)
    bound = 0.0
    for limit in problem.enforced:
        price = plan.prices[limit.name]
        if price:
            score = score - price * usage_of_pairs(problem, limit)
            known = limit.at_most if price > 0 else limit.at_least
            assert known is not None, f"{limit.name} has a price of the wrong sign"
            bound += price * known
    best = score.max(axis=0)
    if problem.exactly_one:
        return bound + float(best[best > -np.inf].sum())
    return bound + float(np.maximum(best, 0.0).sum())


def value_of(problem: Problem, plan: Allocation) -> float:
    taken = np.flatnonzero(plan.choice >= 0)
    return float(problem.value[plan.choice[taken], taken].astype(np.float64).sum())


@pytest.fixture(scope="module", params=[np.float32, np.float64])
def solved(request: pytest.FixtureRequest) -> tuple[Problem, Allocation]:
    problem = campaign(20_000, dtype=request.param)
    return problem, solve(problem)


def test_the_bound_is_the_contracts_formula(solved: tuple[Problem, Allocation]) -> None:
    problem, plan = solved
    assert plan.certificate.bound == pytest.approx(bound_by_the_formula(problem, plan), rel=1e-12)


def test_the_value_is_the_sum_of_the_chosen_values(solved: tuple[Problem, Allocation]) -> None:
    problem, plan = solved
    assert plan.certificate.value == pytest.approx(value_of(problem, plan), rel=1e-12)


def test_thirty_limits_of_all_kinds_leave_a_gap_below_a_ten_thousandth(
    solved: tuple[Problem, Allocation],
) -> None:
    problem, plan = solved
    assert len(problem.enforced) == 35
    assert 0 <= plan.certificate.gap <= 1e-4
    assert plan.certificate.feasible


@pytest.mark.parametrize("seed", [2, 7])
def test_so_does_a_problem_that_small_programs_cannot_better(seed: int) -> None:
    certificate = solve(campaign(20_000, seed=seed)).certificate
    assert 0 <= certificate.gap <= 1e-4
    assert certificate.feasible


def test_money_stays_below_each_cap_to_the_millionth(solved: tuple[Problem, Allocation]) -> None:
    problem, plan = solved
    assert plan.cost_micros.sum() <= round(plan.certificate.budget.amount or 0, 2) * 1e6
    for limit in problem.enforced:
        if limit.terms == (("cost", 1.0),) and limit.at_most is not None:
            members = np.ones(problem.n_users, bool)
            if limit.cells is not None:
                members = limit.cells[problem.cell]
            assert int(plan.cost_micros[members].sum()) <= limit.at_most * 1e6


def test_every_entry_states_usage_and_slack(solved: tuple[Problem, Allocation]) -> None:
    problem, plan = solved
    taken = np.flatnonzero(plan.choice >= 0)
    for limit, entry in zip(problem.limits, plan.certificate.limits, strict=True):
        linear = usage_of_pairs(problem, limit)[plan.choice[taken], taken].sum()
        assert entry.usage == pytest.approx(linear, rel=1e-9, abs=1e-6)
        assert entry.slack >= -1e-6


def test_a_ratio_is_reported_as_a_ratio(solved: tuple[Problem, Allocation]) -> None:
    problem, plan = solved
    entry = next(x for x in plan.certificate.limits if x.name == "roi").to_dict()
    taken = np.flatnonzero(plan.choice >= 0)
    spend = problem.columns[1][plan.choice[taken], taken].astype(np.float64).sum()
    ratio = entry["ratio"]
    assert ratio["usage"] == pytest.approx(spend / (plan.cost_micros.sum() / 1e6), rel=1e-9)
    assert ratio["usage"] >= ratio["at_least"]
    assert (entry["at_most"], entry["at_least"]) == (0.0, None)


@pytest.mark.parametrize("seed", range(40))
def test_prices_of_small_problems_prove_their_bounds(seed: int) -> None:
    problem, plan = draw_solved(seed)
    assert plan.certificate.bound == pytest.approx(
        bound_by_the_formula(problem, plan), rel=1e-9, abs=1e-9
    )


def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = (solve(campaign(5_000)) for _ in range(2))
    assert first.choice.tobytes() == second.choice.tobytes()
    assert json.dumps(first.certificate.to_dict()) == json.dumps(second.certificate.to_dict())


@pytest.mark.parametrize("users", [5_000, 60_000])
def test_the_order_of_rows_and_offers_changes_nothing(users: int) -> None:
    problem = campaign(users, k=4)
    rng = np.random.default_rng(1)
    rows, offers = rng.permutation(problem.n_users), rng.permutation(4)
    assert solved_in_both_orders(problem, rows, offers)


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = campaign(60_000)
    plans = []
    for threads in ("1", "3"):
        monkeypatch.setenv("INCENTIVE_THREADS", threads)
        plans.append(solve(problem))
    assert plans[0].choice.tobytes() == plans[1].choice.tobytes()
    assert plans[0].certificate == plans[1].certificate


def test_prices_decide_like_the_plan_but_for_ties() -> None:
    problem = campaign(20_000)
    plan = solve(problem)
    assert np.mean(choices_at(problem, plan.prices) != plan.choice) < 0.005


def test_a_price_that_is_not_named_counts_nothing() -> None:
    problem = campaign(1_000, floors=False)
    assert np.array_equal(
        choices_at(problem, {}),
        np.where(problem.value.max(axis=0) > 0, problem.value.argmax(axis=0), -1),
    )
