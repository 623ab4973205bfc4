"""Scenarios from the file to the page; shrunk, so that each takes seconds."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incentive_engine.config.scenario import Scenario, load_scenario
from incentive_engine.errors import ConfigError, DataError
from incentive_engine.language import Code
from incentive_engine.report.pages.comparison import render_comparison
from incentive_engine.simulation.comparison import StrategyComparison
from incentive_engine.simulation.draw import run_block
from incentive_engine.simulation.variants import read_variants
from incentive_engine.workflow import simulate as workflow
from incentive_engine.workflow.simulate import SimulationStopped, simulate

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted((ROOT / "simulations").glob("*.yaml"))
TINY = ("world.users=1500", "world.trial_rows=4000", "world.trials=1", "seed=1")
SMALL = """\
version: 1
name: small
policy: {policy}
set: {{limits: "[]"}}
source: world
world: {{users: 1500, trial_rows: 4000, trials: 2}}
strategies: [everyone, tier-rules, greedy, engine, oracle]
baseline: tier-rules
budgets: [1500, 3000]
draws: 4
seed: 1
favoured: {{tier: 88VIP}}
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCENTIVE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def small(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = SMALL.format(policy=ROOT / "policies" / "double11.yaml")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "small.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def shrunk(file: Path) -> list[str]:
    """Return the settings that make a committed scenario run in seconds."""
    scenario = load_scenario(file)
    settings = ["draws=1", f"budgets=[{3000 if scenario.source == 'world' else 4000}]"]
    if scenario.world is not None and scenario.world.market == "everyday":
        settings = ["draws=1", "budgets=[1000]"]  # its offers are small
    if scenario.series is not None:
        settings += [*TINY[:2], "seed=1", "series.campaigns=2"]
    elif scenario.source == "world":
        settings += TINY
    else:
        settings.append(
            "set.data.sample='{name: double11, users: 500, trial_rows: 5000}'",
        )
    if scenario.sweep is not None and scenario.sweep.setting == "world.trial_rows":
        settings.append("sweep.values=[3000]")
    elif scenario.sweep is not None:
        first, *_, last = scenario.sweep.values  # noqa: PD011 - a field of the sweep
        settings.append(f"sweep.values=[{first}, {last}]")
    return settings


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_every_committed_scenario_runs(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, shown = tmp_path / "out", []

    def seen(comparison: StrategyComparison, *, lang: Code) -> str:
        shown.append(comparison)
        return render_comparison(comparison, lang=lang)

    monkeypatch.setattr(workflow, "render_comparison", seen)
    text = simulate(file, out=out, workers=1, set_values=shrunk(file))
    scenario = load_scenario(file)
    assert scenario.name in text
    table = pd.read_csv(out / "comparison.csv")
    assert tuple(table.columns[:10]) == (
        *("strategy", "budget", "conversions", "conversions_low", "conversions_high"),
        *("spend", "cost", "treated", "roi", "gain_vs_baseline"),
    )
    assert table["strategy"].tolist() == list(scenario.strategies)
    assert (out / "waves.csv").exists() == (scenario.calendar is not None)
    assert (out / "sweep.csv").exists() == (scenario.sweep is not None)
    page = (out / "comparison.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|img)|url\((?!#)|href=\"(?!#|data:)|src=|@import", page)
    for strategy in scenario.strategies:  # each is explained before its first figure
        assert f"{strategy} <span" in page[: page.index("<svg")]
    said = words_of(render_comparison(shown[0], lang="zh"))
    for own in own_words(scenario):
        said = said.replace(own, "")
    assert not re.search(r"\b[a-z]+ [a-z]+ [a-z]+\b", said)


def words_of(page: str) -> str:
    """Return what one reads on a page, plots aside."""
    body = re.sub(r"<(style|svg)\b.*?</\1>", "", page, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", " ", body))


def own_words(scenario: Scenario) -> list[str]:
    """Return what the scenario's author has named."""
    waves = [wave.name for wave in scenario.calendar.waves] if scenario.calendar else []
    label = [scenario.sweep.label] if scenario.sweep and scenario.sweep.label else []
    return [scenario.name, *label, *waves]


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_every_committed_scenario_is_without_fault(file: Path) -> None:
    assert read_variants(file)


def test_the_figures_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    file = small(
        tmp_path,
        ("[1500, 3000]", "[3000]"),
        ("draws: 4", "draws: 2"),
        ("everyone, tier-rules, greedy, engine, oracle", "tier-rules, engine"),
    )
    for workers in (1, 2):
        simulate(file, out=tmp_path / str(workers), workers=workers)
    for name in ("comparison", "pairs", "promises", "draws"):
        one, two = ((tmp_path / w / f"{name}.csv").read_bytes() for w in ("1", "2"))
        assert one == two


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    directory = tmp_path_factory.mktemp("tables")
    text = SMALL.format(policy=ROOT / "policies" / "double11.yaml")
    (directory / "small.yaml").write_text(text, encoding="utf-8")
    simulate(directory / "small.yaml", out=directory / "out", workers=1)
    return {file.stem: pd.read_csv(file) for file in sorted((directory / "out").glob("*.csv"))}


def test_rows_add_up(tables: dict[str, pd.DataFrame]) -> None:
    table, draws = tables["comparison"], tables["draws"]
    assert len(table) == 5 * 2
    mean = draws.groupby(["strategy", "budget"])["conversions"].mean()
    for row in table.to_dict(orient="records"):
        assert row["conversions"] == pytest.approx(mean[row["strategy"], row["budget"]])
        assert row["conversions_low"] <= row["conversions"] <= row["conversions_high"]
        assert row["roi"] == pytest.approx(row["spend"] / row["cost"])
    base = table[table["strategy"] == "tier-rules"].set_index("budget")["conversions"]
    gain = table["conversions"] - table["budget"].map(base)
    assert table["gain_vs_baseline"].to_numpy() == pytest.approx(gain.to_numpy())


def test_no_strategy_plans_more_than_its_budget(tables: dict[str, pd.DataFrame]) -> None:
    # by the forecast, which the oracle does not believe
    draws = tables["draws"].query("strategy != 'oracle'")
    assert (draws["planned"] <= draws["budget"] + 1e-6).all()


def test_the_oracle_is_the_ceiling(tables: dict[str, pd.DataFrame]) -> None:
    # by the true effects and the same limits; plans are solved to 1e-4 of their bound
    value = tables["draws"].pivot_table(
        index=["draw", "budget"], columns="strategy", values="value"
    )
    share = tables["comparison"].set_index("strategy")["share_of_oracle"]
    assert (share["oracle"] == 1).all()
    assert value["oracle"].mean() > value["engine"].mean()


def test_paired_differences_agree_with_the_means(tables: dict[str, pd.DataFrame]) -> None:
    means = tables["comparison"].set_index(["strategy", "budget"])["conversions"]
    for row in tables["pairs"].to_dict(orient="records"):
        budget = row["budget"]
        found = means[row["strategy"], budget] - means[row["against"], budget]
        assert row["difference"] == pytest.approx(found)
        assert row["low"] <= row["difference"] <= row["high"]


def test_draws_of_one_trial_count_as_one_in_intervals(tables: dict[str, pd.DataFrame]) -> None:
    promises = tables["promises"]
    assert (promises["trials"] == 2).all()
    one = tables["comparison"].query("strategy == 'engine' and budget == 3000").iloc[0]
    draws = tables["draws"].query("strategy == 'engine' and budget == 3000")
    means = draws.groupby(draws["draw"] % 2)["conversions"].mean()
    half = 12.7062 * means.std() / np.sqrt(2)
    assert one["conversions_high"] - one["conversions"] == pytest.approx(half, rel=1e-4)


def test_a_stop_leaves_the_finished_draws_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = small(tmp_path)
    whole = run_block

    def stopping(variants: object, block: int) -> object:
        if block == 1:
            raise KeyboardInterrupt
        return whole(variants, block)  # type: ignore[arg-type]

    monkeypatch.setattr(workflow, "run_block", stopping)
    with pytest.raises(SimulationStopped, match="2 draws of 4, then stopped"):
        simulate(file, out=tmp_path / "out", workers=1)
    assert set(pd.read_csv(tmp_path / "out" / "draws.csv")["draw"]) == {0, 2}
    page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert "Stopped after 2 of 4 draws" in page


def test_a_chinese_page_and_the_english_one_show_the_same_figures(tmp_path: Path) -> None:
    file = small(tmp_path, ("draws: 4", "draws: 2"))
    figures = []
    for lang in ("en", "zh"):
        simulate(file, out=tmp_path / lang, workers=1, lang=lang)
        page = (tmp_path / lang / "comparison.html").read_text(encoding="utf-8")
        figures.append(re.findall(r"\d[\d,.]*", " ".join(re.findall("<td>.*?</td>", page))))
    assert figures[0] == figures[1]
    assert '<html lang="zh-CN">' in page
    assert "预算 3,000" in page
    assert "engine，预算 1,500：每单位资金的转化较 tier-rules" in page


def test_a_lead_that_may_be_chance_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[StrategyComparison] = []

    def seen(comparison: StrategyComparison, *, lang: Code) -> str:
        shown.append(comparison)
        return render_comparison(comparison, lang=lang)

    monkeypatch.setattr(workflow, "render_comparison", seen)
    simulate(small(tmp_path, ("draws: 4", "draws: 2")), out=tmp_path / "out", workers=1)
    for low, kind in ((-0.1, "doubt"), (0.1, "run")):
        table = shown[0].table.assign(value_gain_low=low, value_gain_high=0.2)
        page = render_comparison(replace(shown[0], table=table), lang="en")
        assert f'<p class="verdict {kind}">With 3,000 CNY' in page
        assert ("may be chance" in page) == (kind == "doubt")


def test_without_a_former_way_the_page_begins_with_the_best_of_the_others(tmp_path: Path) -> None:
    file = small(
        tmp_path,
        ("baseline: tier-rules\n", ""),
        ("everyone, tier-rules", "everyone"),
        ("[1500, 3000]", "[3000]"),
        ("draws: 4", "draws: 2"),
    )
    simulate(file, out=tmp_path / "out", workers=1)
    table = pd.read_csv(tmp_path / "out" / "comparison.csv").set_index("strategy")
    values = table["value"][["everyone", "greedy"]]
    best = values.idxmax()
    page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    stated = re.search(f"the best of the other ways, {best}, brings ([0-9.,]+)[.]", page)
    assert stated is not None
    assert float(stated[1].replace(",", "")) == pytest.approx(values.max(), rel=0.05)
    assert "Efficiency</th>" not in page


def test_budgets_that_no_strategy_can_spend_are_refused_with_their_line(tmp_path: Path) -> None:
    file = small(tmp_path, ("[1500, 3000]", "[0.0001, 1500, 50m]"))
    with pytest.raises(ConfigError) as error:
        simulate(file, out=tmp_path / "out", workers=1)
    small_one, large_one = str(error.value).splitlines()
    assert "small.yaml:9: budgets.0: no strategy can spend 0.0001" in small_one
    assert "small.yaml:9: budgets.2: no strategy can spend 50,000,000" in large_one
    assert not (tmp_path / "out").exists()


def test_a_policy_with_offers_that_the_trial_never_tried_is_refused(tmp_path: Path) -> None:
    policy = (
        "version: 1\nname: other\noffers: [{id: gift, face_value: 1}, {id: bag, face_value: 2}]\n"
    )
    (tmp_path / "other.yaml").write_text(policy, encoding="utf-8")
    file = small(tmp_path, (str(ROOT / "policies" / "double11.yaml"), "other.yaml"))
    with pytest.raises(ConfigError) as error:
        simulate(file, out=tmp_path / "out")
    assert "no offer `gift`" in str(error.value)
    assert "no offer `bag`" in str(error.value)


def test_a_logged_trial_without_the_offers_is_refused(tmp_path: Path) -> None:
    trial = pd.DataFrame(
        {
            "user_id": range(60),
            "offer": ["control", "other"] * 30,
            "conversion": 0,
            "spend": 0.0,
            "cost": 0.0,
            "recency_days": 1,
            "orders_12m": 1,
            "spend_12m": 1.0,
        }
    )
    trial.to_csv(tmp_path / "trial.csv", index=False)
    policy = "version: 1\nname: o\ndata: {trial: trial.csv}\noffers: [{id: gift, face_value: 1}]\n"
    (tmp_path / "other.yaml").write_text(policy, encoding="utf-8")
    file = small(
        tmp_path,
        (str(ROOT / "policies" / "double11.yaml"), "other.yaml"),
        ("source: world\nworld: {users: 1500, trial_rows: 4000, trials: 2}", "source: trial"),
        (", oracle", ""),
    )
    with pytest.raises(DataError, match="gift"):
        simulate(file, out=tmp_path / "out")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("policy.holdut", "holdut"),
        ("world.trial_row", "trial_row"),
        ("policy.objective.weight.teir.values.88VIP", "teir"),
    ],
)
def test_a_sweep_over_a_setting_that_does_not_exist_is_refused(
    tmp_path: Path, setting: str, words: str
) -> None:
    sweep = f"draws: 4\nsweep: {{setting: {setting}, values: [1, 2]}}"
    file = small(tmp_path, ("draws: 4", sweep))
    with pytest.raises(ConfigError, match=words):
        read_variants(file)


def test_columns_that_the_users_lack_are_refused_with_their_line(tmp_path: Path) -> None:
    named = "draws: 4\nrecency: recency_day\nspend: spend_12"
    file = small(tmp_path, ("draws: 4", named), ("{tier: 88VIP}", "{teir: 88VIP}"))
    with pytest.raises(ConfigError) as error:
        simulate(file, out=tmp_path / "out", workers=1)
    assert "small.yaml:11: recency: the users have no column `recency_day`" in str(error.value)
    assert "did you mean `spend_12m`?" in str(error.value)


def test_an_existing_directory_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="exists already"):
        simulate(small(tmp_path), out=tmp_path)
