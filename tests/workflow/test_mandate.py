"""The three mandates: a fixed budget, a target return, a target return of the last money."""

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Incentive


def certificate(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "certificate.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture
def free(policy: Path) -> Path:
    """Return a policy without a budget, and without limits in percent of one."""
    text = policy.read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if "%" not in line and "budget" not in line]
    policy.write_text("\n".join(kept), encoding="utf-8")
    return policy


def test_a_fixed_budget_states_both_returns(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    """There is money for more than the best users, so that the last of it returns less."""
    done = incentive("allocate", policy, "--budget", "8000", "--out", "plan")
    assert done.returncode == 0, done.stderr
    assert "for the last 2%" in done.stdout
    stated = certificate(tmp_path / "plan")
    returns = stated["returns"]
    assert returns["roi"] == pytest.approx(returns["spend"] / returns["cost"])
    assert returns["marginal_roi"] < returns["roi"]
    assert stated["mandate"] == {"min_roi": None, "min_marginal_roi": None, "cap": 8000.0}


def test_the_last_money_returns_what_was_asked_and_verify_agrees(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    target = ("--budget", "8000", "--min-marginal-roi", "10")
    done = incentive("allocate", policy, *target, "--out", "plan")
    assert done.returncode == 0, done.stderr
    stated = certificate(tmp_path / "plan")
    assert stated["returns"]["marginal_roi"] >= 10
    assert stated["budget"]["amount"] < 8000
    assert stated["mandate"]["cap"] == 8000
    assert "(cap 8,000.00)" in done.stdout
    assert incentive("verify", "plan").returncode == 0


def test_a_target_return_needs_no_budget(incentive: Incentive, free: Path, tmp_path: Path) -> None:
    done = incentive("allocate", free, "--min-roi", "9", "--out", "plan")
    assert done.returncode == 0, done.stderr
    stated = certificate(tmp_path / "plan")
    assert stated["returns"]["roi"] >= 9 * (1 - 1e-9)
    assert stated["budget"]["amount"] is None
    assert stated["returns"]["marginal_roi"] is not None
    assert incentive("verify", "plan").returncode == 0


def test_a_target_for_the_last_money_needs_no_budget(
    incentive: Incentive, free: Path, tmp_path: Path
) -> None:
    done = incentive("allocate", free, "--min-marginal-roi", "5", "--out", "plan")
    assert done.returncode == 0, done.stderr
    stated = certificate(tmp_path / "plan")
    assert stated["mandate"]["cap"] is None
    assert stated["budget"]["amount"] >= stated["budget"]["spent"]
    assert stated["returns"]["marginal_roi"] >= 5
    assert incentive("verify", "plan").returncode == 0


def test_a_target_that_no_money_reaches_is_an_answer(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    done = incentive("allocate", policy, "--min-marginal-roi", "1000", "--out", "plan")
    assert done.returncode == 1
    assert "--min-marginal-roi 1000: no budget up to 4,000" in done.stderr
    assert "the best is" in done.stderr
    assert not (tmp_path / "plan").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--budget", "-5"), "--budget: `-5` is too small, expected at least 0"),
        (("--basis", "gross"), "--basis: `gross` is not known"),
        (("--min-roi", "nan"), "--min-roi: `nan` is no ratio"),
        (("--min-marginal-roi", "-1"), "--min-marginal-roi: `-1` is no ratio"),
    ],
)
def test_what_is_wrong_stands_at_the_option(
    incentive: Incentive, policy: Path, words: tuple[str, ...], message: str
) -> None:
    done = incentive("allocate", policy, *words)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
