"""Prices that follow a campaign: up when too many come, down when too few do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.pacing.foresight import foresight
from incentive_engine.allocation.pacing.pacer import Moment, Pacer, PacingParams, WarmStart
from incentive_engine.allocation.pacing.room import Bounds, Hold, room
from incentive_engine.allocation.pacing.volume import volume
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.choosers import Choosers
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import BudgetPool, Problem
from incentive_engine.domain import COST, ISSUED
from incentive_engine.errors import ConfigError

N, BUDGET = 4000, 900.0


@pytest.fixture(scope="module")
def problem() -> Problem:
    rng = np.random.default_rng(1)
    cost = np.round(rng.lognormal(0.0, 0.4, (2, N)) * np.array([[0.5], [1.5]]), 6)
    taste = rng.lognormal(0.0, 0.6, N) * rng.lognormal(0.0, 0.3, (2, N))
    return Problem(
        offers=("small", "large"),
        value=taste * np.array([[0.6], [1.2]]),
        measures=(COST,),
        columns=cost[None],
        cell=np.zeros(N, dtype=np.uint16),
        n_cells=1,
        limits=(
            sum_limit("budget", COST, at_most=BUDGET),
            sum_limit("floor", ISSUED, at_least=300.0, offers=np.array([True, False])),
        ),
        pool=BudgetPool(amount=BUDGET),
    )


@pytest.fixture(scope="module")
def plan(problem: Problem) -> Allocation:
    return solve(problem)


def _halfway(*, came: int, budget: float, floor: float = 0.0) -> Moment:
    """Return noon of a day of which half was forecast by then."""
    seen = np.arange(N) < min(came, N)
    left = {
        "budget": Bounds(at_least=None, at_most=budget),
        "floor": Bounds(at_least=floor, at_most=None),
    }
    return Moment(seen=seen, came=[0, came], shares=[0.0, 0.5], left=left, taken={"budget": 0.0})


def _repriced(problem: Problem, plan: Allocation, moment: Moment) -> Mapping[str, float]:
    return Pacer(Choosers.of(problem), forecast=N).reprice(moment, plan.prices).prices


def test_a_day_that_comes_as_forecast_keeps_the_prices_of_the_plan(
    problem: Problem, plan: Allocation
) -> None:
    moment = _halfway(came=N // 2, budget=BUDGET / 2, floor=150.0)
    prices = _repriced(problem, plan, moment)
    assert prices["budget"] == pytest.approx(plan.prices["budget"], rel=0.1)


def test_money_that_runs_low_costs_more_and_money_that_stays_costs_less(
    problem: Problem, plan: Allocation
) -> None:
    for budget, dearer in ((BUDGET / 4, True), (0.8 * BUDGET, False)):
        moment = _halfway(came=N // 2, budget=budget)
        assert (_repriced(problem, plan, moment)["budget"] > plan.prices["budget"]) == dearer


def test_more_users_than_forecast_make_money_dearer(problem: Problem, plan: Allocation) -> None:
    usual = _repriced(problem, plan, _halfway(came=2000, budget=BUDGET / 2))
    crowded = _repriced(problem, plan, _halfway(came=3000, budget=BUDGET / 2))
    assert crowded["budget"] > usual["budget"]


def test_users_who_take_more_than_foreseen_make_money_dearer(
    problem: Problem, plan: Allocation
) -> None:
    prices = {}
    for taken in (1.0, 2.0):
        pacer = Pacer(Choosers.of(problem), forecast=N, params=PacingParams(believed=100))
        first = _halfway(came=1000, budget=600.0)
        now = pacer.reprice(first, plan.prices)
        came = Moment(
            seen=np.arange(N) < 1500,
            came=[0, 1000, 1500],
            shares=[0.0, 0.5, 0.55],
            left={"budget": Bounds(at_least=None, at_most=500.0)},
            taken={"budget": 100.0 * taken},
        )
        prices[taken] = pacer.reprice(came, now.prices, now.memory).prices["budget"]
    assert prices[2.0] > prices[1.0]


def test_users_who_always_take_twice_as_much_as_planned_are_known_to_take_twice_as_much(
    problem: Problem, plan: Allocation
) -> None:
    choosers, each, steps = Choosers.of(problem), 500, 6
    pacer = Pacer(choosers, forecast=N, params=PacingParams(believed=100))
    prices, memory, taken = plan.prices, WarmStart(), 0.0
    for step in range(1, steps + 1):
        came = [here * each for here in range(step + 1)]
        moment = Moment(
            seen=np.arange(N) < came[-1],
            came=came,
            shares=[here / N for here in came],
            left={
                "budget": Bounds(at_least=None, at_most=BUDGET - taken),
                "floor": Bounds(at_least=0.0, at_most=None),
            },
            taken={"budget": taken},
        )
        solved = pacer.reprice(moment, prices, memory)
        prices, memory = solved.prices, solved.memory
        here = np.arange(came[-1], came[-1] + each)
        choice = choosers.at(prices)[here]
        costs = problem.columns[0][choice.clip(0), here]
        taken += 2 * float(costs[choice >= 0].sum())
    assert memory.thirst["budget"] == pytest.approx(2.0, rel=0.15)


def test_a_floor_that_those_to_come_cannot_reach_does_not_stop_the_campaign(
    problem: Problem, plan: Allocation
) -> None:
    moment = _halfway(came=3900, budget=BUDGET / 2, floor=5000.0)
    prices = _repriced(problem, plan, moment)
    assert all(np.isfinite(price) for price in prices.values())


def test_prices_stay_when_nobody_is_left_to_come(problem: Problem, plan: Allocation) -> None:
    done = Moment(
        seen=np.ones(N, dtype=np.bool_), came=[0, N], shares=[0.0, 1.0], left={}, taken={}
    )
    assert _repriced(problem, plan, done) == pytest.approx(dict(plan.prices))


def test_a_rush_of_minutes_is_not_taken_for_the_volume_of_the_day() -> None:
    shares = [0.0, 0.05, 0.1, 0.2, 0.3, 0.4]
    rush = [0, 300, 350, 450, 550, 650]
    assert volume(rush, shares, forecast=1000) == pytest.approx(1.0)
    more = [round(1300 * share) for share in shares]
    grown = volume(more, shares, forecast=1000)
    assert grown == pytest.approx(1.3 ** np.sqrt(0.4))


def test_knobs_out_of_their_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="believed"):
        PacingParams(believed=0.0)
    with pytest.raises(ConfigError, match="least"):
        PacingParams(least=2.0)
    with pytest.raises(ConfigError, match=r"users: it is 1500\.5, expected a whole number"):
        PacingParams(users=1500.5)  # type: ignore[arg-type]


def test_between_two_solves_prices_give_way_to_what_is_taken_faster_than_the_day_allows(
    problem: Problem, plan: Allocation
) -> None:
    pacer = Pacer(Choosers.of(problem), forecast=N, params=PacingParams(gain=4.0))
    solved = pacer.reprice(_halfway(came=N // 2, budget=400.0), plan.prices)
    prices = {}
    for taken in (0.0, 40.0, 200.0):
        later = Moment(
            seen=np.zeros(N, dtype=np.bool_),
            came=[0, N // 2],
            shares=[0.0, 0.55],
            left={},
            taken={"budget": taken},
        )
        prices[taken] = pacer.give_way(solved.memory, moment=later)["budget"]
    assert prices[0.0] < prices[40.0] < prices[200.0]
    assert prices[40.0] == pytest.approx(solved.prices["budget"])


def test_what_comes_back_may_be_taken_again() -> None:
    """Faces of which a quarter is redeemed; nothing comes back of what is reserved too late."""
    ages, coming = np.linspace(0, 1, 5), np.linspace(0, 0.1, 5)
    early = Hold(stays=0.25, chance=0.25, ages=ages, coming=coming, late=0.0)
    late = Hold(stays=0.25, chance=0.25, ages=ages, coming=coming, late=1.0)
    assert min(room(100.0, settled=0.0, reserved=0.0, hold=early)) == pytest.approx(400.0)
    assert min(room(100.0, settled=0.0, reserved=0.0, hold=late)) == pytest.approx(100.0)
    assert min(room(100.0, settled=0.0, reserved=100.0, hold=early)) < 400.0
    assert min(room(100.0, settled=120.0, reserved=0.0, hold=early)) == 0.0


def test_what_is_open_of_expected_costs_is_less_than_it_holds() -> None:
    """Who redeems leaves early; those who still hold something redeem it more rarely."""
    rng = np.random.default_rng(3)
    n, chance, hold = 200_000, 0.25, 1.0
    redeemed, moment, age = rng.random(n) < chance, rng.random(n), rng.random(n)
    is_open = ~redeemed | (moment > age)
    settled_later = redeemed & is_open
    terms = Hold(stays=1.0, chance=chance, ages=np.zeros(0), coming=np.zeros(0), late=0.0)
    cap, held = 1e6, chance * is_open.sum() * hold
    left = min(room(cap, settled=0.0, reserved=held, hold=terms))
    assert cap - left == pytest.approx(settled_later.sum(), rel=0.02)


def test_a_rush_leaves_no_more_than_fits_before_the_first_comes_back() -> None:
    ages, coming = np.linspace(0, 1, 5), np.linspace(0, 0.9, 5)
    rush = Hold(stays=0.25, chance=0.25, ages=ages, coming=coming, late=0.0)
    assert min(room(100.0, settled=0.0, reserved=0.0, hold=rush)) == pytest.approx(100.0 / 0.9)


def test_the_plan_itself_is_perfect_foresight_and_worse_choices_are_told(
    problem: Problem, plan: Allocation
) -> None:
    choosers, everybody = Choosers.of(problem), np.arange(N)
    best = choosers.at(plan.prices)
    share = foresight(choosers, everybody, best, plan.prices)
    assert share is not None
    assert share == pytest.approx(1.0, abs=1e-3)
    assert share <= 1.0
    anything = np.random.default_rng(2).permutation(best)
    worse = foresight(choosers, everybody, anything, plan.prices)
    assert worse is not None
    assert worse < 0.9
    assert foresight(choosers, everybody[:0], best[:0], plan.prices) is None
