"""Campaigns measured together, live and in batches, on a page and in a table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from incentive_engine.cli.terminal.output import spoken
from incentive_engine.config.access.location import parse_location
from incentive_engine.errors import ConfigError, DataError
from incentive_engine.measurement.several_runs import Measurements
from incentive_engine.report.pages.measurement import render_measurement
from incentive_engine.workflow.results.measure_campaign import (
    CampaignFiles,
    measure,
    measure_all,
    paired,
    write_measurement,
)
from live.watch.worlds import World, planned


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a campaign that was decided live, and to which two thirds came."""
    folder = tmp_path_factory.mktemp("live")
    world = World(run=planned(folder), ledger=folder / "ledger", volume=0.65)
    world.play(0.99)
    return world


def outcomes(world: World, path: Path, *, at: str = "2026-11-13T00:00:00Z") -> Path:
    """Write what users did: every third of the holdout bought, and half of the others."""
    rows = [
        {
            "user_id": row["user_id"],
            "conversion": int(place % (3 if row["reason"] == "holdout" else 2) == 0),
            "at": at,
        }
        for place, row in enumerate(world.rows)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_a_live_campaign_is_measured_by_those_who_came(live: World, tmp_path: Path) -> None:
    found = measure(live.run, outcomes(live, tmp_path / "o.csv"), ledger=str(live.ledger))
    came = round(0.65 * 0.99 * len(live.rows))
    assert found.came == pytest.approx(came, rel=0.05)
    assert found.came is not None
    assert found.compared < found.came
    assert found.split is not None
    assert found.split.traffic is not None
    assert found.split.traffic < 0  # who did not come took conversions of the plan along
    assert found.redeemed is not None
    assert found.redeemed > 0
    assert {"traffic"} <= {lesson.part for lesson in found.lessons}
    text = found.to_text("zh")
    assert "没有来的用户" in text
    assert "下次写明 `campaign.share`" in text


def test_outcomes_of_before_the_decision_and_ledgers_of_others_are_refused(
    live: World, tmp_path: Path
) -> None:
    early = outcomes(live, tmp_path / "o.csv", at="2026-11-01T00:00:00Z")
    with pytest.raises(DataError, match="before the user was decided on"):
        measure(live.run, early, ledger=str(live.ledger))
    other = planned(tmp_path / "other", users=500)
    with pytest.raises(DataError, match="ledger of another run"):
        measure(other, early, ledger=str(live.ledger))


def test_campaigns_stand_in_one_table_and_add_up(live: World, tmp_path: Path) -> None:
    before = spoken()  # whatever a command before has left
    file = outcomes(live, tmp_path / "o.csv")
    second = planned(tmp_path / "second", users=800)
    rows = pd.read_parquet(second / "allocation.parquet")[["user_id", "reason"]]
    rows["conversion"] = (rows["reason"] != "holdout").astype(int)
    rows[["user_id", "conversion"]].to_csv(tmp_path / "p.csv", index=False)
    found = measure_all(
        [
            CampaignFiles(run_dir=live.run, outcomes=file, ledger=str(live.ledger)),
            CampaignFiles(run_dir=second, outcomes=tmp_path / "p.csv"),
        ]
    )
    parts = [one.conversions.measured for one in found.campaigns]
    assert found.total is not None
    assert found.total.value == pytest.approx(sum(p.value for p in parts if p is not None))
    content = json.loads(found.to_json())
    assert len(content["campaigns"]) == 2
    assert "campaign" in found.to_text().splitlines()[0]
    for lang, word in (("en", "What to do differently"), ("zh", "下次怎么做")):
        page = render_measurement(found.to_page(), lang=lang)  # type: ignore[arg-type]
        assert word in page
        assert "src=" not in page
    assert spoken() == before
    write_measurement(found, tmp_path / "page", lang="zh")
    with (tmp_path / "page" / "measurement.csv").open(encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert tuple(table[0]) == Measurements.COLUMNS
    assert [row["offer"] for row in table] == ["", "a", "b", "", "a", "b"]
    assert spoken() == before


def test_a_run_that_is_named_twice_or_has_no_outcomes_is_refused(live: World) -> None:
    table = parse_location("o.csv")
    with pytest.raises(ConfigError, match="is named twice"):
        paired([live.run, live.run], [table, table], [])
    with pytest.raises(ConfigError, match="once per run"):
        paired([live.run], [table, table], [])
    with pytest.raises(ConfigError, match="`none` for one that a batch decided"):
        paired([live.run, live.run.parent], [table, table], ["l"])


def test_what_was_known_before_narrows_the_interval(live: World, tmp_path: Path) -> None:
    file = outcomes(live, tmp_path / "o.csv")
    before = pd.read_csv(file)[["user_id", "conversion"]]
    before["habit"] = before.pop("conversion") * 10.0 + pd.Series(range(len(before))) % 7
    before.to_csv(tmp_path / "before.csv", index=False)
    plain = measure(live.run, file).conversions.measured
    known = measure(live.run, file, covariates=tmp_path / "before.csv").conversions.measured
    assert plain is not None
    assert known is not None
    assert known.standard_error < 0.7 * plain.standard_error
    before[["user_id"]].assign(name="x").to_csv(tmp_path / "text.csv", index=False)
    with pytest.raises(DataError, match="no numeric column"):
        measure(live.run, file, covariates=tmp_path / "text.csv")
