"""What servers share: an address to listen on, and a start that is told. It needs uvicorn."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from incentive_engine.errors import ConfigError, DataError, Fault
from incentive_engine.language import say


@contextmanager
def listening(host: str, port: int, *, waiting: int) -> Iterator[socket.socket]:
    """Listen on an address until the end.

    Parameters
    ----------
    port
        0 takes a free one.
    waiting
        Connections that may wait to be taken.

    Raises
    ------
    DataError
        When the address is no address of this machine, or is taken.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=waiting)
    except UnicodeError:  # a name with an empty part, or one too long to be looked up
        raise DataError(Fault(f"--host {host}", "is no address", "such as 127.0.0.1")) from None
    except (OSError, OverflowError) as error:
        what = say("cannot be listened on: {reason}", reason=error)
        fault = Fault(f"{host}:{port}", what, remedy="stop what uses it, or take another --port")
        raise DataError(fault) from None
    with listener:
        yield listener


def address_of(listener: socket.socket) -> str:
    """Return where a browser finds a server, such as ``http://127.0.0.1:8080``."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0"), is_loopback("studio.example")
    (True, False, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_open_door(host: str) -> None:
    """Refuse to let anybody in who can reach the machine; for a server without keys.

    Raises
    ------
    ConfigError
        When others than this machine can reach the address.
    """
    if not is_loopback(host):
        what = "would let everybody in who can reach it"
        raise ConfigError(Fault(f"--host {host}", what, "--keys FILE, or 127.0.0.1"))


class Server(uvicorn.Server):
    """A server that stops at a signal within its own loop, and says when it has started."""

    on_start: Callable[[], None]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals as they are."""
        yield

    def stop_on_signals(self, before: Callable[[], object] | None = None) -> None:
        """Take no more requests at SIGTERM or Ctrl-C; those that began get their answer.

        Parameters
        ----------
        before
            Called first.
        """

        def stop() -> None:
            if before is not None:
                before()
            self.should_exit = True

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self.on_start()
