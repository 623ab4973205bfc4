"""Runs on their way out, as a planner takes them there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incentive_engine.run.records import only_one
from verify.runs import reseal

from .conftest import program

Incentive = Callable[..., subprocess.CompletedProcess[str]]

POLICY = """\
version: 1
name: scored
offers:
  - {{id: small, face_value: 5, min_spend: 50, valid_to: {valid_to}}}
  - {{id: large, face_value: {face}, min_spend: 90}}
eligibility:
  - {{offers: [large], where: {{tier: 88VIP}}}}
budget: {{amount: 40}}
holdout: 0.2
seed: 1
{more}
"""


def planned(
    incentive: Incentive, folder: Path, out: str, *words: str,
    valid_to: str = "2999-12-31", face: int = 20, more: str = "",
) -> Path:  # fmt: skip
    """Return a run of forty users by scores of one's own."""
    file = folder / f"{out}.yaml"
    file.write_text(POLICY.format(valid_to=valid_to, face=face, more=more), encoding="utf-8")
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "user_id": [f"u{row}" for row in range(40)],
            "tier": np.where(np.arange(40) % 3 == 0, "88VIP", "regular"),
        }
    )
    for offer in ("small", "large"):
        frame[f"conversion__{offer}"] = rng.uniform(0.01, 0.1, 40)
        frame[f"cost__{offer}"] = rng.uniform(1, 3, 40)
    frame.to_parquet(folder / "scores.parquet", index=False)
    done = incentive("allocate", file, "--scores", "scores.parquet", "--out", out, *words)
    assert done.returncode == 0, done.stderr
    return folder / out


def test_a_run_is_checked_exported_and_exported_again(
    incentive: Incentive, tmp_path: Path
) -> None:
    run = planned(incentive, tmp_path, "run")
    checked = incentive("check", run)
    assert checked.returncode == 0, checked.stderr
    assert "ready to export" in checked.stdout
    first = incentive("export", run, "--to", "offers.csv")
    assert (first.returncode, first.stderr) == (0, "")
    table = pd.read_csv(tmp_path / "offers.csv")
    assert first.stdout == f"{len(table)} offers: offers.csv\n"
    again = incentive("export", run, "--to", "offers.csv")
    assert "nothing to do" in again.stdout
    assert incentive("verify", run).returncode == 0


def test_two_exports_of_one_run_at_once_do_not_meet(incentive: Incentive, tmp_path: Path) -> None:
    run = planned(incentive, tmp_path, "run")
    with only_one(run, "exporting it in another process"):
        done = incentive("export", run, "--to", "offers.csv")
    assert done.returncode == 2
    assert "another process is approving or exporting this run; wait until it is" in done.stderr
    assert not (tmp_path / "offers.csv").exists()
    assert incentive("export", run, "--to", "offers.csv").returncode == 0


def test_filters_and_a_key_file_reach_the_export(incentive: Incentive, tmp_path: Path) -> None:
    run = planned(incentive, tmp_path, "run")
    (tmp_path / "key").write_text("a key that only tests have\n", encoding="utf-8")
    words = ("--to", "out", "--preset", "talon-one", "--key-file", "key", "--only-tier", "88VIP")
    done = incentive("export", run, *words, "--only-offer", "large")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").glob("*.csv")] == ["large-00001.csv"]
    assert len(pd.read_csv(tmp_path / "out" / "large-00001.csv")["value"].unique()) > 1


def test_an_expired_offer_blocks_the_export_and_another_date_does_not(
    incentive: Incentive, tmp_path: Path
) -> None:
    run = planned(incentive, tmp_path, "run", valid_to="2026-01-31")
    refused = incentive("export", run, "--to", "offers.csv", "--on", "2026-02-01")
    assert refused.returncode == 1
    assert "expired: small expired on 2026-01-31 23:59:59" in refused.stderr
    assert not (tmp_path / "offers.csv").exists()
    assert incentive("check", run, "--on", "2026-02-01").returncode == 1
    assert incentive("export", run, "--to", "x.csv", "--on", "2026-01-31").returncode == 0


def test_a_slipped_decimal_point_is_a_warning_that_somebody_must_accept(
    incentive: Incentive, tmp_path: Path
) -> None:
    planned(incentive, tmp_path, "before", face=4)
    run = planned(incentive, tmp_path, "after", face=40)
    refused = incentive("export", run, "--to", "offers.csv")
    assert refused.returncode == 1
    assert "large's face value is 40" in refused.stderr
    assert "--accept jump" in refused.stderr
    assert incentive("export", run, "--to", "offers.csv", "--accept", "jmp").returncode == 2
    done = incentive("export", run, "--to", "offers.csv", "--accept", "jump")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "offers.csv.manifest.json").read_text(encoding="utf-8"))
    assert manifest["accepted"] == ["jump"]


def test_an_approval_by_somebody_else_opens_the_way(incentive: Incentive, tmp_path: Path) -> None:
    more = "approval: {required: true}"
    run = planned(incentive, tmp_path, "run", "--author", "Wang Fang", more=more)
    refused = incentive("export", run, "--to", "offers.csv")
    assert refused.returncode == 1
    assert "--by NAME" in refused.stderr
    assert incentive("approve", run, "--by", "wang fang").returncode == 1
    assert incentive("approve", run, "--by", " ").returncode == 2
    assert "approved by Li Wei" in incentive("approve", run, "--by", "Li Wei").stdout
    assert "approved already" in incentive("approve", run, "--by", "Li Wei").stdout
    assert incentive("export", run, "--to", "offers.csv").returncode == 0


def test_an_exported_run_takes_the_place_of_those_before_it(
    incentive: Incentive, tmp_path: Path
) -> None:
    old = planned(incentive, tmp_path, "old")
    new = planned(incentive, tmp_path, "new")
    assert incentive("export", new, "--to", "new.csv").returncode == 0
    for words in (("export", old, "--to", "old.csv"), ("approve", old, "--by", "x")):
        refused = incentive(*words)
        assert refused.returncode == 1
        assert "superseded by" in refused.stderr
    assert not (tmp_path / "old.csv").exists()


def test_an_altered_run_is_refused(incentive: Incentive, tmp_path: Path) -> None:
    run = planned(incentive, tmp_path, "run")
    with (run / "allocation.parquet").open("ab") as file:
        file.write(b"\0")
    for words in (("export", run, "--to", "x.csv"), ("approve", run, "--by", "x"), ("check", run)):
        refused = incentive(*words)
        assert refused.returncode == 1
        assert "allocation.parquet" in refused.stderr


def test_what_holds_ids_is_for_its_owner_alone(incentive: Incentive, tmp_path: Path) -> None:
    run = planned(incentive, tmp_path, "run")
    key = tmp_path / "key"
    key.write_text("a key that only tests have")
    key.chmod(0o644)
    words = ("--to", "out", "--preset", "braze", "--key-file", key)
    accepted = ("--accept", "holdout", "--accept", "deep-discount")
    done = incentive("export", run, *words, *accepted)
    assert done.returncode == 0, done.stderr
    assert f"warning: --key-file {key}: others may read the key; chmod 600" in done.stdout
    made = [path for name in ("run", "out") for path in (tmp_path / name).rglob("*")]
    assert {oct(p.stat().st_mode)[-3:] for p in made if p.is_file()} == {"600"}
    folders = [tmp_path / "run", tmp_path / "out", *(path for path in made if path.is_dir())]
    assert {oct(path.stat().st_mode)[-3:] for path in folders} == {"700"}
    key.chmod(0o666)
    refused = incentive("export", run, *words, *accepted)
    assert refused.returncode == 2
    assert "others may write to it" in refused.stderr


def test_a_database_of_another_kind_is_named_without_its_password(
    incentive: Incentive, tmp_path: Path
) -> None:
    run = planned(incentive, tmp_path, "run")
    refused = incentive("export", run, "--to", "mysql://me:hush@db/crm")
    assert refused.returncode == 2
    assert "mysql:…: is not known" in refused.stderr
    assert "hush" not in refused.stderr


def test_a_run_by_scores_is_reproduced_from_anywhere_until_they_change(
    incentive: Incentive, tmp_path: Path, cache: Path
) -> None:
    run = planned(incentive, tmp_path, "run", "--basis", "face")
    moved = run.rename(tmp_path / "moved")
    (tmp_path / "elsewhere").mkdir()
    done = program(tmp_path / "elsewhere", cache, "reproduce", moved)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "came out the same, byte for byte" in done.stdout
    run = moved
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    scores["cost__small"] += 1.0
    scores.to_parquet(tmp_path / "scores.parquet", index=False)
    changed = incentive("reproduce", run)
    assert changed.returncode == 1
    assert f"scores: {tmp_path / 'scores.parquet'} has changed since the run" in changed.stdout
    (tmp_path / "scores.parquet").unlink()
    assert "scores.parquet: no such file" in incentive("reproduce", run).stdout


def test_what_comes_out_otherwise_is_named(
    incentive: Incentive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from incentive_engine.workflow.results import reproduce as module

    run = planned(incentive, tmp_path, "run")
    other = planned(incentive, tmp_path, "other", "--budget", "20")
    monkeypatch.setattr(module, "allocate", lambda *_, out, **__: other.rename(out))
    done = incentive("reproduce", run)
    assert done.returncode == 1
    assert "allocation.parquet: offer_id differs for" in done.stdout
    assert "inputs, versions and the engine's source are the same" in done.stdout
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    (run / "manifest.json").write_text(json.dumps({**manifest, "source": "0" * 64}))
    other = planned(incentive, tmp_path, "another", "--budget", "20")
    told = incentive("reproduce", run).stdout
    assert "the engine's source was 000000000000, is" in told


def test_the_input_that_differs_is_named_and_no_other_machine(
    incentive: Incentive, tmp_path: Path
) -> None:
    run = planned(incentive, tmp_path, "run")
    scores = pd.read_parquet(run / "scores.parquet")
    scores.loc[:2, "cost__small"] /= 2
    scores.to_parquet(run / "scores.parquet", index=False)
    rows = pq.read_table(run / "allocation.parquet")
    weight = pa.array([2.0] * 3 + [1.0] * 37)
    rows = rows.set_column(rows.column_names.index("weight"), "weight", weight)
    pq.write_table(rows, run / "allocation.parquet")
    reseal(run)
    done = incentive("reproduce", run)
    assert done.returncode == 1
    assert "scores.parquet: cost__small differs for 3 of 40 users" in done.stdout
    assert "allocation.parquet: weight differs for 3 of 40 users" in done.stdout
    assert "machine" not in done.stdout


@pytest.mark.slow
def test_a_run_that_learns_is_reproduced_from_its_campaign(
    incentive: Incentive, policy: Path, tmp_path: Path
) -> None:
    words = ("--budget", "3k", "--min-roi", "0.5", "--out", "run")
    planned = incentive("allocate", policy, *words)
    assert planned.returncode == 0, planned.stderr
    done = incentive("reproduce", tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
