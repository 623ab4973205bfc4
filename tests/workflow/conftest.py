"""A small campaign that runs end to end in seconds, and the program as a planner calls it."""

import io
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from incentive_engine.cli import main

Incentive = Callable[..., subprocess.CompletedProcess[str]]

SMALL = """\
version: 1
name: small
data:
  sample: {name: double11, users: 2000, trial_rows: 12000, seed: 3}
offers:
  - {id: off50, face_value: 50, min_spend: 399, ladder: platform}
  - {id: off100, face_value: 100, min_spend: 799, ladder: platform}
  - {id: off200, face_value: 200, min_spend: 1499, ladder: platform}
  - {id: vip200, face_value: 200, min_spend: 1199}
objective:
  weight:
    - {column: tier, values: {88VIP: 3}}
eligibility:
  - {offers: [vip200], where: {tier: 88VIP}}
limits:
  - {name: vip floor, sum: cost, where: {tier: 88VIP}, at_least: 25%}
  - {name: region cap, sum: cost, for_each: region, at_most: 15%}
  - {name: stock, sum: issued, offers: [off100], at_most: 200}
budget: {amount: 4000}
holdout: 0.05
holdout_strata: [tier]
seed: 5
"""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which all runs of this session keep their steps."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def incentive(cache: Path, tmp_path: Path) -> Incentive:
    """Return a function that runs the program in an empty folder."""

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return program(tmp_path, cache, *words)

    return run


def program(folder: Path, cache: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder, without a new process for it."""
    arguments, out, err = [str(word) for word in words], io.StringIO(), io.StringIO()
    sigterm, mask = signal.getsignal(signal.SIGTERM), os.umask(0o022)
    with (
        pytest.MonkeyPatch.context() as patch,
        chdir(folder),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        patch.setenv("INCENTIVE_CACHE", str(cache))
        with pytest.raises(SystemExit) as ended:
            main(arguments)
    signal.signal(signal.SIGTERM, sigterm)
    os.umask(mask)
    code = int(ended.value.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Return the file of a small policy, with a sample campaign of its own."""
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return file
