"""The program's command table; each module beside this one adds its commands to it."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="incentive",
    help="Learns what each offer changes for each user, and spends a pool where it changes most.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every command takes --debug, which shows the traceback of an error.",
)
