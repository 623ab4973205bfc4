"""Runs the service until it is asked to stop, and lets it finish what it has begun."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from incentive_engine.domain import MICROS
from incentive_engine.errors import ConfigError, DataError, Fault, SetupError
from incentive_engine.language import say

try:
    import uvicorn
    import uvloop

    from incentive_engine.config.access.keys import Keys
    from incentive_engine.live.campaign import open_campaign
    from incentive_engine.live.ledger.places import ledger_of
    from incentive_engine.live.repricing import Repricer
    from incentive_engine.live.writing.process import WriterProcess
    from incentive_engine.run.approval import refuse_unapproved
    from incentive_engine.run.signature import read_signing_key, refuse_unsigned
    from incentive_engine.service.app import Service, application
    from incentive_engine.service.findings import Findings
    from incentive_engine.service.gate import Gate, Limits
    from incentive_engine.service.log import Log
    from incentive_engine.service.metrics import Metrics
    from incentive_engine.service.pace import follow, keep_obeying, keep_pace, obey_actions
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] not in {"uvicorn", "uvloop", "starlette", "msgspec"}:
        raise
    missing = Fault(
        error.name or "", "is not installed", remedy="pip install 'incentive-engine[serve]'"
    )
    raise SetupError(missing) from error

STOPPING: Final = 20
"""Seconds that requests have to end once the server is asked to stop."""

WAITING: Final = 1_024
"""Connections that wait to be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
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


def serve(options: Options, *, say: Callable[[str], None]) -> None:
    """Serve a run until SIGTERM or Ctrl-C.

    Raises
    ------
    IncentiveError
        When the run does not verify, the ledger cannot be opened, or the port is taken.
    """
    _refuse_open_door(options)
    keys = None if options.keys is None else Keys(options.keys)
    key = read_signing_key(None)
    campaign = open_campaign(options.run_dir, model=options.model, key=key)
    refuse_unsigned(campaign.run, key)
    refuse_unapproved(campaign.run)
    place = options.ledger or ledger_of(options.run_dir)
    hold = None if options.hold is None else round(options.hold * MICROS)
    metrics, log = Metrics(), Log(requests=options.log_requests)
    service = Service(
        campaign=campaign,
        writer=WriterProcess(place, campaign.terms, on_commit=metrics.commit),
        watch=Findings(campaign, place),
        gate=Gate(keys=keys, limits=Limits(rate=options.rate)),
        hold=hold,
        repricer=Repricer.of(campaign, place, hold=hold),
        metrics=metrics,
        log=log,
    )
    with (
        _listening(options.host, options.port) as listener,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(service, listener, say, users=len(campaign.population)))


def _refuse_open_door(options: Options) -> None:
    """Refuse to let anybody in who can reach the machine."""
    try:
        is_own = options.host == "localhost" or ipaddress.ip_address(options.host).is_loopback
    except ValueError:
        is_own = False
    if options.keys is None and not is_own:
        what = "would let everybody in who can reach it"
        fault = Fault(f"--host {options.host}", what, "--keys FILE, or 127.0.0.1")
        raise ConfigError(fault)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(WAITING)
    except (OSError, OverflowError) as error:
        what = say("cannot be listened on: {reason}", reason=error)
        fault = Fault(f"{host}:{port}", what, remedy="stop what uses it, or take another --port")
        raise DataError(fault) from None
    with listener:
        yield listener


async def _serve(
    service: Service, listener: socket.socket, say: Callable[[str], None], *, users: int
) -> None:
    server = _Server(
        uvicorn.Config(
            application(service),
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOPPING,
            timeout_keep_alive=30,
            lifespan="off",
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.ask_to_stop)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    server.on_start = lambda: say(
        f"{service.campaign.run.directory}: {users:,} users at http://{shown}:{port}"
    )
    await service.writer.start()
    known = await obey_actions(service, 0)
    await follow(service)
    beside = [
        asyncio.create_task(keep_pace(service)),
        asyncio.create_task(keep_obeying(service, known)),
    ]
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in beside:
            task.cancel()
        await service.writer.stop()
    service.log.event("stopped")


class _Server(uvicorn.Server):
    """A server that leaves signals to us, and says when it has started."""

    on_start: Callable[[], None]

    def ask_to_stop(self) -> None:
        """Take no more requests, and end when those that began have their answers."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals as they are."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self.on_start()
