"""Lies in allocation.parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from .corruption import Cases, Corruption, assert_refused, give
from .runs import HandMadeRun

case = Cases()


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


@case("holdout", "the draw has")
def miscount_the_holdout(run: HandMadeRun) -> None:
    run.manifest["holdout"] = {"share": 0.17, "users": 2}


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


@case("margins", "margin differs in 1 row(s): 2")
def raise_a_margin(run: HandMadeRun) -> None:
    run.rows.loc[1, "margin"] = 1e-6


@case("margins", "margin differs in 2 row(s): 1, 4")
def hide_a_margin_and_invent_another(run: HandMadeRun) -> None:
    run.rows.loc[[0, 3], "margin"] = [np.nan, 0.1]


@case("smallest budgets", "money is not alone in 1 row(s): 1")
def state_a_budget_that_limits_forbid_to_know(run: HandMadeRun) -> None:
    run.rows.loc[0, "smallest_budget"] = 3.0


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


@case("scores", "1 negative costs")
def score_with_a_negative_cost(run: HandMadeRun) -> None:
    run.scores.loc[4, "cost__a"] = -1.0


@pytest.mark.parametrize(("corrupt", "check", "words"), case.parameters)
def test_corruption_is_refused_by_the_check_that_names_it(
    corrupt: Corruption, check: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    assert_refused(corrupt, check, words, tmp_path)
