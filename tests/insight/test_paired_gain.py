"""The difference of two plans has an interval of its own, by the trial that valued both."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from incentive_engine.config.document.loading import load_policy
from incentive_engine.insight.planner.paired_gain import gain_difference
from incentive_engine.insight.value.plan_gain import ValuedTrial
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.workflow.studio.warm_plans import warm_plan
from workflow.conftest import SMALL, program

CHANGES = {
    "plenty": ("", ""),
    "scarce": ("amount: 4000", "amount: 2000"),
    "other": ("holdout: 0.05", "holdout: 0.2"),
}


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[FinishedRun, ValuedTrial]]:
    """Return plans of one campaign under other settings, and the trial as each reads it."""
    folder, found = tmp_path_factory.mktemp("paired"), {}
    for name, (old, new) in CHANGES.items():
        file = folder / f"{name}.yaml"
        file.write_text(SMALL.replace(old, new), encoding="utf-8")
        words = ("allocate", file.name, "--no-report", "--out", name)
        ended = program(folder, folder / "cache", *words)
        assert ended.returncode == 0, ended.stderr
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("INCENTIVE_CACHE", str(folder / "cache"))
            trial = warm_plan(load_policy(file), None).trial()
        assert trial is not None
        found[name] = (read_run(folder / name), trial)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("second", ["scarce", "other"])
def test_a_difference_is_that_of_the_stated_gains_and_narrower_than_both(
    runs: dict[str, tuple[FinishedRun, ValuedTrial]], second: str
) -> None:
    (before, one), (after, two) = runs["plenty"], runs[second]
    found = gain_difference(before, after, (one, two))
    old, new = before.evaluation.plan, after.evaluation.plan
    assert found is not None
    assert old is not None
    assert new is not None
    for paired, first, last in (
        (found.conversions, old.conversions, new.conversions),
        (found.spend, old.spend, new.spend),
        (found.cost, old.cost, new.cost),
    ):
        assert paired.value == pytest.approx(last.estimate - first.estimate, rel=1e-6)
        assert paired.low < paired.value < paired.high
        apart = math.hypot(first.high - first.low, last.high - last.low)
        assert paired.high - paired.low < apart


@pytest.mark.slow
def test_a_plan_and_itself_do_not_differ_and_another_trial_says_nothing(
    runs: dict[str, tuple[FinishedRun, ValuedTrial]],
) -> None:
    run, trial = runs["plenty"]
    same = gain_difference(run, run, (trial, trial))
    assert same is not None
    assert same.conversions.value == same.conversions.low == same.conversions.high == 0
    valuation = replace(trial.valuation, fold=trial.valuation.fold[::-1].copy())
    other = replace(trial, valuation=valuation)
    assert gain_difference(run, run, (other, other)) is None
    assert gain_difference(run, run, (trial, other)) is None
