"""Runs the service until it is asked to stop, and lets it finish what it has begun."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from incentive_engine.domain import MICROS
from incentive_engine.errors import Fault, SetupError
from incentive_engine.pipeline.steps import Progress, quiet

try:
    import uvicorn
    import uvloop

    from incentive_engine.config.access.keys import Keys
    from incentive_engine.live.ledger.ledger import ledger_of
    from incentive_engine.live.newcomers import Newcomers
    from incentive_engine.live.opening import open_campaign
    from incentive_engine.live.writing.process import WriterProcess, launched_early
    from incentive_engine.run.approval import refuse_unapproved
    from incentive_engine.run.signature import read_signing_key, refuse_unsigned
    from incentive_engine.service.api.routes import application
    from incentive_engine.service.app import Service
    from incentive_engine.service.gate import Gate, Limits
    from incentive_engine.service.log import Log
    from incentive_engine.service.metrics import Metrics
    from incentive_engine.service.pace import keep_pace, obeying
    from incentive_engine.service.watched_findings import WatchedFindings
    from incentive_engine.web import Server, address_of, listening, refuse_open_door
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] not in {"uvicorn", "uvloop", "starlette", "msgspec"}:
        raise
    missing = Fault(
        error.name or "", "is not installed", remedy="pip install 'incentive-engine[serve]'"
    )
    raise SetupError(missing) from error


if TYPE_CHECKING:
    from incentive_engine.live.campaign import LiveCampaign
    from incentive_engine.live.repricing import Repricer


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How a run is served.

    Attributes
    ----------
    ledger
        A file or a URL; None: beside the run.
    model
        What `train` has written, for users whom the run does not know.
    hold
        Seconds for which an offer stays reserved; None: until it cannot be redeemed any more.
    rate
        Requests per second of one caller; None: any number.
    """

    run_dir: Path
    ledger: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    keys: Path | None = None
    model: Path | None = None
    hold: float | None = 900.0
    rate: float | None = None
    log_requests: bool = False


def serve(
    options: ServeOptions, *, say: Callable[[str], None], progress: Progress = quiet
) -> None:
    """Serve a run until SIGTERM or Ctrl-C.

    Parameters
    ----------
    progress
        Is told how far a ledger of before is brought up to date.

    Raises
    ------
    IncentiveError
        When the run does not verify, the ledger cannot be opened, or the port is taken.
    """
    if options.keys is None:
        refuse_open_door(options.host)
    keys = None if options.keys is None else Keys(options.keys)
    with launched_early() as writer:
        service = _opened(options, keys, writer, progress)
        # connections that wait to be taken
        waiting = 1_024
        with (
            listening(options.host, options.port, waiting=waiting) as listener,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_serve(service, listener, say))


def _opened(
    options: ServeOptions,
    keys: Keys | None,
    writer: subprocess.Popen[bytes],
    progress: Progress,
) -> Service:
    """Return what the calls share, once the run is known to verify."""
    key = read_signing_key(None)
    campaign = open_campaign(options.run_dir, key=key)
    newcomers = None if options.model is None else Newcomers.of(options.model, campaign)
    refuse_unsigned(campaign.run, key)
    refuse_unapproved(campaign.run)
    place = options.ledger or ledger_of(options.run_dir)
    hold = None if options.hold is None else round(options.hold * MICROS)
    metrics, log = Metrics(), Log(requests=options.log_requests)
    return Service(
        campaign=campaign,
        newcomers=newcomers,
        writer=WriterProcess(
            place,
            campaign.terms,
            launched=writer,
            on_commit=metrics.commit,
            progress=progress,
        ),
        watched=WatchedFindings(campaign, place).now,
        gate=Gate(keys=keys, limits=Limits(rate=options.rate)),
        hold=hold,
        repricer=_repricer(campaign, place, hold),
        metrics=metrics,
        log=log,
    )


def _repricer(campaign: LiveCampaign, place: str, hold: int | None) -> Repricer | None:
    if campaign.hours is None:
        return None
    from incentive_engine.live.repricing import Repricer  # loads solvers

    return Repricer.of(campaign, place, hold=hold)


async def _serve(service: Service, listener: socket.socket, say: Callable[[str], None]) -> None:
    # seconds that requests have to end once the server is asked to stop
    stopping = 20
    server = Server(
        uvicorn.Config(
            application(service),
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=stopping,
            timeout_keep_alive=30,
            lifespan="off",
        )
    )

    starting = asyncio.create_task(service.writer.start())
    server.stop_on_signals(before=starting.cancel)
    users = len(service.campaign.population)
    server.on_start = lambda: say(
        f"{service.campaign.run.directory}: {users:,} users at {address_of(listener)}"
    )
    try:
        await starting
    except asyncio.CancelledError:
        service.log.event("stopped")
        return
    # seconds after which a thread that solves prices lets requests have the interpreter
    sys.setswitchinterval(0.0005)
    # a full collection would look at all that was loaded, and hold every request up meanwhile
    gc.collect()
    gc.freeze()
    beside = [await obeying(service), asyncio.create_task(keep_pace(service))]
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in beside:
            task.cancel()
        await service.writer.stop()
    service.log.event("stopped")
