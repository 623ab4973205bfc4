"""A plan has one gain by the trial, whatever was moved before it was looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from incentive_engine.config.document.loading import load_policy
from incentive_engine.insight.value.plan_gain import PlanGain
from incentive_engine.run.finished import read_run
from incentive_engine.workflow.studio.warm_plans import warm_plan
from workflow.conftest import SMALL, program


@pytest.mark.slow
def test_the_gain_of_a_policy_is_that_of_its_plan_and_does_not_depend_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(SMALL, encoding="utf-8")
    ended = program(tmp_path, tmp_path / "cache", "allocate", file, "--no-report", "--out", "run")
    assert ended.returncode == 0, ended.stderr
    monkeypatch.setenv("INCENTIVE_CACHE", str(tmp_path / "cache"))
    policy = load_policy(file)
    warm = warm_plan(policy, None)

    def gain(amount: float) -> PlanGain:
        assert warm.outlook(policy.with_budget(amount=amount)).feasible
        found = warm.gain()
        assert found is not None
        return found

    first = gain(4_000.0)
    for detour in (1_000.0, 3_900.0, 8_000.0):
        warm.outlook(policy.with_budget(amount=detour))
        again = gain(4_000.0)
        assert again.conversions.value == pytest.approx(first.conversions.value, rel=1e-9)
        assert again.cost.value == pytest.approx(first.cost.value, rel=1e-9)
    for amount, name in ((4_000.0, "run"), (2_000.0, "less")):
        words = ("allocate", file, "--budget", str(amount), "--no-report", "--out", name)
        if name != "run":
            assert program(tmp_path, tmp_path / "cache", *words).returncode == 0
        stated = read_run(tmp_path / name).evaluation.plan
        assert stated is not None
        assert gain(amount).conversions.value == pytest.approx(stated.conversions.estimate)
        assert gain(amount).cost.value == pytest.approx(stated.cost.estimate)
