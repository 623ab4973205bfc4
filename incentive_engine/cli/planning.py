"""Commands that decide who gets what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.terminal.options import (
    Accept,
    AsJson,
    Basis,
    Budget,
    Confidence,
    Engine,
    EngineName,
    Master,
    MinMarginalRoi,
    MinRoi,
    PolicyFile,
    Scores,
    ShardCount,
    scores_at,
    sharded_work,
    shared_work,
)
from incentive_engine.cli.terminal.output import say, shown, spoken


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
    min_roi: MinRoi = None,
    min_marginal_roi: MinMarginalRoi = None,
    basis: Basis = None,
    confidence: Confidence = None,
    author: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Who plans; left out: the policy's author, or you."),
    ] = None,
    accept: Accept = None,
    no_report: Annotated[
        bool,
        typer.Option(
            "--no-report",
            help="A short page: no other budgets, costs of limits or comparisons to wait for.",
        ),
    ] = False,
    engine: EngineName = Engine.LOCAL,
    master: Master = None,
    shards: ShardCount = None,
    parts: Annotated[
        bool,
        typer.Option(
            "--parts",
            help="Tasks read the scores and write the rows, in parts, with a short page. "
            "--scores must be Parquet; left out, they are learned first.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Decide one offer or none for each user."""
    from incentive_engine.insight.budget.policy_options import BudgetOptions
    from incentive_engine.workflow.allocate import allocate as run_allocate
    from incentive_engine.workflow.in_parts.allocate import allocate_in_parts

    options = BudgetOptions(
        amount=budget,
        basis=basis,
        confidence=confidence,
        min_roi=min_roi,
        min_marginal_roi=min_marginal_roi,
    )
    location = scores_at(scores, accept)
    if parts:
        run = allocate_in_parts(
            policy,
            options=options,
            scores=location,
            shared=sharded_work(engine, master, shards),
            out=out,
            author=author,
            accepted=accept or (),
            lang=spoken(),
            progress=shown,
        )
    else:
        run = run_allocate(
            policy,
            options=options,
            scores=location,
            out=out,
            author=author,
            accepted=accept or (),
            lang=spoken(),
            brief=no_report,
            progress=shown,
            shared=shared_work(engine, master, shards),
        )
    if as_json:
        say(run.to_json())
    else:
        say(*run.lines())


@app.command()
def whatif(
    policy: PolicyFile = None,
    *,
    budgets: Annotated[
        str,
        typer.Option(
            metavar="AMOUNTS", help="100k,200k,500k, or 50k..2m:50 for 50 amounts evenly spaced."
        ),
    ],
    set_values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change any setting of the policy: holdout=0.1, limits[region cap].at_most=10%, "
            "limits.roi=null. Several form one variant, shown beside the policy as written.",
        ),
    ] = None,
    variants: Annotated[
        list[str] | None,
        typer.Option(
            "--variant", metavar="NAME:KEY=VALUE,…", help="A further variant with its settings."
        ),
    ] = None,
    scores: Scores = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A new directory; left out: runs/NAME-whatif."),
    ] = None,
    min_roi: MinRoi = None,
    min_marginal_roi: MinMarginalRoi = None,
    basis: Basis = None,
    confidence: Confidence = None,
    accept: Accept = None,
    as_json: AsJson = False,
) -> None:
    """Compare budgets and changed settings: curve, movers, the cost of each limit."""
    from incentive_engine.insight.budget.policy_options import BudgetOptions
    from incentive_engine.workflow.whatif import whatif as run_whatif

    answer = run_whatif(
        policy,
        budgets=budgets,
        settings=set_values or (),
        named=variants or (),
        options=BudgetOptions(
            basis=basis,
            confidence=confidence,
            min_roi=min_roi,
            min_marginal_roi=min_marginal_roi,
        ),
        scores=scores_at(scores, accept),
        out=out,
        accepted=accept or (),
        lang=spoken(),
        progress=shown,
    )
    say(answer.to_json() if as_json else answer.to_text(spoken()))
