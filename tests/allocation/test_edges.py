from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from incentive_engine.allocation.budgets.curve import Curve
from incentive_engine.allocation.limits import LinearLimit, ratio_limits, sum_limit
from incentive_engine.allocation.plans.per_user import reasons
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import Reason
from incentive_engine.errors import ConfigError, DataError, InfeasibleError

from .campaign import campaign, with_budget
from .problems import draw_solved


def problem_of(
    value: npt.ArrayLike, cost: npt.ArrayLike, *limits: LinearLimit, exactly_one: bool = False
) -> Problem:
    values = np.array(value, dtype=np.float64)
    return Problem(
        offers=tuple(f"o{j}" for j in range(len(values))),
        value=values,
        measures=("cost",),
        columns=np.array([cost], dtype=np.float64),
        face=np.arange(1.0, len(values) + 1),
        limits=limits,
        exactly_one=exactly_one,
    )


def test_a_budget_of_zero_treats_nobody() -> None:
    plan = solve(with_budget(campaign(2_000, floors=False), 0.0))
    assert plan.certificate.treated == 0
    assert plan.certificate.gap <= 1e-9


def test_a_budget_of_zero_still_gives_what_is_free() -> None:
    plan = solve(problem_of([[1, 2, 3]], [[0, 1, 0]], sum_limit("budget", "cost", at_most=0.0)))
    assert plan.choice.tolist() == [0, -1, 0]
    assert plan.certificate.value == plan.certificate.bound == 4.0


def test_without_limits_everyone_gets_the_best() -> None:
    plan = solve(problem_of([[1, 5, -1], [2, 3, -2]], np.zeros((2, 3))))
    assert plan.choice.tolist() == [1, 0, -1]
    assert plan.certificate.gap == 0.0


def test_offers_without_value_are_not_given() -> None:
    plan = solve(
        problem_of(
            [[0, -1, 1]], [[1, 1, 1]], sum_limit("floor", "issued", at_least=1), exactly_one=False
        )
    )
    assert plan.choice.tolist() == [-1, -1, 0]


def test_a_floor_takes_the_least_harmful_offers() -> None:
    plan = solve(problem_of([[-3, -1, -2]], [[1, 1, 1]], sum_limit("f", "issued", at_least=2)))
    assert plan.choice.tolist() == [-1, 0, 0]
    assert plan.certificate.value == -3.0


def test_exactly_one_gives_everyone_an_offer() -> None:
    limit = sum_limit("stock", "issued", at_most=1, offers=np.array([True, False]))
    plan = solve(problem_of([[5, 6], [-1, -1]], np.zeros((2, 2)), limit, exactly_one=True))
    assert plan.choice.tolist() == [1, 0]


def test_equal_costs_fill_the_budget_to_the_last_millionth() -> None:
    plan = solve(problem_of([[1] * 10], [[1.1] * 10], sum_limit("budget", "cost", at_most=3.3)))
    assert plan.cost_micros.sum() == 3_300_000
    assert plan.certificate.value == 3.0


def test_costs_are_rounded_up_to_the_millionth() -> None:
    cost = 0.1 + 1e-9
    plan = solve(problem_of([[1, 1]], [[cost, cost]], sum_limit("budget", "cost", at_most=0.2)))
    assert plan.cost_micros.tolist() in ([100_001, 0], [0, 100_001])


def test_a_ratio_over_nothing_holds_and_has_no_value() -> None:
    limits = ratio_limits("roi", ("cost", "issued"), at_least=1.0)
    plan = solve(problem_of([[-1, -1]], [[1, 1]], *limits))
    ratio = plan.certificate.limits[0].ratio
    assert ratio is not None
    assert ratio.usage is None


def test_both_bounds_of_a_ratio_are_two_limits() -> None:
    names = [x.name for x in ratio_limits("r", ("cost", "issued"), at_least=1.0, at_most=2.0)]
    assert names == ["r[at_least]", "r[at_most]"]


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_values_that_are_not_numbers_are_refused(number: float) -> None:
    with pytest.raises(DataError, match="1 eligible pairs have no valid number"):
        solve(problem_of([[1, number]], [[1, 1]]))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_amounts_that_are_not_numbers_are_refused(number: float) -> None:
    problem = problem_of([[1, 1]], [[1, 1]])
    both = np.array([[[1, 1]], [[number, 1]]], dtype=np.float64)
    with pytest.raises(DataError, match="scores: spend: 1 eligible pairs have no valid number"):
        solve(replace(problem, measures=("cost", "spend"), columns=both))


@pytest.mark.parametrize("value", [1e308, 1e61, 1e-61, 1e-310])
def test_values_whose_sums_and_products_overflow_are_refused(value: float) -> None:
    limit = sum_limit("budget", "cost", at_most=1.0)
    with pytest.raises(DataError, match="scores: value: the largest amount is"):
        solve(problem_of([[value, value]], [[1, 1]], limit))


@pytest.mark.parametrize("face", [np.nan, np.inf, -1.0, 1e13])
def test_a_face_value_that_is_no_amount_is_refused(face: float) -> None:
    with pytest.raises(DataError, match="problem: face: a face value is no amount"):
        replace(problem_of([[1, 1]], [[1, 1]]), face=np.array([face]))


def test_a_cell_that_does_not_exist_is_refused() -> None:
    for label, message in ((-1, "a label is negative"), (1, "a label is too large")):
        with pytest.raises(DataError, match=message):
            replace(problem_of([[1, 1]], [[1, 1]]), cell=np.array([0, label]))


@pytest.mark.parametrize("power", [-100, -30, 30, 100])
def test_the_unit_of_values_changes_prices_and_no_plan(power: int) -> None:
    problem = campaign(2_000, k=4)
    unit = 2.0**power  # changes no digit of a float
    one, other = solve(problem), solve(replace(problem, value=problem.value * unit))
    assert one.choice.tolist() == other.choice.tolist()
    assert other.certificate.value == pytest.approx(unit * one.certificate.value, rel=1e-9)
    assert other.certificate.bound == pytest.approx(unit * one.certificate.bound, rel=1e-9)


def test_a_cap_over_nobody_binds_nothing() -> None:
    nobody = sum_limit("ghosts", "cost", at_most=0.0, cells=np.array([False, True]))
    plan = solve(replace(problem_of([[1, 2]], [[1, 1]]), n_cells=2, limits=(nobody,)))
    assert plan.choice.tolist() == [0, 0]
    assert plan.prices == {"ghosts": 0.0}


def test_a_ratio_over_offers_that_cost_nothing_holds() -> None:
    limits = ratio_limits("burn", ("cost", "face"), at_most=0.5)
    plan = solve(problem_of([[1, 2]], [[0, 0]], *limits))
    assert plan.choice.tolist() == [0, 0]


def test_two_limits_that_contradict_each_other_are_named() -> None:
    limits = (sum_limit("most", "cost", at_most=1), sum_limit("least", "cost", at_least=2))
    with pytest.raises(InfeasibleError, match="`least`: at least 2: it cannot hold together"):
        solve(problem_of([[1, 2]], [[1, 1]], *limits))


def test_a_negative_cost_is_refused() -> None:
    with pytest.raises(DataError, match="scores: cost"):
        solve(problem_of([[1, 1]], [[1, -1]]))


def test_numbers_of_ineligible_pairs_do_not_matter() -> None:
    limit = sum_limit("budget", "cost", at_most=1.0)
    plan = solve(problem_of([[1, -np.inf, -np.inf]], [[1, np.nan, np.inf]], limit))
    assert plan.choice.tolist() == [0, -1, -1]


def test_costs_whose_sum_overflows_are_refused() -> None:
    with pytest.raises(DataError, match="overflows"):
        solve(problem_of([[1, 1]], [[1e15, 1]]))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ([sum_limit("x", "profit", at_most=1)], "no measure `profit`"),
        ([sum_limit("x", "cost")], "it has no bound"),
        ([sum_limit("x", "cost", at_most=np.inf)], "not finite"),
        ([sum_limit("x", "cost", at_least=np.nan)], "not finite"),
        ([sum_limit("x", "cost", at_most=1e300)], "beyond 1e.30; leave out what bounds nothing"),
        ([*ratio_limits("x", ("cost", "issued"), at_least=np.nan)], "coefficient is no number"),
        ([*ratio_limits("x", ("cost", "issued"), at_most=np.inf)], "coefficient is no number"),
        ([sum_limit("x", "cost", at_most=1, at_least=2)], "at_least 2 is above at_most 1"),
        ([sum_limit("x", "cost", at_most=1)] * 2, "used twice"),
        ([sum_limit("x", "cost", at_most=1, offers=np.ones(3, bool))], "offers has shape"),
    ],
)
def test_limits_that_mean_nothing_are_refused(limits: list[LinearLimit], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        problem_of([[1, 1]], [[1, 1]], *limits)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match=r"problem: cell: the shape is \(3,\), expected \(2,\)"):
        replace(problem_of([[1, 1]], [[1, 1]]), cell=np.zeros(3, np.uint16))


def test_more_offers_than_a_choice_can_name_are_refused() -> None:
    with pytest.raises(DataError, match="1 to 32000"):
        Problem(offers=tuple(map(str, range(40_000))), value=np.zeros((40_000, 1)))


def test_each_user_without_an_offer_has_a_reason() -> None:
    inf = np.inf
    problem = problem_of(
        [[3, 1, -1, -inf, -inf]], [[1] * 5], sum_limit("budget", "cost", at_most=1.0)
    )
    problem = replace(problem, holdout=np.array([False] * 4 + [True]))
    plan = solve(problem)
    assert [[*Reason][place] for place in reasons(problem, plan.choice)] == [
        "offered",
        "priced_out",
        "no_gain",
        "ineligible",
        "holdout",
    ]


def test_report_only_limits_are_measured_and_not_kept() -> None:
    watch = sum_limit("watch", "issued", at_most=1, report_only=True)
    plan = solve(problem_of([[1, 1, 1]], [[1, 1, 1]], watch))
    entry = plan.certificate.limits[0].to_dict()
    assert plan.certificate.treated == 3
    assert entry["report_only"] is True
    assert entry["usage"] == 3.0
    assert "price" not in entry


def test_a_larger_budget_never_brings_less() -> None:
    problem = campaign(6_000, floors=False)
    assert problem.pool is not None
    amounts = [problem.pool.amount * share for share in (0.0, 0.1, 0.5, 1.0, 3.0)]
    curve = Curve(problem).points([with_budget(problem, amount) for amount in amounts])
    values = [point.value for point in curve]
    prices = [point.price for point in curve]
    assert values == sorted(values)
    assert prices == sorted(prices, reverse=True)
    assert all(point.used <= point.budget * (1 + 1e-9) for point in curve)
    assert curve[3].value == pytest.approx(solve(problem).certificate.bound, rel=1e-6)


def test_a_curve_needs_a_budget() -> None:
    problem = problem_of([[1]], [[1]])
    with pytest.raises(ConfigError, match="there is none to vary"):
        Curve(problem).points([problem])


@pytest.mark.parametrize("seed", range(20))
def test_dropping_a_limit_never_lowers_the_value(seed: int) -> None:
    problem, plan = draw_solved(seed + 500)
    for limit in problem.limits:
        fewer = tuple(x for x in problem.limits if x is not limit)
        assert (
            solve(replace(problem, limits=fewer)).certificate.value
            >= plan.certificate.value - 1e-9
        )


def test_scaling_money_scales_prices() -> None:
    problem = campaign(5_000, floors=False)
    cents = np.ceil(problem.columns[0] * 1e6) / 1e6
    base = replace(problem, measures=("cost",), columns=cents[None])
    limits = tuple(
        replace(x, at_most=(x.at_most or 0) * (8 if x.terms[0][0] == "cost" else 1))
        for x in problem.limits
    )
    scaled = replace(base, columns=base.columns * 8, limits=limits)
    one, eight = solve(base), solve(scaled)
    assert one.prices["budget"] == pytest.approx(8 * eight.prices["budget"], rel=1e-5)
    assert one.certificate.bound == pytest.approx(eight.certificate.bound, rel=1e-6)


@pytest.mark.parametrize("budget", [0.05, 0.5, 5.0])
def test_floors_in_percent_of_a_tiny_budget_are_kept_or_refused(budget: float) -> None:
    problem = campaign(3_000, k=3, floors=False)
    shares = tuple(
        sum_limit(f"floor {tier}", "cost", at_least=share * budget, cells=cells)
        for tier, share in ((0, 0.18), (1, 0.1))
        for cells in (np.arange(problem.n_cells) // 20 == tier,)
    )
    limits = (sum_limit("budget", "cost", at_most=budget), *shares)
    try:
        plan = solve(replace(problem, limits=limits))
    except InfeasibleError:
        assert budget < 1
    else:
        assert plan.certificate.feasible
