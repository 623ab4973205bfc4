"""Costs are corrected as far as the trial shows that a plan's users cost more than forecast."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incentive_engine.config.document.loading import policy_from_mapping
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import COST, MICROS, OUTCOMES
from incentive_engine.insight.budget.policy_options import BudgetOptions, with_options
from incentive_engine.insight.findings import PlanFindings
from incentive_engine.insight.value.cost_correction import CostCorrection, cost_correction
from incentive_engine.insight.value.plan_gain import ValuedTrial
from incentive_engine.pipeline.steps import Steps
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.doubly_robust.increments import Increments
from incentive_engine.uplift.doubly_robust.valuation import Valuation
from incentive_engine.workflow.plan_campaign import ModelEvidence, plan_campaign

Incentive = Callable[..., subprocess.CompletedProcess[str]]
POLICY = policy_from_mapping(
    {"version": 1, "name": "dear", "offers": [{"id": "off", "face_value": 20}], "holdout": 0.1}
)


def _table(rows: int, seed: int) -> ScoreTable:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"user_id": np.arange(rows)})
    frame["conversion__off"] = rng.uniform(0.0, 0.1, rows)
    frame["spend__off"] = 10 * frame["conversion__off"]
    frame["cost__off"] = rng.uniform(0.5, 3.0, rows)
    return ScoreTable.from_frame(frame, POLICY)


def _trial(rows: int, times: float) -> ValuedTrial:
    """Return a trial in which redemptions cost so many times what was forecast."""
    rng, table = np.random.default_rng(1), _table(rows, 2)
    expected = np.asarray(table.measure(COST, "off"), dtype=np.float64)[:, None]
    arm = rng.integers(0, 2, rows)
    paid = 20.0 * (rng.random(rows) < times * expected[:, 0] / 20) * (arm == 1)
    surprise = (paid - expected[:, 0] * (arm == 1)) / 0.5
    noise = np.sqrt(20.0 * expected[:, 0]) / 0.5
    brought = Increments(arm=arm, expected=expected, surprise=surprise, noise=noise)
    return ValuedTrial(
        table=table,
        valuation=Valuation(
            offers=("off",),
            by_measure=dict.fromkeys(OUTCOMES, brought),
            fold=rng.integers(0, 5, rows),
        ),
        baseline={},
    )


def _planned(
    trial: ValuedTrial, *, basis: str | None = None, last: float | None = None
) -> PlanFindings:
    options = BudgetOptions(amount="400", basis=basis, min_marginal_roi=last)
    return plan_campaign(
        with_options(POLICY, options),
        _table(1000, 3),
        options=options,
        evidence=ModelEvidence(valued=lambda: trial),
        steps=Steps(),
        brief=True,
    )


def test_costs_that_the_trial_proves_too_low_are_raised_and_then_fit_the_budget() -> None:
    findings = _planned(_trial(200_000, times=1.2))
    factor, users = findings.correction.factor, findings.plan.choice >= 0
    assert factor == pytest.approx(1.2, abs=0.04)
    forecast = np.asarray(_table(1000, 3).measure(COST, "off"))[users].sum()
    spent = findings.plan.cost_micros.sum() / MICROS
    assert spent == pytest.approx(factor * forecast, rel=1e-5)
    assert 390 < spent <= 400
    told = findings.certificate["budget"]["evaluated"]
    assert told["correction"] == factor
    assert told["low"] < 400 * 1.02
    assert told["high"] > 400 * 0.98
    assert told["estimate"] == pytest.approx(1.2 * forecast, rel=0.04)


def test_a_small_trial_says_too_little_to_correct_costs_by() -> None:
    assert _planned(_trial(1000, times=1.0)).correction.factor == pytest.approx(1.0, abs=0.02)


def test_a_budget_at_risk_counts_what_the_choice_of_users_adds_to_the_error() -> None:
    trial = _trial(1000, times=1.0)
    budget = _planned(trial, basis="at-risk").policy.budget
    assert budget is not None
    assert budget.cost_error is not None
    assert budget.cost_error == pytest.approx(np.hypot(0.05, 0.045), rel=0.1)


def test_costs_are_corrected_too_where_the_last_money_sets_the_budget() -> None:
    findings = _planned(_trial(200_000, times=1.2), last=0.001)
    assert findings.correction.factor == pytest.approx(1.2, abs=0.04)
    assert not any("more than its budget" in str(warning) for warning in findings.warnings)


@pytest.mark.parametrize(
    ("evaluated", "predicted"),
    [
        (Estimate(value=0.0, standard_error=0.0), 100.0),
        (Estimate(value=50.0, standard_error=float("inf")), 100.0),
        (Estimate(value=50.0, standard_error=2.0), 0.0),
        (Estimate(value=-5.0, standard_error=9.0), 100.0),
    ],
)
def test_a_trial_that_tells_no_cost_corrects_nothing(
    evaluated: Estimate, predicted: float
) -> None:
    assert cost_correction(evaluated, predicted).factor == 1.0


def test_the_correction_is_the_mean_of_what_may_be_true() -> None:
    rng = np.random.default_rng(0)
    chance, spread = np.array(CostCorrection.SELECTION_ERRORS).T
    true = rng.normal(0.0, rng.choice(spread, 4_000_000, p=chance))
    seen = true + rng.normal(0.0, 0.05, len(true))
    near = true[np.abs(seen - np.log(1.1)) < 0.002]
    correction = cost_correction(Estimate(value=110.0, standard_error=5.5), 100.0)
    assert np.log(correction.factor) == pytest.approx(near.mean(), abs=0.002)
    assert correction.error == pytest.approx(near.std(), abs=0.002)


def test_a_run_states_what_it_costs_by_the_trial(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    done = incentive("allocate", policy, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "cost by the trial: " in done.stdout
    assert "by the trial " in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    told = json.loads((tmp_path / "run" / "certificate.json").read_text())["budget"]["evaluated"]
    gain = json.loads((tmp_path / "run" / "evaluation.json").read_text())["plan"]["cost"]
    assert {name: told[name] for name in gain} == gain
    assert incentive("verify", tmp_path / "run").returncode == 0


def test_a_budget_below_the_cheapest_offer_says_so() -> None:
    options = BudgetOptions(amount="0.3")
    findings = plan_campaign(
        with_options(POLICY, options),
        _table(1000, 3),
        options=options,
        evidence=ModelEvidence(),
        steps=Steps(),
        brief=True,
    )
    assert any("below the expected cost of the cheapest" in str(w) for w in findings.warnings)
