"""A trial that teaches nothing is refused by name; one that is doubted must be answered for."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

Incentive = Callable[..., subprocess.CompletedProcess[str]]

POLICY = """\
version: 1
name: tiny
data: {users: users.csv, trial: trial.csv}
offers: [{id: ten, face_value: 10}]
budget: {amount: 200}
holdout: 0.05
"""


def _campaign(folder: Path, rows: int) -> Path:
    """Write a campaign whose trial has so many rows, a tenth of them buyers; return its policy."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"user_id": np.arange(rows), "visits": rng.poisson(3.0, rows)})
    frame.to_csv(folder / "users.csv", index=False)
    arm = rng.integers(0, 2, rows)
    buys = (rng.random(rows) < 0.09 + 0.03 * arm).astype(int)
    frame["offer"] = np.array(["control", "ten"])[arm]
    frame["conversion"], frame["spend"], frame["cost"] = buys, 80.0 * buys, 8.0 * buys * arm
    frame.assign(propensity=0.5).to_csv(folder / "trial.csv", index=False)
    (folder / "tiny.yaml").write_text(POLICY, encoding="utf-8")
    return folder / "tiny.yaml"


def test_a_trial_too_small_to_learn_from_is_refused_until_it_is_accepted(
    incentive: Incentive, tmp_path: Path
) -> None:
    policy = _campaign(tmp_path, rows=600)
    refused = incentive("allocate", policy, "--out", "run")
    assert refused.returncode == 2
    assert "conversions in 600 rows" in refused.stderr
    assert "--accept trial-arm-sizes" in refused.stderr
    assert not (tmp_path / "run").exists()
    made = incentive("allocate", policy, "--out", "run", "--accept", "trial-arm-sizes")
    assert made.returncode == 0, made.stderr
    assert "conversions in 600 rows" in made.stdout
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "conversions in 600 rows" in page
    checked = incentive("check", "run")
    assert checked.returncode == 1
    assert "trial-arm-sizes" in checked.stdout
    barred = incentive("export", "run", "--to", "offers.csv")
    assert barred.returncode == 1
    assert "trial-arm-sizes" in barred.stderr


def test_a_name_that_no_finding_has_is_refused_before_anything_runs(
    incentive: Incentive, tmp_path: Path
) -> None:
    policy = _campaign(tmp_path, rows=600)
    done = incentive("allocate", policy, "--accept", "everything")
    assert done.returncode == 2
    assert "--accept everything" in done.stderr
    assert "trial-arm-sizes" in done.stderr
