"""The command that opens the planner's pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.terminal.options import Host, Port
from incentive_engine.cli.terminal.output import say


@app.command()
def studio(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Policies and runs; left out: this folder.")
    ] = Path(),
    *,
    host: Host = "127.0.0.1",
    port: Port = 8090,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who may read, plan and approve; see docs/studio.md."),
    ] = None,
) -> None:
    """Plan in the browser: move limits, compare, approve, export, follow a campaign."""
    from incentive_engine.studio.server import StudioOptions, open_studio

    open_studio(StudioOptions(folder=folder, host=host, port=port, keys=keys), say=say)
