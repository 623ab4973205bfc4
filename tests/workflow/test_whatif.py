"""What-if questions, asked as a planner asks them."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from incentive_engine.data.tables.files import digest_file

from .conftest import SMALL, program

Incentive = Callable[..., subprocess.CompletedProcess[str]]

ASKED = ("--budgets", "500,2k,4k", "--set", "objective.weight[tier].values.88VIP=1")
IMPOSSIBLE = "limits[vip floor].at_least=3000"


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Return the directory of one what-if, which several tests look at."""
    folder = tmp_path_factory.mktemp("whatif")
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    done = program(folder, cache, "whatif", "small.yaml", *ASKED,
                   "--variant", f"floor:{IMPOSSIBLE}", "--out", "answer")  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "answer"


def table(answer: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(answer / f"{name}.csv")


def test_there_is_a_row_per_variant_and_budget(answer: Path) -> None:
    points = table(answer, "whatif")
    assert len(points) == 9
    assert points["budget"].unique().tolist() == [500, 2000, 4000]
    assert points["variant"].unique().tolist()[0] == "base"


def test_every_point_is_certified_and_within_its_budget(answer: Path) -> None:
    points = table(answer, "whatif").query("feasible")
    assert (points["bound"] >= points["value"]).all()
    assert (points["gap"] <= 1e-6).all()
    assert (points["cost"] <= points["budget"] * (1 + 1e-9)).all()
    assert points["roi"].to_numpy() == pytest.approx(points["spend"] / points["cost"])


def test_a_point_that_cannot_be_is_a_row_with_its_conflict(answer: Path) -> None:
    points = table(answer, "whatif").query("variant == 'floor'")
    assert points["feasible"].tolist() == [False, False, True]
    assert points["conflict"].str.contains("vip floor").tolist()[:2] == [True, True]
    assert points["value"].isna().tolist() == [True, True, False]


def test_costs_are_those_of_the_plan_by_the_trial_or_are_called_forecast(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    learned = incentive("whatif", policy, "--budgets", "4k", "--out", tmp_path / "learned")
    assert learned.returncode == 0, learned.stderr
    planned = incentive("allocate", policy, "--out", tmp_path / "run")
    assert planned.returncode == 0, planned.stderr
    told = json.loads((tmp_path / "run" / "certificate.json").read_text("utf-8"))
    factor = told["budget"]["evaluated"]["correction"]
    assert ("costs were corrected by" in learned.stdout) == (factor != 1)
    point = table(tmp_path / "learned", "whatif").iloc[0]
    assert point["value"] == pytest.approx(told["value"], rel=0.01)
    scores = tmp_path / "run" / "scores.parquet"
    given = incentive("whatif", policy, "--budgets", "4k", "--scores", scores)
    assert given.returncode == 0, given.stderr
    assert "as the scores forecast them" in given.stdout


def test_moves_add_up_to_the_change_but_for_a_user_whom_each_plan_splits(
    answer: Path, cache: Path
) -> None:
    scores = [pd.read_parquet(file) for file in cache.glob("scores/*/scores.parquet")]
    dearest = max(float(each.filter(like="cost__").to_numpy().max()) for each in scores)
    moves, points = table(answer, "moves"), table(answer, "whatif")
    cost = points.pivot_table(index="budget", columns="variant", values="cost")
    (even,) = [name for name in cost.columns if name.startswith("objective")]
    moved = moves[moves["variant"] == even].groupby("budget")["cost"].sum()
    change = (cost[even] - cost["base"]).loc[moved.index]
    assert moved.to_numpy() == pytest.approx(change.to_numpy(), abs=2 * dearest)
    assert (moves["from"] != moves["to"]).all()
    assert set(moves["column"]) == {"tier"}


def test_dropping_a_limit_that_has_no_price_gains_nothing(answer: Path) -> None:
    limits = table(answer, "limits")
    assert (limits["gain_if_dropped"] >= 0).all()
    assert (limits.query("price == 0")["gain_if_dropped"] == 0).all()
    assert (limits.query("limit == 'budget' and budget == 500")["gain_if_dropped"] > 0).all()
    assert (limits["gain_if_rule_dropped"] >= limits["gain_if_dropped"] - 1e-4).all()


def test_a_surer_budget_buys_less(answer: Path) -> None:
    safety = table(answer, "safety").query("variant == 'base'")
    assert safety["confidence"].tolist() == [0.5, 0.8, 0.9, 0.95, 0.99]
    assert safety["value"].is_monotonic_decreasing
    assert safety["expected_cost"].iloc[0] == pytest.approx(2000)


def test_the_manifest_vouches_for_every_file(answer: Path) -> None:
    manifest = json.loads((answer / "manifest.json").read_text(encoding="utf-8"))
    names = {path.name for path in answer.iterdir()} - {"manifest.json"}
    assert set(manifest["outputs"]) == names
    for name, output in manifest["outputs"].items():
        assert output["sha256"] == digest_file(answer / name)
    assert manifest["variants"][0]["name"] == "base"


def test_the_page_needs_no_other_file(answer: Path) -> None:
    page = (answer / "whatif.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "src=" not in page
    assert "What each rule costs" in page
    assert "Who moves" in page


def test_an_unknown_setting_names_the_nearest(incentive: Incentive, policy: Path) -> None:
    done = incentive("whatif", policy, "--budgets", "1k", "--set", "limits[vip flor].at_least=1%")
    assert done.returncode == 2
    assert "did you mean `vip floor`?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--budgets", "2k..1k:5"), "--budgets: `2k..1k:5` does not rise"),
        (("--budgets", "200,000"), "--budgets: `000` begins with 0"),
        (("--budgets", "-5"), "--budgets: `-5` is below 0"),
        (("--budgets", "1k", "--set", "budget.amount=5"), "use --budgets"),
        (("--budgets", "1k", "--variant", "x"), "--variant x: no name or no setting"),
        (("--budgets", "1k", "--confidence", "2"), "--confidence: `2` is too large"),
        (("--budgets", "1k", "--min-roi", "-1"), "--min-roi: `-1` is no ratio"),
    ],
)
def test_bad_options_are_placed_at_the_option(
    incentive: Incentive, policy: Path, words: tuple[str, ...], part: str
) -> None:
    done = incentive("whatif", policy, *words)
    assert done.returncode == 2
    assert part in done.stderr


def test_no_plan_at_any_budget_is_an_answer(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    text = policy.read_text(encoding="utf-8").replace("at_least: 25%", "at_least: 9000")
    policy.write_text(text, encoding="utf-8")
    done = incentive("whatif", policy, "--budgets", "1k,2k", "--out", "none")
    assert done.returncode == 1
    assert "no plan at any of them" in done.stderr
    assert "vip floor" in done.stderr
    assert not (tmp_path / "none").exists()
