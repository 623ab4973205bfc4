"""The commands of docs/hillstrom, on the real experiment."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("INCENTIVE_DATA", ROOT.parent / "shared" / "data"))
SOURCE = DATA / "hillstrom.parquet"
Incentive = Callable[..., subprocess.CompletedProcess[str]]


def shown_commands() -> list[list[str]]:
    text = (ROOT / "docs" / "hillstrom" / "README.md").read_text(encoding="utf-8")
    block = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0].replace("\\\n", " ")
    return [shlex.split(line) for line in block.splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(not SOURCE.is_file(), reason=f"the Hillstrom data are not at {SOURCE}")
def test_the_documented_commands_find_the_better_email(
    incentive: Incentive, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "docs" / "hillstrom", tmp_path / "docs" / "hillstrom")
    shutil.copy(SOURCE, tmp_path / "hillstrom.parquet")
    for program, *words in shown_commands():
        if program == "python":
            subprocess.run([sys.executable, *words], cwd=tmp_path, check=True)  # noqa: S603 - ours
        else:
            done = incentive(*words)
            assert done.returncode == 0, done.stderr
    value = json.loads((tmp_path / "build/hillstrom/value-3200/evaluation.json").read_text())
    assert value["rows"] == 32_000
    assert value["gain_against_nobody"]["the plan"]["conversion"]["low"] > 0
    assert value["plan_minus"]["everybody womens"]["spend"]["low"] > 0
