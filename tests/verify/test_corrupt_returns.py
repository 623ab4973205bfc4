"""Lies about what the money returns, and about what was asked of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from incentive_engine.verify.verification import verify_run

from .corruption import Cases, Corruption, assert_refused
from .runs import HandMadeRun

case = Cases()


def stated() -> HandMadeRun:
    """Return a right run that states its returns."""
    run = HandMadeRun()
    state(run)
    return run


def state(run: HandMadeRun) -> None:
    run.certificate["returns"] = {
        "spend": 12.0, "cost": 4.0, "roi": 3.0, "marginal_roi": 2.0, "margin": 0.02,
    }  # fmt: skip
    run.certificate["mandate"]["cap"] = 4.0


@case("returns", "roi is 4.0, recomputed 3.0")
def state_a_better_return(run: HandMadeRun) -> None:
    state(run)
    run.certificate["returns"]["roi"] = 4.0


@case("returns", "spend is 13.0, recomputed 12.0")
def state_more_spend(run: HandMadeRun) -> None:
    state(run)
    run.certificate["returns"]["spend"] = 13.0


@case("returns", "cost is 3.0, recomputed 4.0")
def state_a_lower_cost(run: HandMadeRun) -> None:
    state(run)
    run.certificate["returns"]["cost"] = 3.0


@case("returns", "the last money returns 2.0, below 3.0")
def miss_the_target_of_the_last_money(run: HandMadeRun) -> None:
    state(run)
    run.certificate["mandate"]["min_marginal_roi"] = 3.0
    run.overrides["min_marginal_roi"] = 3.0


@case("returns", "the mandate is –, the override says 3.0")
def hide_the_target(run: HandMadeRun) -> None:
    state(run)
    run.overrides["min_marginal_roi"] = 3.0


@case("returns", "the budget 4.0 is above the cap 3.5")
def pass_the_cap(run: HandMadeRun) -> None:
    state(run)
    run.certificate["mandate"]["cap"] = 3.5


@case("returns", "the last money returns 2.0, below the budget's price 2.4")
def state_a_margin_below_the_price(run: HandMadeRun) -> None:
    state(run)
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy["objective"] = {"maximise": {"spend": 1.0}}
    run.limit("budget")["price"] = 2.4


@pytest.mark.parametrize(("corrupt", "check", "words"), case.parameters)
def test_it_is_refused(
    corrupt: Corruption, check: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    assert_refused(corrupt, check, words, tmp_path)


def test_a_right_run_that_states_its_returns_passes(tmp_path: Path) -> None:
    verification = verify_run(stated().write(tmp_path / "run"))
    assert verification.ok, verification.to_text()
    assert "returns" in [check.name for check in verification.checks]
