"""The command that watches a running campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from incentive_engine.cli.app import app
from incentive_engine.cli.options import AsJson, RunDirectory, table_at
from incentive_engine.cli.output import say

if TYPE_CHECKING:
    from incentive_engine.live.records import Verb


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
    from incentive_engine.live.durations import parse_duration
    from incentive_engine.live.places import ledger_of
    from incentive_engine.workflow.watch_campaign import RunningCampaign
    from incentive_engine.workflow.watch_lines import answered, follow_campaign, shown_once

    running = RunningCampaign(
        run_dir=run_dir,
        ledger=ledger or ledger_of(run_dir),
        outcomes=None if outcomes is None else table_at(outcomes, "--outcomes"),
    )
    asked = _asked(accept, decline, by)
    if asked is not None:
        key, verb = asked
        say(answered(running.answer(key, verb, by=by or "")))
        return
    if follow:
        seconds = parse_duration(every, where="--every") or 60.0
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
    from incentive_engine.live.records import Verb

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
