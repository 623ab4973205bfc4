"""The help of every command in Chinese."""

from __future__ import annotations

import re
from typing import Any, Final

from incentive_engine.language import Language

HEADINGS: Final = {"Options": "选项", "Commands": "命令", "Arguments": "参数"}


def speak(command: Any, t: Language) -> None:  # noqa: ANN401 - Typer brings its own Click, or uses the public one
    """Make a command and those below it say their help in a language."""
    paragraphs = (command.help or "").split("\n\n")
    for name in ("help", "epilog"):
        setattr(command, name, t.phrase(getattr(command, name) or ""))
    command.short_help = re.split("[。：；]", t.phrase(paragraphs[0]))[0]
    command.context_class = _context(command.context_class)
    # letters of a line at most: a Chinese one is as wide as two others
    width = 60
    command.context_settings["max_content_width"] = width
    for parameter in command.params:
        parameter.help = t.phrase(getattr(parameter, "help", None) or "")
    for below in getattr(command, "commands", {}).values():
        speak(below, t)


def _context(base: Any) -> Any:  # noqa: ANN401 - as above
    # what the line of use says
    usage = (("[OPTIONS]", "[选项]"), ("COMMAND [ARGS]...", "命令 [参数]..."))

    class Formatter(base.formatter_class):  # type: ignore[misc]  # a class of the library's
        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            for english, chinese in usage:
                args = args.replace(english, chinese)
            super().write_usage(prog, args, prefix or "用法：")

        def write_heading(self, heading: str) -> None:
            self.write(f"{HEADINGS.get(heading, heading)}：\n")

        def write_dl(self, rows: Any, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
            super().write_dl(
                [(_first, _second(text)) for _first, text in rows], *arguments, **options
            )

    class Context(base):  # type: ignore[misc]  # likewise
        formatter_class = Formatter

    return Context


def _second(text: str) -> str:
    """Return what an option means, with what stands in brackets behind it in Chinese.

    >>> _second("端口。  [default: 8080; required]")
    '端口。  [默认：8080；必填]'
    """
    if text == "Show this message and exit.":
        return "显示帮助并退出。"
    before, bracket, behind = text.rpartition("  [")
    # what stands in brackets behind an option
    beside = (("required", "必填"), ("default: ", "默认："), ("; ", "；"))
    for english, chinese in beside:
        behind = behind.replace(english, chinese)
    return before + bracket + behind if bracket else text.replace("[required]", "[必填]")
