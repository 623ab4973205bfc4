"""The command that says what campaigns brought."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.options import AsJson, table_at
from incentive_engine.cli.output import say, spoken


@app.command()
def measure(
    run_dirs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN_DIR…", help="What `allocate` has written, one or several."),
    ],
    *,
    outcomes: Annotated[
        list[str],
        typer.Option(
            metavar="TABLE",
            help="What users did: user_id, conversion, if known spend, cost, offer_id, at; a "
            "file, a folder or a database's URL, once per run. Users that it leaves out did "
            "nothing.",
        ),
    ],
    ledger: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH_OR_URL",
            help="What `serve` wrote, where a run was decided live; once per run, `none` for "
            "one that was not.",
        ),
    ] = None,
    covariates: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE",
            help="What was known of users before, in numbers (such as spend of the months "
            "before); narrows the intervals, beside the model's own scores.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="A new folder for measurement.html and measurement.csv."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what campaigns brought, by their holdouts, and where they depart from their plans."""
    from incentive_engine.workflow.measure_campaign import (
        measure_all,
        paired,
        write_measurement,
    )

    tables = [table_at(text, "--outcomes") for text in outcomes]
    known = None if covariates is None else table_at(covariates, "--covariates")
    measurements = measure_all(paired(run_dirs, tables, ledger or (), known))
    say(measurements.to_json() if as_json else measurements.to_text(spoken()))
    if out is not None:
        written = write_measurement(measurements, out, lang=spoken())
        if not as_json:
            say(written)
