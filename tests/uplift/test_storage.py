from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from incentive_engine.errors import DataError
from incentive_engine.uplift.model import EffectModel, fit
from incentive_engine.uplift.model_files import read_model_file, write_model_file
from incentive_engine.uplift.storage import load_model, read_out_of_fold, save_model

from .trials import draw, even_effects, policy_of


@pytest.fixture(scope="module")
def model() -> EffectModel:
    known = draw(policy_of(10), even_effects(0.1), n=1_000, seed=0)
    return fit(known.trial, known.policy, seed=0)


def _forget_a_model(directory: Path) -> None:
    (directory / "value.3.txt").unlink()


def _change_a_model(directory: Path) -> None:
    file = directory / "conversion_outcome.0.txt"
    file.write_text(file.read_text().replace("tree", "bush", 1))


def _change_estimates(directory: Path) -> None:
    file = directory / "out_of_fold.parquet"
    file.write_bytes(file.read_bytes()[:-1])


def _other_format(directory: Path) -> None:
    file = directory / "model.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))


def _cut_short(directory: Path) -> None:
    file = directory / "model.json"
    file.write_text(file.read_text()[:100])


def _forget_a_field(directory: Path) -> None:
    file = directory / "model.json"
    content = read_model_file(file)
    del content["odds"]
    write_model_file(content, file)


def _change_a_number(directory: Path) -> None:
    file = directory / "model.json"
    content = json.loads(file.read_text())
    content["odds"][0] += 1e-9
    file.write_text(json.dumps(content))


def _change_a_digit(directory: Path) -> None:
    file = directory / "model.json"
    text = file.read_text()
    at = text.index(".", text.index('"ridge"')) + 1
    other = "1" if text[at] == "0" else "0"
    file.write_text(text[:at] + other + text[at + 1 :])


def _forget_the_estimates(directory: Path) -> None:
    (directory / "out_of_fold.parquet").unlink()


def _forget_the_digests(directory: Path) -> None:
    file = directory / "model.json"
    write_model_file({**read_model_file(file), "files": {}}, file)


def _forget_everything(directory: Path) -> None:
    (directory / "model.json").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_forget_a_model, "value.3.txt: is missing from the model"),
        (_change_a_model, "conversion_outcome.0.txt: was changed since it was written"),
        (_change_estimates, "out_of_fold.parquet: was changed since it was written"),
        (_other_format, "expected format 8; update the engine, or train again"),
        (_cut_short, "cannot be read as JSON"),
        (_forget_a_field, "does not describe a model"),
        (_change_a_number, "model.json: was changed since it was written"),
        (_change_a_digit, "model.json: was changed since it was written"),
        (_forget_everything, "holds no model"),
    ],
)
def test_a_damaged_model_is_refused(
    model: EffectModel, damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    save_model(model, tmp_path)
    damage(tmp_path)
    with pytest.raises(DataError) as caught:
        load_model(tmp_path)
    assert message in str(caught.value)


def test_a_file_in_place_of_a_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "scores.parquet"
    file.write_bytes(b"")
    with pytest.raises(DataError, match="holds no model"):
        load_model(file)


def test_a_model_file_names_its_trial_and_features(model: EffectModel, tmp_path: Path) -> None:
    save_model(model, tmp_path)
    content = json.loads((tmp_path / "model.json").read_text())
    assert content["trial"] == model.facts.trial
    assert [feature["name"] for feature in content["features"]] == [
        "thrift",
        "visits",
        "age",
        "region",
    ]


def test_estimates_of_the_trial_are_read_without_the_models(
    model: EffectModel, tmp_path: Path
) -> None:
    save_model(model, tmp_path)
    (tmp_path / "value.3.txt").unlink()
    again = read_out_of_fold(tmp_path)
    pd.testing.assert_frame_equal(again.to_frame(), model.out_of_fold.to_frame(), check_exact=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_change_estimates, "out_of_fold.parquet: was changed since it was written"),
        (_forget_the_estimates, "out_of_fold.parquet: is missing from the model"),
        (_forget_the_digests, "out_of_fold.parquet: was changed since it was written"),
        (_other_format, "is a model of format 99"),
    ],
)
def test_damaged_estimates_of_the_trial_are_refused(
    model: EffectModel, damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    save_model(model, tmp_path)
    damage(tmp_path)
    with pytest.raises(DataError) as caught:
        read_out_of_fold(tmp_path)
    assert message in str(caught.value)


def test_reading_estimates_does_not_import_lightgbm(model: EffectModel, tmp_path: Path) -> None:
    save_model(model, tmp_path)
    script = (
        "import sys; from pathlib import Path;"
        "from incentive_engine.uplift.storage import read_out_of_fold;"
        "read_out_of_fold(Path(sys.argv[1]));"
        "sys.exit(bool({'lightgbm', 'scipy.stats'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, check=False)  # noqa: S603 - our own interpreter and script
    assert done.returncode == 0
