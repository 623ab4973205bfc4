"""Lies about value, bound, prices, counts, policy and form."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from .corruption import Cases, Corruption, assert_refused
from .runs import HandMadeRun, limit

case = Cases()


@case("prices", "`budget`: the price -0.24 is negative without at_least")
def flip_a_price(run: HandMadeRun) -> None:
    run.limit("budget")["price"] = -0.24


@case("prices", "`vip floor`: the price 0.1 is positive without at_most")
def put_a_positive_price_on_a_floor(run: HandMadeRun) -> None:
    run.limit("vip floor")["price"] = 0.1


@case("prices", "`roi`: the price -0.1 is negative")
def put_a_negative_price_on_a_ratio(run: HandMadeRun) -> None:
    run.limit("roi")["price"] = -0.1


@case("prices", "`stock` has no price")
def leave_out_a_price(run: HandMadeRun) -> None:
    del run.limit("stock")["price"]


@case("prices", "`watch` is report-only and has the price 0.1")
def price_a_report_only_limit(run: HandMadeRun) -> None:
    run.limit("watch")["price"] = 0.1


@case("bound", "recomputed 1.47")
def change_a_price(run: HandMadeRun) -> None:
    run.limit("budget")["price"] = 0.27


def cancel(run: HandMadeRun, price: float) -> None:
    """Put a price on the budget and its opposite on an equal floor, at the worst plan."""
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy["limits"] = [{"name": "floor", "sum": "cost", "at_least": 4.0}]
    floor = limit("floor", at_least=4.0, usage=4.0, slack=0.0, price=-price)
    run.certificate["limits"] = [{**run.limit("budget"), "price": price + 0.24}, floor]
    run.scores.loc[1, "conversion__b"] = 5.0  # what the plan leaves on the table


@case("bound", "prove", "only to ±")
def hide_a_gap_behind_prices_that_cancel(run: HandMadeRun) -> None:
    cancel(run, 1e20)


@case("bound", "prove", "only to ±")
def hide_a_gap_behind_prices_beyond_float64(run: HandMadeRun) -> None:
    cancel(run, 1.7e308)


@case("bound", "the bound is 1.44, recomputed 15.8")
def cancel_prices_that_can_be_reckoned_with(run: HandMadeRun) -> None:
    cancel(run, 1e3)


@case("bound", "prove", "only to ± inf")
def price_stock_beyond_any_sum(run: HandMadeRun) -> None:
    run.limit("stock")["price"] = -1e308


@case("bound", "prove inf", "only to ±")
def price_a_floor_beyond_float64(run: HandMadeRun) -> None:
    run.limit("vip floor").update(price=-1.7e308)


@case("scores", "2 measures beyond what sums can hold")
def hide_the_value_in_scores_that_overflow(run: HandMadeRun) -> None:
    run.scores.loc[[0, 1], ["conversion__b", "conversion__a"]] = [[2e307, 0], [0, 2e307]]
    run.rows.loc[[0, 1], "conversion"] = 2e307


@case("value", "1.45", "recomputed 1.44")
def overstate_the_value(run: HandMadeRun) -> None:
    run.certificate.update(value=1.45, bound=1.45)


@case("bound", "1.43", "recomputed 1.44")
def understate_the_bound(run: HandMadeRun) -> None:
    run.certificate.update(bound=1.43, gap=0.0)


@case("gap", "0.001", "recomputed 0.0")
def change_the_gap(run: HandMadeRun) -> None:
    run.certificate["gap"] = 0.001


@case("counts", "treated is 3, counted 2")
def miscount_the_treated(run: HandMadeRun) -> None:
    run.certificate["treated"] = 3


@case("counts", "users is 7, counted 6")
def miscount_the_users(run: HandMadeRun) -> None:
    run.certificate["users"] = 7


@case("money", "spent is 3.900000, summed 4.000000")
def understate_what_is_spent(run: HandMadeRun) -> None:
    run.certificate["budget"]["spent"] = 3.9


@case("money", "spent_face is 20.000000, summed 30.000000")
def understate_the_face_value(run: HandMadeRun) -> None:
    run.certificate["budget"]["spent_face"] = 20.0


@case("policy", "budget is 5.0, the manifest's 4.0")
def state_another_budget_in_the_certificate(run: HandMadeRun) -> None:
    run.certificate["budget"]["amount"] = 5.0


@case("policy", "basis is face")
def state_another_basis_in_the_certificate(run: HandMadeRun) -> None:
    run.certificate["budget"]["basis"] = "face"


@case("policy", "budget.amount is 3.0 in policy.yaml with its overrides, 4.0 in the")
def change_the_budget_in_the_policy_file(run: HandMadeRun) -> None:
    assert run.policy_file is not None
    run.policy_file["budget"]["amount"] = 3.0


@case("policy", "limits.2.at_most is 2.0 in policy.yaml")
def change_a_limit_under_cover_of_an_added_one(run: HandMadeRun) -> None:
    assert run.policy_file is not None
    run.policy_file["limits"][2]["at_most"] = 2.0
    del run.policy_file["limits"][4]
    run.overrides["limits"] = 1.5


@case("policy", "budget.amount is 3000.0", "4.0 in the manifest")
def record_another_budget_than_was_used(run: HandMadeRun) -> None:
    run.overrides["budget.amount"] = "3k"


@case("policy", "budget.amount: `lots` is not an amount")
def record_a_budget_that_is_no_amount(run: HandMadeRun) -> None:
    run.overrides["budget.amount"] = "lots"


@case("policy", "limits.2.at_most is 2.0 in policy.yaml")
def change_a_limit_in_the_policy_file(run: HandMadeRun) -> None:
    assert run.policy_file is not None
    run.policy_file["limits"][2]["at_most"] = 2.0
    run.overrides["budget.amount"] = 4.0


@case("policy", "policy.yaml with its overrides")
def break_the_policy_file(run: HandMadeRun) -> None:
    run.policy_file = {"version": 1}


@case("files", "manifest.json: policy")
def break_the_policy_of_the_manifest(run: HandMadeRun) -> None:
    run.policy["offers"] = []


@case("files", "column cost__b is missing")
def drop_a_column_of_the_scores(run: HandMadeRun) -> None:
    run.scores = run.scores.drop(columns="cost__b")


@case("files", "column tier is missing")
def drop_an_attribute_of_the_scores(run: HandMadeRun) -> None:
    run.scores = run.scores.drop(columns="tier")


@case("files", "column reason is missing")
def drop_a_column_of_the_allocation(run: HandMadeRun) -> None:
    run.rows = run.rows.drop(columns="reason")


@case("files", "cost_micros has the type double")
def state_micros_as_floats(run: HandMadeRun) -> None:
    run.rows["cost_micros"] = run.rows["cost_micros"].astype(float)


@case("files", "column weight has empty cells")
def leave_a_weight_empty(run: HandMadeRun) -> None:
    run.rows["weight"] = pd.Series([6.0, 3.0, None, 1.0, 1.0, 1.0])


@case("files", "certificate.json: bound")
def leave_out_the_bound(run: HandMadeRun) -> None:
    del run.certificate["bound"]


@case("files", "certificate.json", "NaN")
def state_a_value_that_is_no_number(run: HandMadeRun) -> None:
    run.certificate["value"] = float("nan")


@case("files", "format 99 is unknown")
def write_a_format_of_the_future(run: HandMadeRun) -> None:
    run.manifest["format"] = 99


@pytest.mark.parametrize(("corrupt", "check", "words"), case.parameters)
def test_corruption_is_refused_by_the_check_that_names_it(
    corrupt: Corruption, check: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    assert_refused(corrupt, check, words, tmp_path)
