"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PolicyFile = Annotated[
    Path | None,
    typer.Argument(metavar="[POLICY]", help="A policy (YAML); left out: policies/double11.yaml."),
]
Budget = Annotated[
    str | None,
    typer.Option(metavar="AMOUNT", help="The pool: 200000, 200_000, 200k, 5m, 50万, 1.2亿."),
]
Scores = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Scores of your own; no training takes place then."),
]
NewDirectory = Annotated[Path, typer.Option("--out", metavar="DIR", help="A new directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
ModelDirectory = Annotated[
    Path, typer.Option("--model", metavar="DIR", help="What `train` has written.")
]
