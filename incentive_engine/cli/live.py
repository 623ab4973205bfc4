"""Commands around live decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.terminal.options import Hold, Host, Port, RunDirectory
from incentive_engine.cli.terminal.output import say, shown, spoken
from incentive_engine.language import say as message


@app.command()
def serve(
    run_dir: RunDirectory,
    *,
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="PATH_OR_URL",
            help="The ledger: a file, or postgresql://… for several servers; left out: "
            "RUN_DIR.ledger.",
        ),
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Who may call what (YAML); see docs/live.md."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="What `train` has written: decides for users whom the run does not know, from "
            "the features of the request.",
        ),
    ] = None,
    hold: Hold = "15m",
    rate: Annotated[
        float | None,
        typer.Option(metavar="N", help="Requests per second of one caller.", min=0.001),
    ] = None,
    log_requests: Annotated[
        bool, typer.Option("--log-requests", help="Log every request, not failures alone.")
    ] = False,
) -> None:
    """Decide for one arriving user at a time, over HTTP, out of a verified run's pool."""
    from incentive_engine.config.schedule.durations import parse_seconds
    from incentive_engine.service.server import ServeOptions
    from incentive_engine.service.server import serve as served

    options = ServeOptions(
        run_dir=run_dir,
        ledger=ledger,
        host=host,
        port=port,
        keys=keys,
        model=model,
        hold=parse_seconds(hold, where="--hold"),
        rate=rate,
        log_requests=log_requests,
    )
    served(options, say=say, progress=shown)


@app.command()
def mcp(
    run_dir: RunDirectory,
    *,
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="PATH_OR_URL",
            help="The ledger: a file, or postgresql://…; left out: RUN_DIR.ledger.",
        ),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Ask a running `serve` instead of an own ledger."),
    ] = None,
    role: Annotated[
        Literal["read", "reserve"],
        typer.Option(help="`read` looks up; `reserve` also reserves and takes back."),
    ] = "reserve",
    hold: Hold = "15m",
) -> None:
    """Offer service agents tools over the Model Context Protocol, on standard input and output.

    The key for --server is read from INCENTIVE_SERVICE_KEY.
    """
    import os

    from incentive_engine.config.schedule.durations import parse_seconds
    from incentive_engine.service.agents import AgentOptions, serve_agents

    serve_agents(
        AgentOptions(
            run_dir=run_dir,
            ledger=ledger,
            server=server,
            key=os.environ.get("INCENTIVE_SERVICE_KEY"),
            role=role,
            lang=spoken(),
            hold=parse_seconds(hold, where="--hold"),
        ),
        progress=shown,
    )


@app.command()
def ledger(
    place: Annotated[
        str, typer.Argument(metavar="LEDGER", help="A ledger's file, or postgresql://….")
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="A new .parquet or .csv file; left out: CSV on standard output.",
        ),
    ] = None,
    copy: Annotated[
        Path | None,
        typer.Option(
            "--copy", metavar="FILE", help="Copy the ledger itself, also while it is written."
        ),
    ] = None,
) -> None:
    """Write every entry of a ledger: what was reserved, redeemed, returned, and when."""
    from incentive_engine.live.entries import copy_ledger, csv_text, entries, write_entries

    if copy is not None:
        copy_ledger(place, copy)
        say(message("{copy}: a copy of {place}", copy=copy, place=place))
    if out is not None:
        say(message("{rows:,} entries: {out}", rows=write_entries(place, out), out=out))
    if out is None and copy is None:
        say(csv_text([]).rstrip("\n"))
        for rows in entries(place):
            say(csv_text(rows, names=False).rstrip("\n"))
