"""Lies about money and limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from .corruption import Cases, Corruption, assert_refused, set_budget, set_limit
from .runs import HandMadeRun

case = Cases()


@case("budget", "4.000000 is above 3.999999")
def overspend_by_one_micro(run: HandMadeRun) -> None:
    set_budget(run, 3.999999)
    run.limit("region cap[east]").update(at_most=3.1999992, slack=0.1999992)
    run.limit("region cap[west]").update(at_most=3.1999992, slack=2.1999992)
    run.limit("vip floor").update(at_least=1.9999995, slack=2.0000005)
    run.limit("budget").update(at_most=3.999999, slack=-0.000001)


@case("limits", "breaks `stock`: 1.000000 is above 0.000000")
def exceed_a_stock(run: HandMadeRun) -> None:
    set_limit(run, 2, at_most=0.0)
    run.limit("stock").update(at_most=0.0, slack=-1.0)


@case("limits", "breaks `vip floor`: 4.000000 is below 4.000001")
def miss_a_floor_by_one_micro(run: HandMadeRun) -> None:
    set_limit(run, 0, at_least=4.000001)
    run.limit("vip floor").update(at_least=4.000001, slack=-0.000001)


@case("limits", "breaks `region cap[east]`: 3.000000 is above 2.960000")
def exceed_the_cap_of_one_region(run: HandMadeRun) -> None:
    set_limit(run, 1, at_most="74%")
    for name in ("region cap[east]", "region cap[west]"):
        entry = run.limit(name)
        entry.update(at_most=2.96, slack=2.96 - entry["usage"])


@case("limits", "breaks `roi`: the ratio is 3.0")
def miss_a_ratio(run: HandMadeRun) -> None:
    set_limit(run, 3, at_least=3.1)
    run.limit("roi").update(usage=0.4, slack=-0.4)
    run.limit("roi")["ratio"]["at_least"] = 3.1


@case("feasible", "not feasible")
def state_that_the_plan_is_infeasible(run: HandMadeRun) -> None:
    run.certificate["feasible"] = False


@case("feasible", "limits are broken")
def call_a_plan_feasible_that_breaks_a_limit(run: HandMadeRun) -> None:
    exceed_a_stock(run)


@case("limits listed", "`region cap[west]` is missing")
def leave_out_a_limit(run: HandMadeRun) -> None:
    run.certificate["limits"].remove(run.limit("region cap[west]"))


@case("limits listed", "`another` is not in the policy")
def invent_a_limit(run: HandMadeRun) -> None:
    run.certificate["limits"].append({**run.limit("stock"), "name": "another"})


@case("limits listed", "`stock` stands twice")
def list_a_limit_twice(run: HandMadeRun) -> None:
    run.certificate["limits"].append(dict(run.limit("stock")))


@case("limit bounds", "`stock`: at_most is 2.0, the policy says 1.0")
def state_another_bound(run: HandMadeRun) -> None:
    run.limit("stock").update(at_most=2.0, slack=1.0)


@case("limit bounds", "`stock`: report_only is True")
def declare_a_limit_report_only(run: HandMadeRun) -> None:
    run.limit("stock").update(report_only=True, price=None)


@case("limit usage", "`region cap[east]`: usage is 2.9, recomputed 3.0")
def change_a_usage(run: HandMadeRun) -> None:
    run.limit("region cap[east]").update(usage=2.9, slack=0.3)


@case("limit usage", "`vip floor`: slack is 2.5, recomputed 2.0")
def change_a_slack(run: HandMadeRun) -> None:
    run.limit("vip floor")["slack"] = 2.5


@case("limit usage", "`region cap[east]`: usage is 2.999999, recomputed 3.0")
def change_a_usage_by_one_micro(run: HandMadeRun) -> None:
    run.limit("region cap[east]")["usage"] = 2.999999


@case("limit usage", "`vip floor`: slack is 2.001, recomputed 2.0")
def change_a_slack_by_little(run: HandMadeRun) -> None:
    run.limit("vip floor")["slack"] = 2.001


@case("limit usage", "`watch`: usage is 1.0, recomputed 2.0")
def understate_a_report_only_usage(run: HandMadeRun) -> None:
    run.limit("watch").update(usage=1.0, slack=0.0)


@case("limit usage", "`roi`: ratio is 3.5")
def overstate_a_ratio(run: HandMadeRun) -> None:
    run.limit("roi")["ratio"]["usage"] = 3.5


@case("limit usage", "`roi`: usage is -5.0")
def change_the_linear_form_of_a_ratio(run: HandMadeRun) -> None:
    run.limit("roi")["usage"] = -5.0


@case("limit bounds", "`roi`: ratio.at_least is 2.0")
def change_the_bound_of_a_ratio(run: HandMadeRun) -> None:
    run.limit("roi")["ratio"]["at_least"] = 2.0


@case("limit bounds", "`roi`: at_most is 1.0")
def give_the_linear_form_of_a_ratio_room(run: HandMadeRun) -> None:
    run.limit("roi").update(at_most=1.0, slack=7.0)


@pytest.mark.parametrize(("corrupt", "check", "words"), case.parameters)
def test_corruption_is_refused_by_the_check_that_names_it(
    corrupt: Corruption, check: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    assert_refused(corrupt, check, words, tmp_path)
