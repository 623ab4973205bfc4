"""Commands that replay campaigns, and make them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.terminal.options import NewDirectory
from incentive_engine.cli.terminal.output import say, shown, spoken


@app.command()
def simulate(
    scenario: Path,
    *,
    out: NewDirectory,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Processes; the figures do not depend on it."),
    ] = None,
) -> None:
    """Replay a campaign under several strategies and budgets, and compare them."""
    from incentive_engine.workflow.simulate import SimulationStopped
    from incentive_engine.workflow.simulate import simulate as run_simulation

    try:
        say(run_simulation(scenario, out=out, workers=workers, lang=spoken(), progress=shown))
    except SimulationStopped as stopped:
        say(str(stopped))
        raise


@app.command()
def sample(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="double11, winback, everyday or weekly.")
    ] = "double11",
    *,
    out: NewDirectory,
    after: Annotated[
        Path | None,
        typer.Option(metavar="RUN_DIR", help="Write what its users did under this run's plan."),
    ] = None,
) -> None:
    """Write a sample campaign as files, to look at or to start from."""
    from incentive_engine.workflow import files

    say(files.sample(name, out=out, after=after))
