"""From a frame to a plan, and from a plan to a run directory, without the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import incentive_engine as ie

from .market import model, policy, scores, trial_frame, users_frame

PROGRAM = Path(sys.executable).with_name("incentive")
COLUMNS = [
    "user_id", "offer_id", "conversion", "spend", "cost", "cost_micros", "weight", "reason",
]  # fmt: skip


def test_every_name_of_the_library_is_there_and_dir_lists_them() -> None:
    assert all(getattr(ie, name) is not None for name in ie.__all__)
    assert set(ie.__all__) <= set(dir(ie))
    with pytest.raises(AttributeError, match="has no attribute `alocate`"):
        _ = ie.alocate


def test_importing_the_library_loads_nothing_heavy() -> None:
    program = (
        "import sys, incentive_engine as ie; ie.DataError;"
        "print(*{'pandas', 'numpy', 'pyarrow', 'lightgbm', 'ortools', 'numba'} & {*sys.modules})"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_a_plan_from_frames_has_the_columns_of_the_run_and_keeps_its_budget() -> None:
    plan = ie.allocate(scores(), policy(), budget=1000)
    frame = plan.to_frame()
    assert list(frame.columns[: len(COLUMNS)]) == COLUMNS
    assert frame["user_id"].tolist() == users_frame()["user_id"].tolist()
    assert frame["cost_micros"].sum() <= 1000 * 1_000_000
    assert plan.certificate.value <= plan.certificate.bound
    assert 0 <= plan.certificate.gap < 1e-3
    assert set(plan.prices) == {"budget", "cap[north]", "cap[south]"}
    assert plan.prices["budget"] > 0


def test_a_frame_that_a_caller_changes_does_not_change_the_plan() -> None:
    plan = ie.allocate(scores(), policy(), budget=1000)
    frame = plan.to_frame()
    frame["offer_id"] = "none"
    assert set(plan.to_frame()["offer_id"].dropna()) <= {"off10", "off20"}


@pytest.mark.parametrize("budget", ["1k", "1_000", 1000, 1000.0, np.float64(1000), np.int64(1000)])
def test_a_budget_may_be_a_number_or_what_planners_write(budget: float) -> None:
    assert ie.allocate(scores(), policy(), budget=budget).certificate.budget.amount == 1000


def test_frames_of_polars_and_arrow_give_the_same_model_and_the_same_plan() -> None:
    frame, users = trial_frame(), users_frame()
    plan = ie.allocate(scores(), policy(), budget=1000).to_frame()
    categories = pl.from_pandas(users).with_columns(pl.col("region").cast(pl.Categorical))
    for trial, others in (
        (pl.from_pandas(frame), pl.from_pandas(users)),
        (pa.Table.from_pandas(frame), pa.Table.from_pandas(users)),
        (frame.set_index(np.zeros(len(frame))), categories),
    ):
        other = ie.fit(ie.Trial.from_frame(trial, policy()), policy(), seed=11)
        assert other.fitted.facts.trial == model().fitted.facts.trial
        found = ie.allocate(other.score(others, policy()), policy(), budget=1000)
        pd.testing.assert_frame_equal(found.to_frame(), plan)


def test_scores_of_anyone_become_a_plan() -> None:
    offers = [{"id": "off10", "face_value": 10}]
    own = policy(offers=offers, limits=[], holdout=0.0, holdout_strata=[])
    frame = pl.DataFrame(
        {
            "user_id": [1, 2, 3],
            "conversion__off10": [0.05, 0.01, 0.03],
            "cost__off10": [2.0, 2.0, 2.0],
        }
    )
    plan = ie.allocate(ie.ScoreTable.from_frame(frame, own), own, budget=4)
    assert plan.to_frame()["offer_id"].fillna("none").tolist() == ["off10", "none", "off10"]


def test_a_saved_plan_verifies_reads_back_and_can_be_exported(
    tmp_path: Path,
) -> None:
    plan = ie.allocate(scores(), policy(), budget=1000, min_roi=0.5)
    plan.save(tmp_path / "given")
    plan.save(tmp_path / "valued", model=model(), author="Lin", lang="zh")
    for name in ("given", "valued"):
        found = ie.verify(tmp_path / name)
        assert found.ok, found.to_text()
        run = ie.load_run(tmp_path / name)
        pd.testing.assert_frame_equal(run.to_frame(), plan.to_frame())
        assert dict(run.prices) == dict(plan.prices)
        assert run.policy.model_dump() == plan.policy.model_dump()
    assert ie.load_run(tmp_path / "valued").evaluation.plan is not None
    words = [
        "--to",
        str(tmp_path / "offers.csv"),
        "--accept",
        "holdout",
        "--accept",
        "uncertain-gain",
    ]
    done = subprocess.run(  # noqa: S603 - our own program
        [PROGRAM, "export", tmp_path / "valued", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    offered = plan.to_frame()["offer_id"].notna().sum()
    assert len(pd.read_csv(tmp_path / "offers.csv")) == offered
    with pytest.raises(ie.DataError, match="exists already"):
        plan.save(tmp_path / "given")


def test_the_gain_by_the_trial_covers_the_truth_and_is_that_of_the_saved_run(
    tmp_path: Path,
) -> None:
    plan = ie.allocate(scores(), policy(), budget=1000)
    gain = model().gain(plan)
    rows, users = plan.to_frame(), users_frame()
    effect = {"off10": np.full(len(users), 0.03), "off20": 0.02 * users["visits"].to_numpy() / 3}
    truth = sum(float(effect[name][rows["offer_id"] == name].sum()) for name in ("off10", "off20"))
    assert gain.low - 4 * gain.standard_error < truth < gain.high + 4 * gain.standard_error
    plan.save(tmp_path / "run", model=model())
    stated = ie.load_run(tmp_path / "run").evaluation.plan
    assert stated is not None
    assert stated.conversions.estimate == pytest.approx(gain.value)
    assert model().gain(plan, "cost").value > 0


def test_a_plan_that_knows_its_model_has_the_costs_that_the_trial_says(tmp_path: Path) -> None:
    forecast = ie.allocate(scores(), policy(), budget=1000)
    known = ie.allocate(scores(), policy(), budget=1000, model=model())
    factor = known.stated.correction.factor
    assert known.stated.correction.error > 0
    corrected = [plan.stated.table.measure("cost", "off20").mean() for plan in (known, forecast)]
    assert corrected[0] == pytest.approx(factor * corrected[1], rel=1e-4)
    assert known.certificate.budget.spent <= 1000
    assert "as forecast<" in forecast._repr_html_()
    assert f"as forecast {factor - 1:+.1%}, by the trial" in known._repr_html_()
    known.save(tmp_path / "run", model=model())
    found = ie.verify(tmp_path / "run")
    assert found.ok, found.to_text()
    told = ie.load_run(tmp_path / "run").evaluation.plan
    assert told is not None
    assert told.cost.estimate == pytest.approx(model().gain(known, "cost").value)


def test_deciding_every_user_alone_gives_the_plan_but_for_those_at_a_tie(tmp_path: Path) -> None:
    plan = ie.allocate(scores(), policy(), budget=1000)
    rows = scores().to_frame().to_dict("records")
    planned = plan.to_frame()["offer_id"].astype(object).where(lambda ids: ids.notna(), None)
    alone = [ie.decide(row, plan.frozen, plan.prices).offer_id for row in rows]
    assert sum(a != b for a, b in zip(alone, planned, strict=True)) == plan.prices.settled
    plan.save(tmp_path / "run")
    run = ie.load_run(tmp_path / "run")
    again = [ie.decide(row, run.frozen, run.prices) for row in rows[:200]]
    assert [choice.offer_id for choice in again] == alone[:200]
    other = ie.allocate(scores(), policy(seed=5), budget=1000)
    with pytest.raises(ie.DataError, match="belong to another policy"):
        ie.decide(rows[0], plan.frozen, other.prices)
    with pytest.raises(ie.DataError, match="user: is a tuple"):
        ie.decide(("u0",), plan.frozen, plan.prices)  # type: ignore[arg-type] # bad on purpose


def test_an_evaluation_is_tables_and_a_plot() -> None:
    found = ie.evaluate(model(), model().trial, policy())
    assert found.offers["offer"].tolist() == ["off10", "off20"]
    assert {"budget", "model", "model_low", "model_high", "constant"} <= {*found.curve}
    assert {"check", "verdict"} <= {*found.checks}
    assert found.plot().svg.startswith("<svg")
    assert "Qini" in found._repr_html_()


def test_more_money_never_brings_less() -> None:
    curve = ie.response_curve(scores(), policy(), [500, "2k", 1000])
    assert curve.columns.tolist() == ["budget", "value", "spent", "treated", "price"]
    assert curve["budget"].tolist() == [500, 2000, 1000]
    ordered = curve.sort_values("budget")
    assert ordered["value"].is_monotonic_increasing
    assert ordered["price"].is_monotonic_decreasing
    assert (curve["spent"] <= curve["budget"] * (1 + 1e-9)).all()


def test_a_budget_that_no_plan_can_keep_is_a_row_without_numbers() -> None:
    floor = {"name": "floor", "sum": "cost", "at_least": 800}
    curve = ie.response_curve(scores(), policy(limits=[floor]), [900, 2000])
    assert curve["value"].notna().tolist() == [True, True]
    tight = policy(limits=[{"name": "many", "sum": "issued", "at_least": 2500}])
    assert ie.response_curve(scores(), tight, [1, 90_000])["value"].notna().tolist() == [
        False,
        True,
    ]


def test_a_model_is_read_back_for_its_trial_alone(tmp_path: Path) -> None:
    model().save(tmp_path / "model")
    again = ie.UpliftModel.load(tmp_path / "model", model().trial, policy())
    assert again.score(users_frame(), policy()).to_frame().equals(scores().to_frame())
    other = ie.Trial.from_frame(trial_frame().head(5000), policy())
    with pytest.raises(ie.DataError, match="not the trial"):
        ie.UpliftModel.load(tmp_path / "model", other, policy())


def test_reprs_say_shapes_and_notebooks_get_tables() -> None:
    plan = ie.allocate(scores(), policy(), budget=1000)
    assert repr(scores()) == "ScoreTable(3,000 users × 2 offers; conversion, cost, spend)"
    assert repr(model().trial).startswith("Trial(6,000 rows × 3 features; arms control, off10")
    assert repr(model()) == "UpliftModel(6,000 trial rows × 3 features; offers off10, off20)"
    assert repr(plan).startswith("Plan(3,000 users × 2 offers; ")
    assert "<th>treated</th>" in plan._repr_html_()
    assert "cap[north]" in plan.certificate._repr_html_()
    assert "<b>" in model().gain(plan)._repr_html_()
