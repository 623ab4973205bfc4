from __future__ import annotations

from pathlib import Path

import pytest

from incentive_engine.config.amounts import Bound

from .policies import CORRECT, changed, faults, load


def test_settings_change_what_the_file_says(tmp_path: Path) -> None:
    policy = load(
        tmp_path,
        CORRECT,
        "budget.amount=300k",
        "limits.region cap.at_most=8%",
        "objective.weight[0].values[88VIP]=2",
        "offers.off20.face_value=25",
        "objective.weight.spend_12m.power=0.5",
        "eligibility.0.where.tier=[88VIP, silver]",
        "holdout=null",
        "seed=7",
    )
    assert policy.budget is not None
    assert policy.budget.amount == 300_000
    assert policy.limits[1].at_most == Bound(0.08, is_share=True)
    assert policy.objective.weight[0].values == {"88VIP": 2}
    assert policy.offers[1].face_value == 25
    assert policy.objective.weight[1].power == 0.5
    assert policy.eligibility[0].where == {"tier": ("88VIP", "silver")}
    assert policy.holdout is None
    assert policy.seed == 7


def test_null_drops_a_limit_and_the_others_keep_their_lines(tmp_path: Path) -> None:
    policy = load(tmp_path, CORRECT, "limits.floor=null")
    assert [limit.name for limit in policy.limits] == ["region cap", "roi"]
    line = CORRECT[: CORRECT.index("{name: roi")].count("\n") + 1
    assert policy.locate(("limits", 1, "ratio")).endswith(f":{line}: limits.1.ratio")


def test_a_section_that_the_file_lacks_can_be_set(tmp_path: Path) -> None:
    policy = load(tmp_path, changed("budget: {amount: 200k}\n", ""), "budget.amount=5")
    assert policy.budget is not None
    assert policy.budget.amount == 5


def test_names_with_dots_are_found_and_the_longest_name_wins(tmp_path: Path) -> None:
    text = changed("name: region cap", "name: floor.at 7")
    policy = load(tmp_path, text, "limits.floor.at 7.at_most=9%", "limits.floor.at_least=1%")
    assert policy.limits[1].at_most == Bound(0.09, is_share=True)
    assert policy.limits[0].at_least == Bound(0.01, is_share=True)


def test_a_wrong_value_is_placed_at_its_option(tmp_path: Path) -> None:
    amount, bases = faults(tmp_path, CORRECT, "budget.amount=lots", "budget.bases=face")
    assert amount.startswith("--set budget.amount=lots: budget.amount: `lots` is not an amount")
    end = "budget.bases: unknown key; did you mean `basis`?"
    assert bases == f"--set budget.bases=face: {end}"


@pytest.mark.parametrize(
    ("setting", "part"),
    [
        ("limits.region cat.at_most=8%", "there is no `region cat`; did you mean `region cap`?"),
        ("limits[region cat].at_most=8%", "did you mean `region cap`?"),
        ("limits.9=null", "there is no `9`; known: floor, region cap, roi"),
        ("bugdet.amount=5", "bugdet: unknown key; did you mean `budget`?"),
        ("name.first=5", "`first` cannot stand below a single value"),
        ("budget.amount", "no value, expected KEY=VALUE, or KEY=null to leave it out"),
        ("budget.amount=", "no value"),
        ("=5", "no value"),
        ("budget={amount: 5", "not properly closed"),
        ("budget={amount: 5, amount: 6}", "the key stands twice"),
        ("name=null", "name: is missing"),
        ("offers=null", "offers: is missing"),
    ],
)
def test_a_setting_that_fits_nowhere_is_one_fault(tmp_path: Path, setting: str, part: str) -> None:
    (message,) = faults(tmp_path, CORRECT, setting)
    assert part in message
    assert message.startswith(f"--set {setting}") or "is missing" in part


def test_faults_of_file_and_options_come_together(tmp_path: Path) -> None:
    found = faults(tmp_path, changed("holdout: 0.05", "holdout: 5"), "limits.x=null", "seed=a")
    assert len(found) == 3
