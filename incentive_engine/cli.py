"""The commands that planners type.

A command reads its options, calls one workflow function, prints what came out, and exits. Heavy
libraries load inside the workflow, so that ``--help`` answers at once.
"""

from __future__ import annotations

import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from incentive_engine.errors import ConfigError, Fault, IncentiveError

app = typer.Typer(
    name="incentive",
    help="Learns what each offer changes for each user, and spends a pool where it changes most.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every command takes --debug, which shows the traceback of an error.",
)

USAGE_ERROR: Any = (
    typer.BadParameter.__base__
)  # Typer brings its own Click, or uses the public one

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


@app.command()
def verify(run_dir: Path, *, as_json: AsJson = False) -> None:
    """Re-check a run from its files alone; shares no code with the solver."""
    from incentive_engine.verify import verify_run

    verification = verify_run(run_dir)
    typer.echo(verification.to_json() if as_json else verification.to_text())
    if not verification.ok:
        raise typer.Exit(1)


@app.command()
def train(policy: PolicyFile = None, *, out: NewDirectory) -> None:
    """Fit the uplift model on the policy's trial."""
    from incentive_engine.workflow import model as models

    typer.echo(models.train(policy, out=out))


@app.command()
def score(
    policy: PolicyFile = None,
    *,
    model: ModelDirectory,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="A new file, .parquet or .csv.")
    ],
) -> None:
    """Predict per user and offer what the offer changes and costs."""
    from incentive_engine.workflow import model as models

    typer.echo(models.score(policy, model=model, out=out))


@app.command()
def evaluate(
    policy: PolicyFile = None,
    *,
    out: NewDirectory,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="DIR", help="What `train` has written.")
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", help="A run to value, in place of a model."),
    ] = None,
    trial: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The trial to value a run on; else the policy's."),
    ] = None,
) -> None:
    """Say how good a model is, or what a plan earned by the arms that users really got."""
    from incentive_engine.workflow import model as models
    from incentive_engine.workflow.replay import evaluate_run

    if run is not None:
        typer.echo(evaluate_run(policy, run=run, trial=trial, model=model, out=out))
    elif model is not None:
        typer.echo(models.evaluate_model(policy, model=model, out=out))
    else:
        raise ConfigError(Fault("evaluate", "nothing to evaluate", "--model DIR or --run DIR"))


@app.command()
def simulate(
    scenario: Path,
    *,
    out: NewDirectory,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Processes; the figures do not depend on it."),
    ] = None,
) -> None:
    """Replay a campaign under several strategies and budgets, and compare them."""
    from incentive_engine.workflow.simulate import SimulationStopped
    from incentive_engine.workflow.simulate import simulate as run_simulation

    try:
        typer.echo(run_simulation(scenario, out=out, workers=workers))
    except SimulationStopped as stopped:
        typer.echo(str(stopped))
        raise


@app.command()
def check(file: Path) -> None:
    """Validate a policy or a scenario without running it."""
    from incentive_engine.workflow import files

    typer.echo(files.check(file))


@app.command()
def export(
    run_dir: Path,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="PATH", help="A new .csv or .parquet file.")],
) -> None:
    """Write per-user offers for another system; refuses a run that `verify` rejects."""
    from incentive_engine.workflow import files

    typer.echo(files.export(run_dir, to=to))


@app.command()
def sample(
    name: Annotated[str, typer.Argument(metavar="NAME", help="double11 or winback.")] = "double11",
    *,
    out: NewDirectory,
) -> None:
    """Write a sample campaign as files, to look at or to start from."""
    from incentive_engine.workflow import files

    typer.echo(files.sample(name, out=out))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit: 0 done, 1 the answer is no, 2 bad input, 3 internal error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"] or ["--help"]
    signal.signal(signal.SIGTERM, _terminated)
    try:
        sys.exit(_run(words))
    except IncentiveError as error:
        _fail(error, message=str(error), code=error.exit_code, debug=debug)
    except USAGE_ERROR as error:
        where = error.ctx.command_path if error.ctx else "incentive"
        message = f"{where}: {error.format_message()} Try `{where} --help`."
        _fail(error, message=message, code=2, debug=debug)
    except KeyboardInterrupt as error:
        _fail(error, message="stopped; nothing half-written stays", code=130, debug=debug)
    except Exception as error:  # noqa: BLE001 - the one place where a defect becomes an exit code
        message = f"internal error: {type(error).__name__}: {error}; run again with --debug"
        _fail(error, message=message, code=3, debug=debug)


def _terminated(number: int, _frame: object) -> NoReturn:
    """End as Ctrl-C does, so that nothing half-written stays."""
    sys.exit(128 + number)


def _run(words: list[str]) -> int:
    command: Any = typer.main.get_command(app)
    result = command.main(args=words, prog_name="incentive", standalone_mode=False)
    return result if isinstance(result, int) else 0


def _fail(error: BaseException, *, message: str, code: int, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exception(error)
    typer.echo(message, err=True)
    sys.exit(code)
