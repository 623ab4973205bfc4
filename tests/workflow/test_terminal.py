"""What commands say on a terminal, in the language that is asked for or that of the locale."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from incentive_engine.cli.terminal.output import spoken_at_home, taken_language
from incentive_engine.errors import ConfigError
from incentive_engine.language import language, say
from incentive_engine.language.terminal_text import aligned

from .conftest import Incentive

ENGLISH = re.compile(r"\b[a-z]{2,} [a-z]{2,} [a-z]{2,}\b")
"""Three words in a row that nobody would call a name."""


def without_names(text: str, folder: Path) -> str:
    return re.sub(r"`[^`]*`", "", text.replace(str(folder), ""))


def test_every_command_speaks_chinese(incentive: Incentive, policy: Path, tmp_path: Path) -> None:
    """Names of files and columns stay; what a check of a run found in it is still in English."""
    commands: list[tuple[str | Path, ...]] = [
        ("check", policy),
        ("allocate", policy, "--out", "run"),
        ("verify", "run"),
        ("check", "run"),
        ("approve", "run", "--by", "王"),
        ("whatif", policy, "--budgets", "3k,4k", "--set", "holdout=0.1", "--out", "whatif"),
        ("train", policy, "--out", "model"),
        ("score", policy, "--model", "model", "--out", "scores.parquet"),
        ("evaluate", policy, "--model", "model", "--out", "evaluation"),
        ("power", policy),
        ("explain", "U0000001", policy, "--model", "model"),
        ("measure", "run", "--outcomes", "did.csv"),
        ("reproduce", "run"),
        ("sample", "winback", "--out", "sample"),
    ]
    for command in commands:
        words = command
        if command[0] == "measure":
            users = pd.read_parquet(tmp_path / "run" / "allocation.parquet", columns=["user_id"])
            users.assign(conversion=0).to_csv(tmp_path / "did.csv", index=False)
        if command[0] == "explain":
            users = pd.read_parquet(tmp_path / "run" / "allocation.parquet", columns=["user_id"])
            words = ("explain", str(users["user_id"].iloc[0]), *command[2:])
        done = incentive(*words, "--lang", "zh")
        assert done.returncode == (command == ("check", "run")), (command, done)
        assert re.search(r"[\u4e00-\u9fff]", done.stdout), command
        assert not ENGLISH.search(without_names(done.stdout, tmp_path)), (command, done.stdout)


def test_an_error_is_said_in_chinese_as_far_as_it_can_be(
    incentive: Incentive, policy: Path
) -> None:
    more = "  - {name: impossible, sum: cost, at_least: 90000}\nbudget:"
    policy.write_text(
        policy.read_text(encoding="utf-8").replace("budget:", more), encoding="utf-8"
    )
    done = incentive("allocate", policy, "--lang=zh")
    assert done.returncode == 1
    assert "代价最小的办法：" in done.stderr


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh_TW"}, "zh"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN"}, "en"),
        ({"LC_ALL": "C"}, "en"),
    ],
)
def test_the_locale_decides_where_nothing_is_asked(
    variables: dict[str, str], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert spoken_at_home() == code
    assert taken_language(["check", "a.yaml"]) == (code, ["check", "a.yaml"])


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--lang: `fr` is no language, expected `en` or `zh`"):
        taken_language(["check", "--lang", "fr"])


def test_columns_stand_under_each_other_in_chinese_too() -> None:
    lines = list(
        aligned(language("zh"), [(say("campaign.offer"), "成本"), ("off10", "5"), ("券", "1,200")])
    )
    assert lines == ["优惠    成本", "off10      5", "券     1,200"]
