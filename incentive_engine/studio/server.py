"""Opens the studio on a folder, until it is asked to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from incentive_engine.errors import Fault, SetupError
from incentive_engine.language import say as message

try:
    import uvicorn

    from incentive_engine.config.access.keys import Keys
    from incentive_engine.studio.app import application
    from incentive_engine.studio.door import Door, loopback_hosts
    from incentive_engine.studio.tasks import TaskBook
    from incentive_engine.studio.visit import Studio
    from incentive_engine.studio.worker import work
    from incentive_engine.web import Server, address_of, listening, refuse_open_door
    from incentive_engine.workflow.studio.folder import Folder
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] not in {"uvicorn", "starlette"}:
        raise
    missing = Fault(
        error.name or "",
        message("studio.missing"),
        remedy="pip install 'incentive-engine[studio]'",
    )
    raise SetupError(missing) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioOptions:
    """How a folder is opened."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 8090
    keys: Path | None = None


def open_studio(options: StudioOptions, *, say: Callable[[str], None]) -> None:
    """Show a folder's pages until SIGTERM or Ctrl-C.

    Raises
    ------
    IncentiveError
        When there is no such folder, the port is taken, or anybody could come in.
    """
    folder = Folder(options.folder)
    if options.keys is None:
        refuse_open_door(options.host)
    keys = None if options.keys is None else Keys(options.keys)
    # connections that wait to be taken
    waiting = 128
    with listening(options.host, options.port, waiting=waiting) as listener:
        port = listener.getsockname()[1]
        door = Door(
            keys=keys,
            hosts=loopback_hosts(options.host) if keys is None else frozenset(),
            cookie=f"incentive-studio-{port}",
        )
        studio = Studio(folder=folder, door=door, tasks=TaskBook(work))
        begun = f"{folder.root}: {address_of(listener)}"
        try:
            asyncio.run(_serve(studio, listener, lambda: say(begun)))
        finally:
            studio.tasks.stop_all()


async def _serve(studio: Studio, listener: socket.socket, on_start: Callable[[], None]) -> None:
    # seconds that requests have to end once the studio is asked to stop
    stopping = 3
    server = Server(
        uvicorn.Config(
            application(studio),
            log_level="critical",  # what goes wrong is told by our own handler
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=stopping,
            lifespan="off",
        )
    )

    def stop() -> None:
        studio.closing.set()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    server.on_start = on_start
    await server.serve(sockets=[listener])
