"""The help of every command in Chinese."""

from __future__ import annotations

import re
from typing import Any

from incentive_engine.language import Language
from incentive_engine.language.terminal_text import width, wrapped


def speak(command: Any, t: Language) -> None:  # noqa: ANN401 - Typer brings its own Click, or uses the public one
    """Make a command and those below it say their help in a language."""
    paragraphs = (command.help or "").split("\n\n")
    for name in ("help", "epilog"):
        setattr(command, name, t.phrase(getattr(command, name) or ""))
    command.short_help = re.split("[。：；]", t.phrase(paragraphs[0]))[0]
    command.context_class = _context(command.context_class, t)
    for parameter in command.params:
        parameter.help = t.phrase(getattr(parameter, "help", None) or "")
    for below in getattr(command, "commands", {}).values():
        speak(below, t)


def _context(base: Any, t: Language) -> Any:  # noqa: ANN401 - as above
    headings = {
        "Options": t("help.options"),
        "Commands": t("help.commands"),
        "Arguments": t("help.arguments"),
    }

    class Formatter(base.formatter_class):  # type: ignore[misc]  # a class of the library's
        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            args = args.replace("[OPTIONS]", t("help.some_options"))
            args = args.replace("COMMAND [ARGS]...", t("help.some_command"))
            super().write_usage(prog, args, prefix or t("help.usage"))

        def write_heading(self, heading: str) -> None:
            self.write(t("help.heading", heading=headings.get(heading, heading)) + "\n")

        def write_text(self, text: str) -> None:
            indent = " " * self.current_indent
            paragraphs = [
                "\n".join(indent + line for line in wrapped(paragraph, self.width - len(indent)))
                for paragraph in text.split("\n\n")
            ]
            self.write("\n\n".join(paragraphs) + "\n")

        def write_dl(self, rows: Any, col_max: int = 30, col_spacing: int = 2) -> None:  # noqa: ANN401
            indent = " " * self.current_indent
            pairs = [(first, _meaning(text, t)) for first, text in rows]
            left = min(max(width(first) for first, _ in pairs), col_max) + col_spacing
            for first, text in pairs:
                lines = wrapped(text, max(self.width - len(indent) - left, 10))
                if width(first) > left - col_spacing:
                    self.write(f"{indent}{first}\n")
                    first = ""  # noqa: PLW2901 - it stands above
                self.write(f"{indent}{first}{' ' * (left - width(first))}")
                self.write(f"\n{indent}{' ' * left}".join(lines) + "\n")

    class Context(base):  # type: ignore[misc]  # likewise
        formatter_class = Formatter

    return Context


def _meaning(text: str, t: Language) -> str:
    """Return what an option means, with what the library puts in brackets behind it.

    >>> from incentive_engine.language import language
    >>> _meaning("The port.  [default: 8080; required]", language("en"))
    'The port.  [default: 8080; required]'
    """
    if text == "Show this message and exit.":
        return t("help.shown")
    # Typer writes English, and no option of its own says otherwise
    required = t("help.required")
    before, bracket, behind = text.rpartition("  [")
    if not bracket:
        return text.replace("[required]", f"[{required}]")
    behind = behind.replace("required", required).replace("default: ", t("help.default"))
    return before + bracket + behind.replace("; ", t("help.between"))
