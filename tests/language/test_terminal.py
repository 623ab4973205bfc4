"""What a terminal shows is in the language of who sits before it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from incentive_engine.language.terminal_text import CLOSING, width
from workflow.conftest import program

COMMANDS = re.compile(r"^  ([a-z]+) ", re.MULTILINE)
ENGLISH = re.compile(r"\b[a-z]+ [a-z]+ [a-z]+\b")
"""Three words in a row that nobody would call a name."""
NAMES = re.compile(r"`[^`]*`|INCENTIVE_\w+")


def said(folder: Path, *words: str) -> str:
    ended = program(folder, folder, *words, "--lang", "zh")
    return ended.stdout + ended.stderr


def test_the_help_of_every_command_is_chinese(tmp_path: Path) -> None:
    overview = said(tmp_path, "--help")
    commands = [name for name in COMMANDS.findall(overview) if name != "h"]
    assert len(commands) > 20
    for text in (overview, *(said(tmp_path, name, "--help") for name in commands)):
        assert not ENGLISH.search(NAMES.sub("", text)), text
        assert "Options" not in text
        assert "用法：" in text
        assert "Show this message" not in text


@pytest.mark.parametrize("columns", [80, 100])
def test_no_line_of_the_chinese_help_leaves_the_window_or_begins_with_a_comma(
    tmp_path: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    overview = said(tmp_path, "--help")
    names = [name for name in COMMANDS.findall(overview) if name != "h"]
    for text in (overview, *(said(tmp_path, name, "--help") for name in names)):
        lines = text.splitlines()
        assert [line for line in lines if width(line) > columns] == []
        assert [line for line in lines if line.strip() and line.strip()[0] in CLOSING] == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("alocate", "incentive：没有命令 `alocate`；您是不是想写 `allocate` 或 `evaluate`？"),
        (
            "verify --runn x",
            "incentive verify：没有选项 `--runn`；请参看 `incentive verify --help`",
        ),
        ("explain", "incentive explain：缺少 `USER_ID`；请参看 `incentive explain --help`"),
        ("verify a b", "incentive verify：多余的参数 `b`；请参看 `incentive verify --help`"),
        ("allocate --out", "incentive: --out：后面缺少取值；请参看 `incentive --help`"),
        ("serve x --port 65536", "--port：太大，应为：至多 65535；"),
        ("serve x --port x", "--port：不是整数，应为：整数；"),
        ("serve x --rate x", "--rate：不是数字，应为：数字；"),
        ("mcp x --role king", "--role：没有 `king` 这个名称，应为：`read` 或 `reserve`；"),
    ],
)
def test_a_wrong_command_line_is_said_in_chinese(tmp_path: Path, words: str, line: str) -> None:
    assert line in said(tmp_path, *words.split())


def test_a_wrong_command_line_is_said_without_the_words_of_a_library(tmp_path: Path) -> None:
    for words in ("mcp x --role king", "serve x --port 99999", "serve x --rate 0"):
        told = program(tmp_path, tmp_path, *words.split()).stderr
        assert "Input should" not in told
        assert "Value error" not in told
