import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

Incentive = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def model(incentive: Incentive, policy: Path, tmp_path: Path) -> Path:
    done = incentive("train", policy, "--out", "model")
    assert done.returncode == 0, done.stderr
    return tmp_path / "model"


def test_the_parts_of_a_users_effect_add_up_to_the_score(
    incentive: Incentive, policy: Path, model: Path, tmp_path: Path
) -> None:
    done = incentive("score", policy, "--model", model, "--out", "scores.parquet")
    assert done.returncode == 0, done.stderr
    scores = pd.read_parquet(tmp_path / "scores.parquet").iloc[7]
    done = incentive("explain", scores["user_id"], policy, "--model", model, "--json")
    assert done.returncode == 0, done.stderr
    for offer in json.loads(done.stdout)["offers"]:
        total = sum(part["adds"] for part in offer["parts"])
        assert total == pytest.approx(offer["effect"], abs=1e-12)
        assert total == pytest.approx(scores[f"conversion__{offer['offer']}"], abs=1e-9)
    text = incentive("explain", scores["user_id"], policy, "--model", model).stdout
    assert "average" in text
    evaluation = json.loads((model / "evaluation.json").read_text())
    assert set(evaluation["drivers"]) == {"off50", "off100", "off200", "vip200"}


def test_a_stranger_cannot_be_explained(incentive: Incentive, policy: Path, model: Path) -> None:
    done = incentive("explain", "nobody", policy, "--model", model)
    assert done.returncode == 2
    assert "no user `nobody`" in done.stderr
