"""Commands that decide who gets what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.options import AsJson, Budget, PolicyFile, Scores


@app.command()
def allocate(
    policy: PolicyFile = None,
    *,
    budget: Budget = None,
    scores: Scores = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A new directory; left out: runs/NAME-AMOUNT."),
    ] = None,
    min_roi: Annotated[
        float | None,
        typer.Option(metavar="R", help="Incremental spend per unit of cost, at least."),
    ] = None,
    basis: Annotated[
        str | None,
        typer.Option(metavar="expected|face|at-risk", help="What must fit into the budget."),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(metavar="P", help="For at-risk: how surely the budget holds."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decide one offer or none for each user."""
    from incentive_engine.workflow.allocate import allocate as run_allocate
    from incentive_engine.workflow.policies import BudgetOptions

    run = run_allocate(
        policy,
        options=BudgetOptions(
            amount=budget,
            basis=basis,
            confidence=confidence,
            min_roi=min_roi,
        ),
        scores=scores,
        out=out,
    )
    typer.echo(run.to_json() if as_json else run.to_text())
