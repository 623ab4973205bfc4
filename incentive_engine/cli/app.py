"""The program's command table; each module beside this one adds its commands to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer


class CommandGroup(typer.Typer):
    """Commands whose help says what every command takes."""

    closing = (
        "Every command takes --lang en or --lang zh, the language of what it says and of its "
        "pages (left out: that of the locale), and --debug, which shows the traceback of an error."
    )

    def command(self, *arguments: Any, **options: Any) -> Callable[..., Any]:  # noqa: ANN401 - as its base
        """Return what adds a function as a command."""
        return super().command(*arguments, **{"epilog": self.closing, **options})


app = CommandGroup(
    name="incentive",
    help="Learns what each offer changes for each user, and spends a pool where it changes most.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=CommandGroup.closing,
)
