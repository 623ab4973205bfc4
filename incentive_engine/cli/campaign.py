"""Commands around a campaign that runs, or is over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.terminal.options import AsJson, RunDirectory, table_at
from incentive_engine.cli.terminal.output import say, shown, spoken

if TYPE_CHECKING:
    from incentive_engine.live.ledger.records import Verb


@app.command()
def watch(
    run_dir: RunDirectory,
    *,
    ledger: Annotated[
        str | None,
        typer.Option(metavar="PATH_OR_URL", help="What `serve` writes; left out: RUN_DIR.ledger."),
    ] = None,
    outcomes: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE",
            help="What users did until now, as for `measure`: says early when the gain is not "
            "what was stated.",
        ),
    ] = None,
    covariates: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE",
            help="Numbers known of users before, as for `measure`: outcomes say more with them.",
        ),
    ] = None,
    per_week: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="How many campaigns are watched in a week; they share 5 %."
        ),
    ] = 1,
    accept: Annotated[
        str | None,
        typer.Option("--accept", metavar="KEY", help="Carry out what this finding proposes."),
    ] = None,
    decline: Annotated[
        str | None,
        typer.Option("--decline", metavar="KEY", help="Write down that nothing is done about it."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="NAME", help="Who accepts or declines."),
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Post findings there as JSON, each once."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Look again and again, until Ctrl-C.")
    ] = False,
    every: Annotated[
        str, typer.Option(metavar="DURATION", help="How often to look: 30s, 1m, 5m.")
    ] = "1m",
    as_json: AsJson = False,
) -> None:
    """Compare a running campaign with its plan, and propose what would help."""
    from incentive_engine.config.schedule.durations import parse_seconds
    from incentive_engine.live.ledger.ledger import ledger_of
    from incentive_engine.live.watch.params import WatchParams
    from incentive_engine.workflow.results.watch_campaign import RunningCampaign
    from incentive_engine.workflow.results.watch_lines import answered, follow_campaign, shown_once

    running = RunningCampaign(
        run_dir=run_dir,
        ledger=ledger or ledger_of(run_dir),
        outcomes=None if outcomes is None else table_at(outcomes, "--outcomes"),
        covariates=None if covariates is None else table_at(covariates, "--covariates"),
        params=WatchParams(campaigns=per_week),
        progress=shown,
    )
    asked = _asked(accept, decline, by)
    if asked is not None:
        key, verb = asked
        say(answered(running.answer(key, verb, by=by or "")))
        return
    if follow:
        seconds = parse_seconds(every, where="--every") or 60.0
        follow_campaign(running, say=say, seconds=seconds, webhook=webhook, as_json=as_json)
        return
    say(*shown_once(running, webhook=webhook, as_json=as_json))


def _asked(accept: str | None, decline: str | None, by: str | None) -> tuple[str, Verb] | None:
    """Return which finding is answered, and how; None where none is.

    Raises
    ------
    ConfigError
        When both ways are asked for, or nobody is named.
    """
    from incentive_engine.errors import ConfigError, Fault
    from incentive_engine.live.ledger.records import Verb

    if accept is not None and decline is not None:
        raise ConfigError(Fault("--accept, --decline", "are both given", "one of them"))
    key = accept if accept is not None else decline
    if key is None:
        if by is not None:
            raise ConfigError(Fault("--by", "says who, but not what", "--accept or --decline KEY"))
        return None
    if by is None:
        raise ConfigError(Fault("--by", "is left out", "the name of who answers"))
    return key, Verb.ACCEPTED if accept is not None else Verb.DECLINED


@app.command()
def measure(
    run_dirs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN_DIR…", help="What `allocate` has written, one or several."),
    ],
    *,
    outcomes: Annotated[
        list[str],
        typer.Option(
            metavar="TABLE",
            help="What users did: user_id, conversion, if known spend, cost, offer_id, at; a "
            "file, a folder or a database's URL, once per run. Users that it leaves out did "
            "nothing.",
        ),
    ],
    ledger: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH_OR_URL",
            help="What `serve` wrote, where a run was decided live; once per run, `none` for "
            "one that was not.",
        ),
    ] = None,
    covariates: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE",
            help="What was known of users before, in numbers (such as spend of the months "
            "before); narrows the intervals, beside the model's own scores.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="A new folder for measurement.html and measurement.csv."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what campaigns brought, by their holdouts, and where they depart from their plans."""
    from incentive_engine.workflow.results.measure_campaign import (
        measure_all,
        paired,
        write_measurement,
    )

    tables = [table_at(text, "--outcomes") for text in outcomes]
    before = None if covariates is None else table_at(covariates, "--covariates")
    measurements = measure_all(paired(run_dirs, tables, ledger or (), before))
    say(measurements.to_json() if as_json else measurements.to_text(spoken()))
    if out is not None:
        written = write_measurement(measurements, out, lang=spoken())
        if not as_json:
            say(written)


@app.command()
def learn(
    run_dir: RunDirectory,
    *,
    outcomes: Annotated[
        str,
        typer.Option(
            metavar="TABLE",
            help="What users did: user_id, conversion, spend, cost, at; one row per user or per "
            "order. Users that it leaves out did nothing.",
        ),
    ],
    into: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The folder of trials, which may have earlier ones."),
    ],
    ledger: Annotated[
        str | None,
        typer.Option(metavar="PATH_OR_URL", help="The ledger, where the run was served live."),
    ] = None,
    users: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE",
            help="The users' features as they were at the plan; left out, the run's own input.",
        ),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="FEATURE", help="Answer for a feature whose meaning has changed."),
    ] = None,
) -> None:
    """Turn a finished campaign's holdout and explorers into a trial for the next model."""
    from incentive_engine.workflow.results.learn_campaign import learn as learned

    folder = learned(
        run_dir,
        table_at(outcomes, "--outcomes"),
        into=into,
        ledger=ledger,
        users=None if users is None else table_at(users, "--users"),
        accepted=accept or (),
    )
    say(folder.to_text(spoken()))
