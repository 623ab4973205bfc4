"""Each corruption carries fresh digests, so that only the recomputation can catch it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incentive_engine.verify import Verification, verify_run

from .runs import HandMadeRun

Corruption = Callable[[HandMadeRun], None]
CASES: list[Any] = []


def case(check: str, *words: str) -> Callable[[Corruption], Corruption]:
    """Register a corruption, the check that must fail, and what its detail must say."""

    def add(corrupt: Corruption) -> Corruption:
        CASES.append(pytest.param(corrupt, check, words, id=corrupt.__name__))
        return corrupt

    return add


def details(verification: Verification) -> dict[str, str]:
    return {check.name: check.detail for check in verification.failures}


def give(run: HandMadeRun, row: int, offer: str, reason: str = "offered") -> None:
    """Give a user an offer, with every number of the pair as in the scores."""
    scores = run.scores
    cost = int(np.ceil(np.nan_to_num(scores.loc[row, f"cost__{offer}"]) * 1e6))
    run.rows.loc[row, ["offer_id", "reason"]] = [offer, reason]
    run.rows.loc[row, "conversion"] = scores.loc[row, f"conversion__{offer}"]
    run.rows.loc[row, "spend"] = scores.loc[row, f"spend__{offer}"]
    run.rows.loc[row, "cost_micros"] = cost
    run.rows.loc[row, "cost"] = cost / 1e6


# --- rows


@case("users", "row(s): 1, 2")
def reorder_rows(run: HandMadeRun) -> None:
    run.rows = run.rows.iloc[[1, 0, 2, 3, 4, 5]].reset_index(drop=True)


@case("users", "5 rows", "6")
def remove_a_row(run: HandMadeRun) -> None:
    run.rows = run.rows.iloc[:5]


@case("users", "repeats a user in 1 row(s): 3")
def repeat_a_user(run: HandMadeRun) -> None:
    run.rows.loc[2, "user_id"] = 102


@case("users", "repeats a user")
def repeat_a_user_in_rows_and_scores(run: HandMadeRun) -> None:
    run.rows.loc[2, "user_id"] = run.scores.loc[2, "user_id"] = 102


@case("users", "int64")
def turn_ids_into_text(run: HandMadeRun) -> None:
    run.rows["user_id"] = run.rows["user_id"].astype(str)


@case("offers", "unknown", "row(s): 2")
def give_an_offer_that_does_not_exist(run: HandMadeRun) -> None:
    run.rows.loc[1, "offer_id"] = "c"


@case("measures", "conversion differs in 2 row(s): 1, 2")
def swap_two_users_offers(run: HandMadeRun) -> None:
    run.rows.loc[[0, 1], "offer_id"] = ["a", "b"]


@case("value", "recomputed 0.87")
def swap_two_users_offers_with_all_their_numbers(run: HandMadeRun) -> None:
    give(run, 0, "a")
    give(run, 1, "b")


@case("eligibility", "rules forbid", "row(s): 3")
def give_an_offer_against_the_rules(run: HandMadeRun) -> None:
    give(run, 2, "b")


@case("eligibility", "missing", "row(s): 4")
def give_an_offer_whose_score_is_missing(run: HandMadeRun) -> None:
    give(run, 3, "a")
    run.rows.loc[3, "conversion"] = 0.0


@case("holdout", "holdout has an offer", "row(s): 6")
def give_a_holdout_user_an_offer(run: HandMadeRun) -> None:
    give(run, 5, "a")


@case("holdout", "has an offer", "row(s): 6")
def give_a_holdout_user_an_offer_and_keep_the_reason(run: HandMadeRun) -> None:
    give(run, 5, "a", reason="holdout")


@case("holdout", "draw says otherwise", "row(s): 5")
def put_another_user_into_the_holdout(run: HandMadeRun) -> None:
    run.rows.loc[[4, 5], "reason"] = ["holdout", "priced_out"]


@case("holdout", "states 2 users")
def miscount_the_holdout(run: HandMadeRun) -> None:
    run.manifest["holdout"] = {"users": 2}


@case("holdout", "drawn for the holdout")
def draw_the_holdout_with_another_seed(run: HandMadeRun) -> None:
    run.policy["seed"] = run.policy_file["seed"] = 3  # type: ignore[index]


@case("reasons", "priced_out", "row(s): 5")
def call_no_gain_priced_out(run: HandMadeRun) -> None:
    run.rows.loc[4, "reason"] = "priced_out"


@case("reasons", "no_gain", "row(s): 3")
def call_priced_out_no_gain(run: HandMadeRun) -> None:
    run.rows.loc[2, "reason"] = "no_gain"


@case("reasons", "unknown", "row(s): 3")
def invent_a_reason(run: HandMadeRun) -> None:
    run.rows.loc[2, "reason"] = "just because"


@case("reasons", "offered", "row(s): 3")
def call_a_user_offered_who_is_not(run: HandMadeRun) -> None:
    run.rows.loc[2, "reason"] = "offered"


@case("cost", "cost_micros differs in 1 row(s): 2")
def raise_a_cost_by_one_micro(run: HandMadeRun) -> None:
    run.rows.loc[1, "cost_micros"] += 1
    run.rows.loc[1, "cost"] = 1.000001


@case("cost", "not cost_micros in currency")
def state_another_cost_in_currency(run: HandMadeRun) -> None:
    run.rows.loc[1, "cost"] = 1.0000001


@case("cost", "cost_micros differs in 1 row(s): 1")
def round_a_cost_down(run: HandMadeRun) -> None:
    give(run, 0, "a")
    run.rows.loc[0, ["cost_micros", "cost"]] = [1_000_000, 1.0]


@case("measures", "weight differs in 1 row(s): 3")
def change_a_weight(run: HandMadeRun) -> None:
    run.rows.loc[2, "weight"] = 1.5


@case("measures", "conversion differs")
def change_a_conversion(run: HandMadeRun) -> None:
    run.rows.loc[1, "conversion"] = 0.0800001


@case("measures", "spend differs")
def change_a_spend(run: HandMadeRun) -> None:
    run.rows.loc[1, "spend"] = 4.0


@case("measures", "scores.parquet has none")
def state_spend_that_nobody_knows(run: HandMadeRun) -> None:
    run.scores = run.scores.drop(columns=["spend__a", "spend__b"])
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        del policy["limits"][3]
    run.certificate["limits"].remove(run.limit("roi"))


@case("offers", "1 negative or infinite costs")
def score_with_a_negative_cost(run: HandMadeRun) -> None:
    run.scores.loc[4, "cost__a"] = -1.0


# --- money and limits


@case("budget", "4.000000 is above 3.999999")
def overspend_by_one_micro(run: HandMadeRun) -> None:
    set_budget(run, 3.999999)
    run.limit("region cap[east]").update(at_most=3.1999992, slack=0.1999992)
    run.limit("region cap[west]").update(at_most=3.1999992, slack=2.1999992)
    run.limit("vip floor").update(at_least=1.9999995, slack=2.0000005)
    run.limit("budget").update(at_most=3.999999, slack=-0.000001)


def set_budget(run: HandMadeRun, amount: float) -> None:
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy["budget"]["amount"] = amount
    run.certificate["budget"]["amount"] = amount


def set_limit(run: HandMadeRun, position: int, **changes: Any) -> None:
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy["limits"][position].update(changes)


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
    run.limit("roi").update(at_least=3.1, slack=-0.4, linear_usage=0.4)


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


@case("limit usage", "`watch`: usage is 1.0, recomputed 2.0")
def understate_a_report_only_usage(run: HandMadeRun) -> None:
    run.limit("watch").update(usage=1.0, slack=0.0)


@case("limit usage", "`roi`: usage is 3.5")
def overstate_a_ratio(run: HandMadeRun) -> None:
    run.limit("roi")["usage"] = 3.5


@case("limit usage", "`roi`: linear_usage is -5.0")
def change_a_linear_usage(run: HandMadeRun) -> None:
    run.limit("roi")["linear_usage"] = -5.0


# --- the proof


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


# --- the policy


@case("policy", "budget is 5.0, the manifest's 4.0")
def state_another_budget_in_the_certificate(run: HandMadeRun) -> None:
    run.certificate["budget"]["amount"] = 5.0


@case("policy", "basis is face")
def state_another_basis_in_the_certificate(run: HandMadeRun) -> None:
    run.certificate["budget"]["basis"] = "face"


@case("policy", "budget.amount is 3.0 in policy.yaml, 4.0 in the manifest")
def change_the_budget_in_the_policy_file(run: HandMadeRun) -> None:
    assert run.policy_file is not None
    run.policy_file["budget"]["amount"] = 3.0


@case("policy", "limits.2.at_most is 2.0 in policy.yaml")
def change_a_limit_under_cover_of_an_added_one(run: HandMadeRun) -> None:
    assert run.policy_file is not None
    run.policy_file["limits"][2]["at_most"] = 2.0
    del run.policy_file["limits"][4]
    run.overrides["limits"] = 1.5


@case("policy", "budget is 4.0, its override says 3k")
def record_another_budget_than_was_used(run: HandMadeRun) -> None:
    run.overrides["budget.amount"] = "3k"


@case("policy", "budget is 4.0, its override says lots")
def record_a_budget_that_is_no_amount(run: HandMadeRun) -> None:
    run.overrides["budget.amount"] = "lots"


@case("policy", "limits.2.at_most is 2.0 in policy.yaml")
def change_a_limit_in_the_policy_file(run: HandMadeRun) -> None:
    assert run.policy_file is not None
    run.policy_file["limits"][2]["at_most"] = 2.0
    run.overrides["budget.amount"] = 4.0


@case("policy", "policy.yaml cannot be read")
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


@case("files", "format 2 is unknown")
def write_a_format_of_the_future(run: HandMadeRun) -> None:
    run.manifest["format"] = 2


@pytest.mark.parametrize(("corrupt", "check", "words"), CASES)
def test_corruption_is_refused_by_the_check_that_names_it(
    corrupt: Corruption, check: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    run = HandMadeRun()
    corrupt(run)
    verification = verify_run(run.write(tmp_path / "run"))
    assert not verification.ok
    failed = details(verification)
    assert check in failed, failed
    for word in words:
        assert word in failed[check]


def test_there_are_enough_ways_to_lie() -> None:
    assert len(CASES) >= 60
