"""Commands that say whether a file or a run is right."""

from __future__ import annotations

from pathlib import Path

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.options import AsJson


@app.command()
def verify(run_dir: Path, *, as_json: AsJson = False) -> None:
    """Re-check a run from its files alone; shares no code with the solver."""
    from incentive_engine.verify import verify_run

    verification = verify_run(run_dir)
    typer.echo(verification.to_json() if as_json else verification.to_text())
    if not verification.ok:
        raise typer.Exit(1)


@app.command()
def check(file: Path) -> None:
    """Validate a policy or a scenario without running it."""
    from incentive_engine.workflow import files

    typer.echo(files.check(file))
