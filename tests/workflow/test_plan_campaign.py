"""A plan with all that is known of it, in memory alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incentive_engine.config.document.loading import policy_from_mapping
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.step_cache import StepCache
from incentive_engine.insight.budget.policy_options import BudgetOptions, with_options
from incentive_engine.pipeline.steps import Steps
from incentive_engine.workflow.begin import Origin
from incentive_engine.workflow.plan_campaign import ModelEvidence, plan_campaign

POLICY = policy_from_mapping(
    {
        "version": 1,
        "name": "in memory",
        "offers": [{"id": "small", "face_value": 5}, {"id": "large", "face_value": 20}],
        "limits": [{"name": "stock", "sum": "issued", "offers": ["large"], "at_most": 40}],
        "holdout": 0.1,
    }
)


def table() -> ScoreTable:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"user_id": [f"u{row}" for row in range(500)]})
    for offer, strength in (("small", 0.05), ("large", 0.12)):
        frame[f"conversion__{offer}"] = rng.normal(strength, 0.05, 500)
        frame[f"spend__{offer}"] = rng.gamma(2.0, 40 * strength, 500)
        frame[f"cost__{offer}"] = rng.uniform(1, 40 * strength, 500)
    return ScoreTable.from_frame(frame, POLICY)


def test_a_plan_needs_neither_file_nor_cache_nor_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the cache was asked")

    monkeypatch.setattr(StepCache, "run", refused)
    monkeypatch.chdir(tmp_path)
    options = BudgetOptions(amount="200")
    findings = plan_campaign(
        with_options(POLICY, options),
        table(),
        options=options,
        evidence=ModelEvidence(),
        steps=Steps(),
    )
    assert findings.plan.certificate.feasible
    assert findings.response is not None
    assert findings.gain is None
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_whoever_asks_is_told_of_each_step_in_its_order_and_of_all_its_parts() -> None:
    told = []
    missing: dict[str, float] = {}

    @contextmanager
    def progress(step: str, parts: float) -> Iterator[Callable[[float], None]]:
        told.append(f"{step} begins")
        missing[step] = parts

        def advance(more: float) -> None:
            missing[step] -= more

        yield advance
        told.append(f"{step} ends")

    options = BudgetOptions(amount="200")
    steps = Steps(progress)
    plan_campaign(
        with_options(POLICY, options),
        table(),
        options=options,
        evidence=ModelEvidence(),
        steps=steps,
    )
    assert told == [
        f"{step} {event}"
        for step in ("state the problem", "solve", "value and compare")
        for event in ("begins", "ends")
    ]
    assert list(steps.seconds) == list(missing)
    assert all(abs(left) < 1e-9 for left in missing.values())


def test_a_brief_plan_is_the_same_and_waits_for_nothing_that_only_a_page_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = BudgetOptions(amount="200")
    policy = with_options(POLICY, options)
    whole, brief = (
        plan_campaign(
            policy, table(), options=options, evidence=ModelEvidence(), steps=Steps(), brief=brief
        )
        for brief in (False, True)
    )
    assert np.array_equal(whole.plan.choice, brief.plan.choice)
    assert whole.certificate == brief.certificate
    assert brief.response is None
    assert not brief.dropped
    for name in ("budget_response", "gains_without", "simpler_ways", "holdout_value"):
        monkeypatch.setattr(f"incentive_engine.workflow.plan_campaign.{name}", None)
    plan_campaign(
        policy, table(), options=options, evidence=ModelEvidence(), steps=Steps(), brief=True
    )


def test_the_budget_that_a_mandate_leaves_is_recorded_as_the_number_that_was_planned() -> None:
    options = BudgetOptions(amount="2000", min_marginal_roi=8.0)
    policy = with_options(POLICY, options)
    findings = plan_campaign(
        policy, table(), options=options, evidence=ModelEvidence(), steps=Steps()
    )
    planned = findings.policy.budget
    assert planned is not None
    assert planned.amount < 2000
    stated = Origin(policy=policy, policy_text=b"", options=options).overrides(findings.policy)
    assert stated == {"budget.amount": planned.amount, "min_marginal_roi": 8.0}
