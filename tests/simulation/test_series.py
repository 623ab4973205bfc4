"""Campaigns one after another: what moves, who learns from whom, and when exploring pays."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import World
from incentive_engine.config.schedule.campaign import CampaignSeries
from incentive_engine.errors import ConfigError
from incentive_engine.simulation.market.chances import DrawSeeds
from incentive_engine.simulation.market.world import MarketDrift, draw_people
from incentive_engine.simulation.results.payback import Payback
from incentive_engine.simulation.variants import read_variants
from incentive_engine.stats.draws import Interval
from incentive_engine.synthetic.sample import MARKETS
from incentive_engine.workflow.simulate import simulate

ROOT = Path(__file__).parents[2]
SMALL = """\
version: 1
name: small series
policy: {policy}
source: world
world: {{market: weekly, users: 1200, trial_rows: 2000}}
series: {{campaigns: 3, drift: 0.02, seasons: 0.2}}
strategies: [engine, engine-learning, engine-naive, oracle]
baseline: engine
budgets: [2000]
draws: 2
seed: 3
"""


def small(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = SMALL.format(policy=ROOT / "policies" / "weekly.yaml")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "series.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("series")
    return simulate(small(folder), out=folder / "out", workers=1), folder / "out"


def read(out: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(out / f"{name}.csv")


def test_there_is_a_row_per_strategy_and_campaign(written: tuple[str, Path]) -> None:
    table = read(written[1], "campaigns")
    assert table["strategy"].tolist() == [
        name for name in ("engine", "engine-learning", "engine-naive", "oracle") for _ in range(3)
    ]
    assert table["campaign"].tolist() == [1, 2, 3] * 4


def test_a_way_learns_from_its_holdout_and_explorers_and_the_first_trial_stays(
    written: tuple[str, Path],
) -> None:
    rows = read(written[1], "campaigns").pivot_table(
        index="campaign", columns="strategy", values="trial_rows"
    )
    explored = read(written[1], "campaigns").query("strategy == 'engine-learning'")["explorers"]
    assert set(explored) == {round(0.05 * 1140)}
    assert set(rows["engine"]) == {2000}
    assert rows["engine-learning"].tolist() == [2000, 2000 + 60 + 57, 2000 + 2 * (60 + 57)]
    assert rows["engine-naive"].tolist() == rows["engine-learning"].tolist()


def test_before_anything_is_learned_exploring_is_all_that_differs(
    written: tuple[str, Path],
) -> None:
    draws = read(written[1], "draws").query("campaign == 1")
    gain = draws.pivot_table(index="draw", columns="strategy", values="true_conversions")
    cost = draws.query("strategy == 'engine-learning'").set_index("draw")["exploring_cost"]
    assert (gain["engine"] - gain["engine-learning"]).to_numpy() == pytest.approx(cost.to_numpy())
    assert gain["engine-naive"].to_numpy() == pytest.approx(gain["engine"].to_numpy())


def test_leads_and_regrets_add_up(written: tuple[str, Path]) -> None:
    table = read(written[1], "campaigns")

    def course(strategy: str, measure: str) -> list[float]:
        mine: list[float] = table.loc[table["strategy"] == strategy, measure].tolist()
        return mine

    before, best = (np.array(course(name, "conversions")) for name in ("engine", "oracle"))
    for name in ("engine", "engine-learning", "engine-naive"):
        gain = np.array(course(name, "conversions"))
        assert course(name, "lead_so_far") == pytest.approx(np.cumsum(gain - before))
        assert course(name, "regret") == pytest.approx(best - gain)
        # the oracle's plan is best by what it knows, up to the gap of a plan
        assert min(course(name, "regret")) > -1.0


def test_the_comparison_is_of_the_average_campaign(written: tuple[str, Path]) -> None:
    mean = read(written[1], "draws").groupby("strategy")["conversions"].mean()
    table = read(written[1], "comparison").set_index("strategy")["conversions"]
    assert table.to_dict() == pytest.approx(mean.to_dict())
    assert (read(written[1], "comparison")["draws"] == 2).all()


def test_text_and_page_say_when_exploring_pays_for_itself(written: tuple[str, Path]) -> None:
    text, out = written
    page = (out / "comparison.html").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"At 2,000 CNY a campaign, exploring .*", text)
    assert sentence in page
    assert "From campaign to campaign" in page
    for caption in ("added in each campaign", "ahead of engine", "behind the oracle in each"):
        assert caption in page


def test_in_chinese_the_page_says_it_too(tmp_path: Path) -> None:
    file = small(tmp_path, ("engine-naive, ", ""), ("campaigns: 3", "campaigns: 2"))
    text = simulate(file, out=tmp_path / "out", workers=1, lang="zh")
    assert "每次活动预算 2,000" in text
    page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    assert "逐次活动的表现" in page


@pytest.mark.parametrize(
    ("average", "certain", "kind"),
    [(3, 5, "certain"), (3, None, "average"), (None, None, "never")],
)
def test_a_payback_is_certain_likely_or_none(
    average: int | None, certain: int | None, kind: str
) -> None:
    nothing = Interval(0.0, 0.0, 0.0)
    found = Payback(
        budget=1.0, campaigns=6, average=average, certain=certain, lead=nothing, cost=nothing
    )
    assert found.kind == kind


def test_a_market_without_drift_stays_and_one_with_drift_walks() -> None:
    policy = Policy(version=1, name="p", offers=MARKETS["weekly"].offers)
    seeds = DrawSeeds.of(seed=1, draw=0, trials=1)
    people = draw_people(World(market="weekly", users=4000), policy, seeds)
    still = MarketDrift.draw(CampaignSeries(drift=0.0), offers=2, seed=seeds.drift)
    assert still.moved(people, 11).reaction.conversion == pytest.approx(people.reaction.conversion)
    walk = MarketDrift.draw(CampaignSeries(campaigns=100, drift=0.01), offers=2, seed=seeds.drift)
    steps = np.diff(walk.slope, axis=0)
    # 594 steps: the standard deviation of their standard deviation is 3 %
    assert steps.std() == pytest.approx(0.01, rel=0.12)
    moved = walk.moved(people, 50).reaction.conversion
    assert np.corrcoef(moved[:, 1] - moved[:, 0], people.traits @ walk.slope[50, 0])[0, 1] > 0.5
    season = MarketDrift.draw(CampaignSeries(drift=0.0, seasons=0.3), offers=2, seed=seeds.drift)
    shift = logit(season.moved(people, 2).reaction.conversion[:, 0]) - logit(
        people.reaction.conversion[:, 0]
    )
    assert shift == pytest.approx(np.full(4000, season.season[2]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("series: {campaigns: 3, drift: 0.02, seasons: 0.2}\n", ""), "there is no series"),
        (("trial_rows: 2000", "trial_rows: 2000, trials: 2"), "a trial of its own"),
        (("source: world\n", "source: world\nset: {explore: 0%}\n"), "and nobody does"),
        (("campaigns: 3", "campaigns: 1"), "campaigns"),
    ],
)
def test_what_no_series_can_be_is_refused(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        read_variants(small(tmp_path, change))
