"""Limits that are shares of what the whole plan adds up to."""

from __future__ import annotations

from pathlib import Path

import pytest

from incentive_engine.verify.verification import verify_run

from .corruption import Corruption
from .runs import HandMadeRun, limit


def run_with(at_most: str, *, usage: float, share: float, price: float = 0.0) -> HandMadeRun:
    """Return the run by hand with a cap on the west's part of what is spent: 1 of 4."""
    run = HandMadeRun()
    stated = {"name": "west", "sum": "cost", "where": {"region": "west"}, "at_most": at_most}
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy["limits"].append(stated)
    ratio = {"at_most": share, "at_least": None, "usage": 0.25}
    entry = limit("west", at_most=0.0, usage=usage, slack=-usage, ratio=ratio, price=price)
    run.certificate["limits"].append(entry)
    return run


def test_a_part_of_the_plan_is_recomputed_over_all_users(tmp_path: Path) -> None:
    run = run_with("30% of spent", usage=1 - 0.3 * 4, share=0.3)
    assert verify_run(run.write(tmp_path / "run")).failures == ()


def test_a_price_of_a_part_is_paid_by_everybody(tmp_path: Path) -> None:
    # whoever is not counted gets 0.3 of the price back for each unit of cost: 101 with 3, 102
    # with 1 pays 0.7, so the bound moves by 0.1 x (0.3 x 3 - 0.7 x 1) where both are above 0
    run = run_with("30% of spent", usage=-0.2, share=0.3, price=0.1)
    (failed,) = (x for x in verify_run(run.write(tmp_path / "run")).failures if x.name == "bound")
    # 101: 1.2 - 0.72 + 0.09 = 0.57; 102: 0.24 - 0.24 - 0.07 and 0.27 - 0.6 - 0.175 are below 0;
    # 103: 0.06 - 0.36 + 0.045 is below 0; the budget adds 0.96
    assert "the bound is 1.44, recomputed 1.53" in failed.detail


def exceed(run: HandMadeRun) -> None:
    """State a lower bound than the west keeps."""
    run.limit("west").update(usage=0.2, slack=-0.2)
    run.limit("west")["ratio"]["at_most"] = 0.2


def flatter(run: HandMadeRun) -> None:
    """State a smaller part than the west has."""
    run.limit("west")["ratio"]["usage"] = 0.2


def take_the_budget(run: HandMadeRun) -> None:
    """Take the share of the budget in place of what is spent."""
    run.limit("west").update(at_most=1.2, usage=1.0, slack=0.2)


@pytest.mark.parametrize(
    ("bound", "lie", "words"),
    [
        ("20% of spent", exceed, "breaks `west`: the ratio is 0.25"),
        ("30% of spent", flatter, "`west`: ratio is 0.2, recomputed 0.25"),
        ("30% of spent", take_the_budget, "`west`: at_most is 1.2"),
    ],
)
def test_lies_about_a_part_are_refused(
    bound: str, lie: Corruption, words: str, tmp_path: Path
) -> None:
    run = run_with(bound, usage=-0.2, share=0.3)
    lie(run)
    failures = verify_run(run.write(tmp_path / "run")).failures
    assert any(words in check.detail for check in failures), failures
