"""Commands that take a run to other systems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from incentive_engine.cli.app import app


@app.command()
def export(
    run_dir: Path,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="PATH", help="A new .csv or .parquet file.")],
) -> None:
    """Write per-user offers for another system; refuses a run that `verify` rejects."""
    from incentive_engine.workflow import files

    typer.echo(files.export(run_dir, to=to))
