"""The command that makes history features."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.terminal.options import (
    Engine,
    EngineName,
    Master,
    NewTable,
    PolicyFile,
    shared_work,
)
from incentive_engine.cli.terminal.output import say, shown


class Table(StrEnum):
    """What features are made for."""

    USERS = "users"
    TRIAL = "trial"


@app.command()
def features(
    policy: PolicyFile = None,
    *,
    table: Annotated[
        Table, typer.Option("--for", help="The users to decide on, or the rows of the trial.")
    ],
    out: NewTable,
    engine: EngineName = Engine.LOCAL,
    master: Master = None,
) -> None:
    """Make the features of the policy's event logs, each row's at its own moment."""
    from incentive_engine.workflow.features import make_features

    shared = shared_work(engine, master, None)
    say(*make_features(policy, table=table.value, out=out, progress=shown, shared=shared))
