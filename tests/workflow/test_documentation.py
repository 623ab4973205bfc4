"""Every command that the README or a policy shows is run as it stands."""

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Incentive = Callable[..., subprocess.CompletedProcess[str]]


def shown_commands() -> list[str]:
    readme = re.findall(
        r"^\.venv/bin/(incentive .*)$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    makefile = re.findall(
        r"^\t\$\(BIN\)/(incentive .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    policies = [
        command
        for file in sorted((ROOT / "policies").glob("*.yaml"))
        for command in re.findall(r"^#\s+(incentive allocate .*)$", file.read_text(), re.MULTILINE)
    ]
    return [*makefile, *readme, *policies]


def test_commands_are_shown() -> None:
    shown = shown_commands()
    assert len(shown) >= 6
    assert "incentive allocate --budget 200000" in shown


@pytest.mark.slow
def test_every_command_that_is_shown_runs(incentive: Incentive, tmp_path: Path) -> None:
    small = (ROOT / "policies" / "plain_budget.yaml").read_text(encoding="utf-8")
    small = small.replace("sample: double11", "sample: {name: double11, users: 2000}")
    (tmp_path / "my_campaign.yaml").write_text(small, encoding="utf-8")
    (tmp_path / "policies").symlink_to(ROOT / "policies")
    for command in shown_commands():
        done = incentive(*shlex.split(command, comments=True)[1:])
        assert done.returncode == 0, f"{command}: {done.stderr}"
    plans = sorted((tmp_path / "runs").glob("*/allocation.parquet"))
    assert len(plans) >= 5
    for plan in plans:
        assert incentive("verify", plan.parent).returncode == 0
