"""Commands on the uplift model, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.terminal.options import (
    Accept,
    AsJson,
    Budget,
    Engine,
    EngineName,
    Master,
    ModelDirectory,
    NewDirectory,
    NewTable,
    PolicyFile,
    shared_work,
    table_at,
)
from incentive_engine.cli.terminal.output import say, shown, spoken
from incentive_engine.errors import ConfigError, Fault


@app.command()
def train(policy: PolicyFile = None, *, out: NewDirectory, accept: Accept = None) -> None:
    """Fit the uplift model on the policy's trial."""
    from incentive_engine.workflow import model as models

    say(*models.train(policy, out=out, accepted=accept or (), progress=shown))


@app.command()
def score(
    policy: PolicyFile = None,
    *,
    model: ModelDirectory,
    out: NewTable,
    engine: EngineName = Engine.LOCAL,
    master: Master = None,
) -> None:
    """Predict per user and offer what the offer changes and costs."""
    from incentive_engine.workflow import model as models

    shared = shared_work(engine, master, None)
    say(*models.score(policy, model=model, out=out, progress=shown, shared=shared))


@app.command()
def evaluate(
    policy: PolicyFile = None,
    *,
    out: NewDirectory,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="DIR", help="What `train` has written.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="DIR", help="Another model of the same trial."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="A run to value, in place of a model."),
    ] = None,
    allocation: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Any plan to value: user_id, offer_id; CSV or Parquet."),
    ] = None,
    trial: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="The trial to value a plan on; else the policy's."),
    ] = None,
) -> None:
    """Say how good a model is, or what a plan earned by the arms that users really got."""
    from incentive_engine.workflow import model as models
    from incentive_engine.workflow.results.value_plan import evaluate_run

    plan = run or allocation
    faults = []
    if run is not None and allocation is not None:
        faults.append(Fault("evaluate", "two plans are named", "--run DIR or --allocation FILE"))
    if against is not None and (plan is not None or model is None):
        faults.append(Fault("--against", "compares models, not plans", "--model DIR beside it"))
    if trial is not None and plan is None:
        what = "values plans; a model is judged by the trial that it learned from"
        faults.append(Fault("--trial", what, "--run DIR or --allocation FILE beside it"))
    if faults:
        raise ConfigError(*faults)
    if plan is not None:
        log = None if trial is None else table_at(trial, "--trial")
        say(evaluate_run(policy, run=plan, trial=log, model=model, out=out, lang=spoken()))
    elif model is not None and against is not None:
        say(*models.compare_with(policy, model=model, against=against, out=out, progress=shown))
    elif model is not None:
        say(*models.evaluate_model(policy, model=model, out=out, progress=shown))
    else:
        choices = "--model DIR, --run DIR or --allocation FILE"
        raise ConfigError(Fault("evaluate", "nothing to evaluate", choices))


@app.command()
def power(
    policy: PolicyFile = None,
    *,
    budget: Budget = None,
    holdout: Annotated[
        str, typer.Option(metavar="SHARES", help="Shares of users that never get an offer.")
    ] = "0.01,0.02,0.05,0.1",
    trial: Annotated[
        str, typer.Option(metavar="ROWS", help="Sizes of a further trial with equal arms.")
    ] = "50k,200k,1m",
    as_json: AsJson = False,
) -> None:
    """Say which effects a holdout or a trial can show, and what a holdout costs."""
    from incentive_engine.workflow.find_power import power as calculate
    from incentive_engine.workflow.find_power import shares, sizes

    figures = calculate(
        policy, budget=budget, holdouts=shares(holdout), trials=sizes(trial), progress=shown
    )
    say(figures.to_json() if as_json else figures.to_text(spoken()))


@app.command()
def explain(
    user_id: Annotated[str, typer.Argument(metavar="USER_ID", help="One of the users.")],
    policy: PolicyFile = None,
    *,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="DIR", help="What `train` has written; else trained."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which features drive the effect of each offer on one user."""
    from incentive_engine.workflow.model import explain_user

    reasons = explain_user(policy, user_id, model=model, progress=shown)
    if as_json:
        say(reasons.to_json())
    else:
        say(*reasons.lines())
