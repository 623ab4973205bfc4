"""Arguments and options that several commands share."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incentive_engine.errors import ConfigError, Fault

if TYPE_CHECKING:
    from incentive_engine.config.access.location import Location
    from incentive_engine.fleet import SharedWork

PolicyFile = Annotated[
    Path | None,
    typer.Argument(metavar="[POLICY]", help="A policy (YAML); left out: policies/double11.yaml."),
]
Budget = Annotated[
    str | None,
    typer.Option(metavar="AMOUNT", help="The pool: 200000, 200_000, 200k, 5m, 50万, 1.2亿."),
]
Scores = Annotated[
    str | None,
    typer.Option(
        metavar="TABLE",
        help="Scores of your own: a file, a folder of Parquet, or a database's URL; no training "
        "then.",
    ),
]
MinRoi = Annotated[
    float | None,
    typer.Option(
        metavar="R",
        help="As much as possible while incremental spend per unit of cost, over all, is at "
        "least R.",
    ),
]
MinMarginalRoi = Annotated[
    float | None,
    typer.Option(
        metavar="R",
        help="Spend while the last 2 % of the money still returns at least R of incremental "
        "spend per unit of cost, all other limits as they are; the budget is then a cap.",
    ),
]
Basis = Annotated[
    str | None,
    typer.Option(metavar="expected|face|at-risk", help="What must fit into the budget."),
]
Confidence = Annotated[
    float | None,
    typer.Option(metavar="P", help="For at-risk: how surely the budget holds."),
]
NewDirectory = Annotated[Path, typer.Option("--out", metavar="DIR", help="A new directory.")]
NewTable = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="A new file, .parquet or .csv.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
ModelDirectory = Annotated[
    Path, typer.Option("--model", metavar="DIR", help="What `train` has written.")
]
Host = Annotated[
    str,
    typer.Option(metavar="ADDRESS", help="Where to listen; others than this machine need --keys."),
]
Port = Annotated[int, typer.Option(help="The port; 0 takes a free one.", min=0, max=65535)]
Hold = Annotated[
    str,
    typer.Option(
        metavar="DURATION",
        help="How long an offer stays reserved: 90s, 15m, 2h, 3d, or `ever`.",
    ),
]
RunDirectory = Annotated[
    Path, typer.Argument(metavar="RUN_DIR", help="What `allocate` has written.")
]
Accept = Annotated[
    list[str] | None,
    typer.Option("--accept", metavar="NAME", help="Answer for this warning; may be repeated."),
]
Today = Annotated[
    str | None,
    typer.Option("--on", metavar="TIME", help="Check offers' dates as of then; left out: now."),
]


class Engine(StrEnum):
    """Where shards of users are worked on."""

    LOCAL = "local"
    SPARK = "spark"


EngineName = Annotated[
    Engine,
    typer.Option("--engine", help="local: processes of this machine; spark: Apache Spark."),
]
Master = Annotated[
    str | None,
    typer.Option(metavar="URL", help="With --engine spark: local[2], spark://HOST:7077, yarn, …"),
]
ShardCount = Annotated[
    int | None,
    typer.Option("--shards", min=1, max=100_000, help="Into how many parts users are cut."),
]


def shared_work(engine: Engine, master: str | None, shards: int | None) -> SharedWork | None:
    """Return who goes through users in shards; None for this process alone.

    Raises
    ------
    ConfigError
        When a master is named for no cluster.
    """
    if engine is Engine.LOCAL and master is None and shards is None:
        return None
    return sharded_work(engine, master, shards)


def sharded_work(engine: Engine, master: str | None, shards: int | None) -> SharedWork:
    """Return who goes through users in shards, on this machine in processes.

    Raises
    ------
    ConfigError
        When a master is named for no cluster.
    """
    if engine is Engine.LOCAL and master is not None:
        raise ConfigError(Fault("--master", "is for a cluster", "--engine spark beside it"))
    from incentive_engine.data.step_cache import default_root
    from incentive_engine.fleet import Processes, SharedWork
    from incentive_engine.spark.executors import Spark

    fleet = Spark(master=master) if engine is Engine.SPARK else Processes()
    return SharedWork(fleet=fleet, folder=default_root() / "shared", shards=shards)


def table_at(text: str, option: str) -> Location:
    """Return the table that an option names.

    Raises
    ------
    ConfigError
        When it is no location; `option` stands in front.
    """
    from incentive_engine.config.access.location import parse_location

    try:
        return parse_location(text)
    except ConfigError as error:
        raise ConfigError(*(replace(fault, where=option) for fault in error.faults)) from None


def scores_at(text: str | None, accepted: list[str] | None) -> Location | None:
    """Return where the scores lie that a plan is to be made from, if any are given.

    Raises
    ------
    ConfigError
        When it is no location, or warnings are accepted beside it: a trial has them.
    """
    if text is None:
        return None
    if accepted:
        what = "answers for a trial, and scores that are given have none"
        raise ConfigError(Fault("--accept", what, remedy="leave it out"))
    return table_at(text, "--scores")


SigningKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--signing-key",
        metavar="FILE",
        help="The run must be signed with this key; left out: that of INCENTIVE_SIGNING_KEY.",
    ),
]
