from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from incentive_engine.config.schedule.campaign import Calendar
from incentive_engine.domain import ChoiceArray
from incentive_engine.simulation.market.settlement import PotentialOutcomes
from incentive_engine.simulation.market.traffic import Arrivals
from incentive_engine.simulation.strategy.planning import Situation
from incentive_engine.simulation.strategy.strategies import first_come
from incentive_engine.simulation.strategy.waves import Schedule, run, schedule

from .situations import situation

N = 10


def calendar(**changes: Any) -> Calendar:
    waves = [
        {"name": "one", "start": "2026-10-20 00:00", "end": "2026-10-20 10:00", "share": 0.5},
        {"name": "two", "start": "2026-10-21 00:00", "end": "2026-10-21 10:00", "share": 0.5},
    ]
    waves[0] |= changes.pop("first", {})
    return Calendar.model_validate({"waves": waves, "redemption_hours": 1.0, **changes})


class Knowing:
    """Stands for a planner: remembers what it was told at each wave."""

    def __init__(self) -> None:
        self.factors: list[float] = []

    def after(self, issued: ChoiceArray, gone: Any, *, cost_factor: float) -> "Knowing":
        assert issued[gone].max() >= -1
        self.factors.append(cost_factor)
        return self


def arrived() -> Arrivals:
    hour = np.concatenate([np.arange(5.0), 24 + np.arange(5.0)])
    return Arrivals(wave=np.repeat([0, 1], 5), hour=hour, order=np.arange(N))


def everybody_pays(amount: float) -> PotentialOutcomes:
    cost = np.column_stack([np.zeros(N), np.full(N, amount)])
    return PotentialOutcomes(conversion=np.ones((N, 2)), spend=np.ones((N, 2)), cost=cost)


def start(budget: float, planner: Knowing | None = None) -> Situation:
    one = situation(gain=np.ones((N, 1)), charge=np.ones((N, 1)), face=[1.0], budget=budget)
    return replace(one, planner=planner or Knowing())  # type: ignore[arg-type]


def times(one: Calendar, delay: float = 0.5) -> Schedule:
    return schedule(arrived(), one, np.full(N, delay))


def course(one: Calendar, budget: float, pays: float, planner: Knowing | None = None) -> Any:
    outcomes = everybody_pays(pays)
    return run(
        first_come,
        start(budget, planner),
        calendar=one,
        times=times(one),
        outcomes=outcomes,
        would=outcomes,
    )


def test_offers_go_to_those_who_come_first_and_stay_with_them() -> None:
    went = course(calendar(), budget=4.0, pays=1.0)
    assert went.choice.tolist() == [0, 0, 0, 0] + [-1] * 6
    assert went.waves[0].came == 5
    assert went.waves[1].treated == 0
    assert went.dry_after == 3.0


def test_money_that_was_not_redeemed_is_planned_again() -> None:
    # the forecast said 1 each and nobody redeemed; 50 prior redemptions hold the factor near 1
    went = course(calendar(), budget=7.0, pays=0.0)
    assert went.choice.tolist() == [0] * N
    once = course(calendar(replan=False), budget=7.0, pays=0.0)
    assert once.choice.tolist() == [0] * 7 + [-1] * 3


def test_a_plan_that_pays_more_than_forecast_is_cut_before_the_pool_overflows() -> None:
    went = course(calendar(replan=False), budget=8.0, pays=1.6)
    # the first five are redeemed for 8: nothing is left, whatever the plan said
    assert went.choice.tolist() == [0] * 5 + [-1] * 5
    assert went.waves[1].turned_away == 3


def test_the_plan_learns_how_redemption_differs_from_the_forecast() -> None:
    planner = Knowing()
    course(calendar(), budget=20.0, pays=1.6, planner=planner)
    assert planner.factors[0] == pytest.approx((8 + 50) / (5 + 50), abs=0.01)


def test_a_release_holds_money_back_for_later_waves() -> None:
    went = course(calendar(first={"release": 0.4}), budget=5.5, pays=1.0)
    assert went.choice.tolist() == [0, 0, -1, -1, -1, 0, 0, 0, -1, -1]
    assert went.waves[0].turned_away == 3


def test_offers_lapse_when_redeemed_too_late() -> None:
    one = calendar(first={"valid_hours": 0.25})
    assert times(one).lapses.tolist() == [True] * 5 + [False] * 5
    assert times(one).lapse_chance[0] == pytest.approx(np.exp(-0.25))


def test_a_pre_sale_is_redeemed_from_the_opening_on() -> None:
    one = calendar(first={"redeem_from": "2026-10-21 00:00"})
    assert times(one).redeemed[:5].tolist() == [24.0] * 5
    assert not times(one).lapses.any()


def test_the_first_hour_is_a_share_of_the_whole_pool() -> None:
    assert course(calendar(), budget=10.0, pays=1.0).waves[0].first_hour == pytest.approx(0.1)
