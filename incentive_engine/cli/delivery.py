"""Commands that take a run to other systems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.terminal.options import Accept, RunDirectory, SigningKeyFile, Today
from incentive_engine.cli.terminal.output import say, shown


@app.command()
def approve(
    run_dir: RunDirectory,
    *,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who approves.")],
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, or with what.")] = None,
) -> None:
    """Write down who approves a run as it stands."""
    from incentive_engine.workflow import delivery

    say(*delivery.approve(run_dir, by=by, note=note, progress=shown))


@app.command()
def sign(
    run_dir: RunDirectory,
    *,
    signing_key: SigningKeyFile = None,
) -> None:
    """Sign a run that verifies, so that nobody without the key can alter it unnoticed."""
    from incentive_engine.run.signature import read_signing_key
    from incentive_engine.workflow import delivery

    say(*delivery.sign(run_dir, key=read_signing_key(signing_key), progress=shown))


@app.command()
def export(
    run_dir: RunDirectory,
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="PATH_OR_URL",
            help="A .csv, .parquet or .duckdb file, a directory with --preset, or postgresql://…",
        ),
    ],
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="csv, excel, parquet, talon-one, eagle-eye or braze, in parts."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="COLUMN=VALUE", help="Only such users; may be repeated."),
    ] = None,
    only_tier: Annotated[
        list[str] | None,
        typer.Option("--only-tier", metavar="TIER", help="The same as --only tier=TIER."),
    ] = None,
    only_offer: Annotated[
        list[str] | None,
        typer.Option("--only-offer", metavar="ID", help="Only this offer; may be repeated."),
    ] = None,
    min_budget_left: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help="Keep so much of the pool unspent: the least valuable offers stay out.",
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The secret key; left out: INCENTIVE_KEY."),
    ] = None,
    hash_ids: Annotated[
        bool, typer.Option("--hash-ids", help="Keyed hashes in place of user ids.")
    ] = False,
    table: Annotated[
        str, typer.Option(metavar="NAME", help="The table, for a database.")
    ] = "incentive_offers",
    prune: Annotated[
        bool, typer.Option("--prune", help="For a database: remove rows of other runs.")
    ] = False,
    signing_key: SigningKeyFile = None,
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="PATH_OR_URL",
            help="Reserve what leaves in the pool of live decisions first.",
        ),
    ] = None,
    accept: Accept = None,
    on: Today = None,
) -> None:
    """Write per-user offers for another system; refuses a run that is not right."""
    from incentive_engine.export.export import ExportOptions
    from incentive_engine.export.keys import read_key
    from incentive_engine.export.selection import read_filters
    from incentive_engine.run.signature import read_signing_key
    from incentive_engine.workflow import delivery

    written = [*(only or ()), *(f"tier={tier}" for tier in only_tier or ())]
    options = ExportOptions(
        preset=preset,
        filters=read_filters(written, offers=only_offer or (), min_budget_left=min_budget_left),
        key=read_key(key_file),
        hash_ids=hash_ids,
    )
    target = delivery.Target(to=to, table=table, prune=prune)
    lines = delivery.export(
        run_dir,
        target=target,
        options=options,
        accepted=accept or (),
        on=on,
        key=read_signing_key(signing_key),
        ledger=ledger,
        progress=shown,
    )
    say(*lines)
