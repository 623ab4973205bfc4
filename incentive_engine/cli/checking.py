"""Commands that say whether a file or a run is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.terminal.options import (
    Accept,
    AsJson,
    Engine,
    EngineName,
    Master,
    RunDirectory,
    ShardCount,
    SigningKeyFile,
    Today,
    shared_work,
)
from incentive_engine.cli.terminal.output import say, shown, spoken


@app.command()
def verify(
    run_dir: Path,
    *,
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="PATH_OR_URL", help="Also re-check what `serve` wrote of it, entry by entry."
        ),
    ] = None,
    signing_key: SigningKeyFile = None,
    engine: EngineName = Engine.LOCAL,
    master: Master = None,
    shards: ShardCount = None,
    as_json: AsJson = False,
) -> None:
    """Re-check a run from its files alone; shares no code with the solver."""
    from incentive_engine.run.signature import read_signing_key
    from incentive_engine.verify.ledgers.ledger import verify_ledger
    from incentive_engine.verify.verification import verify_run

    verification = verify_run(
        run_dir,
        key=read_signing_key(signing_key),
        shared=shared_work(engine, master, shards),
    )
    if ledger is not None:
        with shown("verify the ledger", 1.0) as advance:
            more = verify_ledger(run_dir, ledger, advance)
        verification = replace(verification, checks=(*verification.checks, *more.checks))
    say(verification.to_json() if as_json else verification.to_text(spoken()))
    if not verification.ok:
        raise typer.Exit(1)


@app.command()
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE|RUN_DIR", help="A policy, a scenario, or a run.")
    ],
    *,
    accept: Accept = None,
    on: Today = None,
) -> None:
    """Validate a policy or a scenario, or look a run over before its offers leave."""
    if not file.is_dir():
        from incentive_engine.workflow import files

        say(*files.check(file))
        return
    from incentive_engine.workflow import delivery

    checked = delivery.check_run(file, accepted=accept or (), on=on, progress=shown)
    say(*checked.lines())
    if not checked.ok:
        raise typer.Exit(1)


@app.command()
def reproduce(run_dir: RunDirectory) -> None:
    """Run a plan again from its manifest; exit 1 when anything else comes out."""
    from incentive_engine.workflow.results.reproduce import reproduce as run_again

    reproduction = run_again(run_dir, progress=shown)
    say(*reproduction.lines())
    if not reproduction.ok:
        raise typer.Exit(1)
