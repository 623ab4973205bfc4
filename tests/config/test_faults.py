"""Each mistake that a planner can make is one fault, on its line, in a planner's words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from incentive_engine.config.document.loading import load_policy
from incentive_engine.errors import ConfigError

from .policies import CORRECT, changed, faults, write

JARGON = re.compile(
    r"input|valid |validation|should|tuple|dict|\bstr\b|\bint\b|float|NoneType|instance|pydantic"
    r"|model|literal|(?<!cost_)error",
    re.IGNORECASE,
)
FIRST_OFFER = "{id: off10, face_value: 10, min_spend: 99, ladder: platform}"
FLOOR = "{name: floor, sum: cost, where: {tier: 88VIP}, at_least: 25%}"
ROI = "{name: roi, ratio: [spend, cost], at_least: 1.5}"
PAIR = "{name: pair, ratio: [spend, cost], at_least: 1, at_most: 2}"
PART = "{name: part, sum: cost, at_least: 5% of spent, at_most: 9% of spent}"
RULE = "{offers: [off20], where: {tier: 88VIP}}"

MISTAKES = [
    # names of keys
    ("name: small", "name: small\nbudgett: 5", "budgett", "did you mean `budget`?"),
    (FIRST_OFFER, "{id: off10, face_value: 10, min_spent: 9}", "offers.0.min_spent",
     "did you mean `min_spend`?"),
    (FIRST_OFFER, "{id: off10, face_valu: 10}", "offers.0.face_valu",
     "unknown key; did you mean `face_value`?"),
    (FIRST_OFFER, "{id: off10}", "offers.0.face_value", "is missing, expected an amount"),
    (FLOOR, "{name: floor, sum: cost, at_least: 5% of spend}", "limits.0.at_least", "not a share"),
    (FLOOR, "{name: floor, sum: cost, at_least: 5% of spent, at_most: 5}", "limits.0.at_least",
     "5% of spent and 5 bound different things"),
    (FLOOR, "{name: floor, sum: conversion, at_least: 5% of spent}", "limits.0.at_least",
     "cannot be bounded by a percentage"),
    (FLOOR, f"{PAIR}\n  - {{name: 'pair[at_most]', sum: cost, at_most: 5}}", "limits.1.name",
     "`pair[at_most]` is one of the bounds of the limit `pair`"),
    (FLOOR, f"{PART}\n  - {{name: 'part[at_least]', sum: cost, at_most: 5}}", "limits.1.name",
     "`part[at_least]` is one of the bounds of the limit `part`"),
    (FLOOR, "{name: floor, summ: cost, at_least: 25%}", "limits.0.summ", "did you mean `sum`?"),
    (FLOOR, "{name: floor, sum: cost, at_mots: 25%}", "limits.0.at_mots", "`at_most`"),
    ("name: small", "name: small\n7: x", "7", "unknown key"),
    ("name: small", "name: small\n<<: {seed: 5}", "<<", "unknown key"),
    ("version: 1", "seed: 1", "version", "is missing, expected `1`"),
    # wrong types
    ("version: 1", "version: 2", "version", "`2` is not known, expected `1`"),
    ("version: 1", "version: '1'", "version", "expected `1`"),
    ("name: small", "name: 5", "name", "`5` is a whole number, expected text"),
    ("name: small", "name:", "name", "is empty, expected text"),
    ("name: small", "name: ''", "name", "is empty, expected some text"),
    ("name: small", f"name: {'x' * 121}", "name", "has 121 characters, expected at most 120"),
    (FIRST_OFFER, "5", "offers.0", "`5` is a whole number, expected a mapping with id,"),
    (FIRST_OFFER, "{id: off 10, face_value: 1}", "offers.0.id",
     "`off 10` has other characters, expected an id of letters, digits, `_` and `-`"),
    (FIRST_OFFER, "{id: control, face_value: 1}", "offers.0.id", "the arm without an offer"),
    (FIRST_OFFER, "{id: 10, face_value: 1}", "offers.0.id", "expected an id of letters"),
    (FIRST_OFFER, "{id: off10, face_value: ten}", "offers.0.face_value", "is not an amount"),
    (FIRST_OFFER, "{id: off10, face_value: [1]}", "offers.0.face_value", "is a list, expected an"),
    (FIRST_OFFER, "{id: off10, face_value: }", "offers.0.face_value", "is empty, expected an"),
    (FIRST_OFFER, "{id: off10, face_value: true}", "offers.0.face_value", "is not an amount"),
    (FIRST_OFFER, "{id: off10, face_value: .inf}", "offers.0.face_value", "not a finite amount"),
    ("{amount: 200k}", "200k", "budget", "`200k` is text, expected a mapping with amount, basis"),
    ("{amount: 200k}", "{amount: 20%}", "budget.amount", "is not an amount"),
    ("{amount: 200k}", "{amount: 5, basis: fase}", "budget.basis", "did you mean `face`?"),
    ("{amount: 200k}", "{amount: 5, confidence: 95}", "budget.confidence",
     "`95` is too large, expected less than 1"),
    (FLOOR, "{name: a, sum: cost, at_most: 5, report_only: no}", "limits.0.report_only",
     "`no` is text, expected true or false"),
    (FLOOR, "{name: a, sum: cost, at_most: 5, offers: off10}", "limits.0.offers",
     "`off10` is text, expected a list"),
    (FLOOR, "{name: a, sum: cost, at_most: 5, offers: []}", "limits.0.offers", "is empty"),
    (FLOOR, "{name: a, sum: cost, at_most: lots}", "limits.0.at_most", "is not an amount"),
    (FLOOR, "{name: a, sum: cost, at_most: 5, where: tier}", "limits.0.where",
     "`tier` is text, expected a mapping from columns to"),
    (FLOOR, "{name: a, sum: cost, at_most: 5, where: {tier: }}", "limits.0.where.tier",
     "is empty, expected a single value"),
    (FLOOR, "{name: a, sum: cost, at_most: 5, where: {tier: []}}", "limits.0.where.tier",
     "an empty list matches nobody"),
    (FLOOR, "{name: a, sum: cost, at_most: 5, where: {tier: [[x]]}}", "limits.0.where.tier.0",
     "is a list, expected a single value"),
    (FLOOR, "{name: a, sum: cost, at_most: 5, where: {5: x}}", "limits.0.where.5",
     "`5` is a whole number, expected a column's name"),
    (FLOOR, "{name: a, sum: cost, at_most: 5, where: {age: {}}}", "limits.0.where.age",
     "expected at_least, below, or both"),
    (FLOOR, "{name: a, sum: cost, at_most: 5, where: {age: {above: 5}}}",
     "limits.0.where.age.above", "unknown key; known: at_least, below"),
    (FLOOR, "{name: a, sum: cost, at_most: 5, where: {age: {at_least: old}}}",
     "limits.0.where.age.at_least", "`old` is not an amount"),
    (FLOOR, "{name: a, sum: cost, at_most: 5, where: {age: {at_least: 9, below: 9}}}",
     "limits.0.where.age", "the range from 9 to below 9 is empty"),
    (ROI, "{name: a, ratio: [spend], at_least: 1}", "limits.2.ratio.1", "is missing"),
    (ROI, "{name: a, ratio: [spend, cost, x], at_least: 1}", "limits.2.ratio", "has 3 items"),
    (ROI, "{name: a, ratio: spend, at_least: 1}", "limits.2.ratio",
     "`spend` is text, expected [a measure's name, a measure's name]"),
    ("maximise: conversion", "maximise: {conversion: lots}", "objective.maximise.conversion",
     "`lots` is text, expected a number"),
    ("maximise: conversion", "maximise: {}", "objective.maximise", "is empty"),
    ("maximise: conversion", "maximise: 5", "objective.maximise", "`5` is a whole number"),
    ("{88VIP: 3}", "{88VIP: -3}", "objective.weight.0.values.88VIP", "`-3` is too small"),
    ("{88VIP: 3}", "{88VIP: .nan}", "objective.weight.0.values.88VIP", "not finite"),
    ("{88VIP: 3}", "[3]", "objective.weight.0.values", "is a list, expected a mapping"),
    ("power: 0.25", "power: 0.25, values: {a: 1}", "objective.weight.1", "there are both"),
    (", power: 0.25", "", "objective.weight.1", "there is neither"),
    ("power: 0.25", "power: 0.25, clip: [3, 1]", "objective.weight.1.clip", "no range"),
    ("power: 0.25", "power: 0.25, clip: 3", "objective.weight.1.clip", "`3` is a whole number"),
    (RULE, "{offers: [off20]}", "eligibility.0.where", "is missing"),
    (RULE, "{offers: [off20], where: {}}", "eligibility.0.where", "is empty"),
    (RULE, "{offers: [], where: {a: b}}", "eligibility.0.offers", "is empty"),
    ("name: small", "name: small\nseed: 1.5", "seed", "`1.5` is a number, expected a whole"),
    ("name: small", "name: small\nseed: -1", "seed", "`-1` is too small, expected at least 0"),
    ("name: small", "name: small\nseed: 2147483648", "seed", "is too large"),
    ("name: small", "name: small\nassignment: one", "assignment",
     "expected `at_most_one` or `exactly_one`"),
    ("name: small", "name: small\nholdout_strata: tier", "holdout_strata", "expected a list"),
    ("name: small", "name: small\ndata: {sample: double12}", "data.sample",
     ("`double12` is not known, expected `double11`, `winback`, `everyday` or `weekly`;"
      " did you mean `double11`?")),
    ("name: small", "name: small\ndata: {sample: {name: double11, users: 5}}", "data.sample.users",
     "`5` is too small, expected at least 100"),
    ("name: small", "name: small\ndata: {users: 5}", "data.users", "expected the path of a CSV"),
    # impossible values
    ("holdout: 0.05", "holdout: 150%", "holdout", "`150%` is outside 0 to 100 %"),
    ("holdout: 0.05", "holdout: 5", "holdout", "`5` is outside 0 to 100 %"),
    ("holdout: 0.05", "holdout: -5%", "holdout", "`-5%` is outside 0 to 100 %"),
    (FLOOR, "{name: a, sum: cost, at_least: 101%}", "limits.0.at_least", "outside 0 to 100 %"),
    (FLOOR, "{name: a, sum: cost, at_most: -1}", "limits.0.at_most", "never below 0"),
    (FLOOR, "{name: a, sum: cost, at_least: 10%, at_most: 5%}", "limits.0.at_least",
     "the lower bound 10% is above the upper bound 5%"),
    (FLOOR, "{name: a, sum: cost}", "limits.0", "there is no bound, expected at_most, at_least"),
    (FLOOR, "{name: a, at_most: 5}", "limits.0", "there is neither, expected either sum or ratio"),
    (FLOOR, "{name: a, sum: cost, ratio: [a, b], at_most: 5}", "limits.0", "there are both"),
    ("{amount: 200k}", "{amount: -1}", "budget.amount", "`-1` is too small, expected at least 0"),
    (FIRST_OFFER, "{id: off10, face_value: -1}", "offers.0.face_value", "too small"),
    (FIRST_OFFER, "{id: off10, face_value: 1, min_spend: -1}", "offers.0.min_spend", "too small"),
    # parts that do not fit together
    ("name: region cap", "name: floor", "limits.1.name", "`floor` is the name of two limits"),
    ("name: floor", "name: budget", "limits.0.name", "the name of the budget itself"),
    ("name: floor", "name: 'region cap[North]'", "limits.0.name", "of the limit `region cap`"),
    ("offers: [off20]", "offers: [of20]", "eligibility.0.offers.0",
     "there is no offer `of20`; did you mean `off20`?"),
    (RULE, "{offers: [off20, off20], where: {tier: 88VIP}}", "eligibility.0.offers.1",
     "`off20` is named twice; name it once"),
    (FLOOR, "{name: floor, sum: cost, offers: [off10, off20, off10], at_most: 25%}",
     "limits.0.offers.2", "`off10` is named twice; name it once"),
    (FLOOR, "{name: a, sum: cost, offers: [off10, vip50], at_most: 5}", "limits.0.offers.1",
     "there is no offer `vip50`"),
    (FLOOR, "{name: a, sum: conversion, at_most: 5%}", "limits.0.at_most",
     "a sum of conversion cannot be bounded by a percentage, expected a number"),
    ("at_least: 1.5", "at_least: 15%", "limits.2.at_least", "a ratio cannot be bounded"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "field", "part"), MISTAKES)
def test_a_mistake_is_one_fault_with_line_field_and_cure(
    tmp_path: Path, old: str, new: str, field: str, part: str
) -> None:
    (message,) = faults(tmp_path, changed(old, new))
    line = CORRECT[: CORRECT.index(old)].count("\n") + 1 + new.count("\n")
    place, told = f"plan.yaml:{line}: {field}: ", message.partition(f"{field}: ")[2]
    assert message.startswith(place)
    assert part in told
    assert not JARGON.search(told)


def test_an_offer_named_twice_is_told_with_both_lines(tmp_path: Path) -> None:
    (message,) = faults(tmp_path, changed(FIRST_OFFER, "{id: off20, face_value: 10}"))
    assert message == (
        "plan.yaml:5: offers.1.id: `off20` is the id of two offers, first on line 4;"
        " choose another"
    )


def test_a_sample_beside_files_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "u.csv").touch()
    (message,) = faults(tmp_path, f"data: {{sample: winback, users: u.csv}}\n{CORRECT}")
    assert message.startswith("plan.yaml:1: data.sample: a sample stands beside files")


def test_references_are_not_checked_while_an_offer_has_no_id(tmp_path: Path) -> None:
    (message,) = faults(tmp_path, changed("id: off20", "idd: off20"))
    assert message == "plan.yaml:5: offers.1.idd: unknown key; did you mean `id`?"


def test_a_list_of_one_wrong_item_is_not_empty(tmp_path: Path) -> None:
    (message,) = faults(tmp_path, changed("version: 1", "version: 1\nfeatures: {allow: [7]}"))
    assert "features.allow.0: `7` is" in message


def test_an_only_offer_that_is_wrong_is_one_fault(tmp_path: Path) -> None:
    (message,) = faults(tmp_path, "version: 1\nname: a\noffers:\n  - {id: a, face_value: -3}\n")
    assert message.startswith("plan.yaml:4: offers.0.face_value: `-3` is too small")


@pytest.mark.parametrize("wrong", ["5", "abc", "{a: b}", "[5, [1], {id: {}}]", "[[]]", "", "[]"])
@pytest.mark.parametrize("section", ["offers", "limits", "eligibility", "objective", "budget"])
def test_no_shape_of_a_section_breaks_the_checks(tmp_path: Path, section: str, wrong: str) -> None:
    path = write(tmp_path, f"version: 1\nname: a\n{section}: {wrong}\n")
    with pytest.raises(ConfigError) as caught:
        load_policy(path)
    assert not JARGON.search(str(caught.value).replace(str(tmp_path), ""))
