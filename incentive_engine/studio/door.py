"""Who may come in, and which requests are refused before any page sees them.

A page on another site can make a browser send requests here. So a request must name this very
host, every change needs the token of its own pages and their origin, and nothing changes by GET.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incentive_engine.config.access.keys import Keys, Role
from incentive_engine.errors import Fault
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who asks.

    Attributes
    ----------
    name
        As the key calls them; without keys, who runs the program.
    proven
        Whether a key vouches for the name.
    """

    name: str
    roles: tuple[Role, ...]
    proven: bool
    token: str

    def may(self, role: Role) -> bool:
        """Whether this person may do something."""
        return bool({role, "admin"} & {*self.roles})


@dataclass(kw_only=True)
class Door:
    """Lets people in, by keys where there are any."""

    keys: Keys | None
    hosts: frozenset[str]
    """Names under which the studio is asked for; empty: any, which keys must guard."""
    cookie: str
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _sessions: OrderedDict[str, tuple[bytes, float]] = field(default_factory=OrderedDict)
    _tries: list[float] = field(default_factory=list)

    def person(self, request: Request) -> Person | None:
        """Return who asks; None for somebody who has to log in."""
        if self.keys is None:
            roles: tuple[Role, ...] = ("admin",)
            return Person(
                name=_user_of_system(), roles=roles, proven=False, token=self._token("alone")
            )
        session = request.cookies.get(self.cookie, "")
        digest, until = self._sessions.get(session, (b"", 0.0))
        key = self.keys.find_digest(digest) if time.monotonic() < until else None
        if key is None:
            return None
        return Person(name=key.name, roles=key.roles, proven=True, token=self._token(session))

    def login(self, secret: str) -> str | None:
        """Return a new session for a key; None where it is nobody's, or too many were tried."""
        now = time.monotonic()
        self._tries = [at for at in self._tries if now - at < 60]
        # wrong keys a minute, before everybody waits
        tries = 20
        if self.keys is None or len(self._tries) >= tries:
            return None
        if self.keys.find(secret) is None:
            self._tries.append(now)
            return None
        session = secrets.token_urlsafe(32)
        digest = hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
        # seconds after which a person logs in again
        holds = 12 * 3_600
        self._sessions[session] = (digest, now + holds)
        # people who are logged in at a time
        sessions = 1_000
        while len(self._sessions) > sessions:
            self._sessions.popitem(last=False)
        return session

    def logout(self, request: Request) -> None:
        """Forget a session."""
        self._sessions.pop(request.cookies.get(self.cookie, ""), None)

    def opens(self, token: str, person: Person | None) -> bool:
        """Whether a token is the one of this person's pages; for nobody, of the log-in page."""
        own = self._token("") if person is None else person.token
        return hmac.compare_digest(token.encode(), own.encode())

    @property
    def first_token(self) -> str:
        """The token of the log-in page."""
        return self._token("")

    def _token(self, session: str) -> str:
        return hmac.new(self.secret, session.encode(), hashlib.sha256).hexdigest()

    def refusal(self, method: str, headers: Headers) -> str | None:
        """Return why a request is refused whoever sends it; None where it is not."""
        host = headers.get("host", "")
        if self.hosts and _name_of(host) not in self.hosts:
            return "this host name is not the studio's: open it as 127.0.0.1 or localhost"
        site, changes = headers.get("sec-fetch-site"), method not in {"GET", "HEAD"}
        if changes:
            origin = headers.get("origin")
            if origin is not None and not _is_of(origin, host):
                return "a page of another site sent this"
            if site not in {None, "same-origin"}:
                return "a page of another site sent this"
        elif site == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            return "a page of another site asked for this"
        return None


def loopback_hosts(host: str) -> frozenset[str]:
    """Return the names that mean this machine.

    >>> sorted(loopback_hosts("127.0.0.1"))
    ['127.0.0.1', '::1', 'localhost']
    """
    return frozenset({"127.0.0.1", "::1", "localhost", host})


def _is_of(origin: str, host: str) -> bool:
    """Whether an Origin header names a host and its port."""
    try:
        return urlsplit(origin).netloc == host
    except ValueError:
        return False


def _name_of(host: str) -> str:
    """Return a Host header's name without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class Guarded:
    """An application behind a door."""

    PAGE_POLICY: ClassVar = (
        "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    """Bars have their widths in attributes; nothing else is inline."""

    HEADERS: ClassVar[Mapping[str, str]] = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",  # `no-referrer` would hide the origin of our own forms
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }

    def __init__(self, app: ASGIApp, door: Door) -> None:
        """Put a door before an application."""
        self.app, self.door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on and add to the answer what browsers need to know."""
        if scope["type"] != "http":
            return
        why = self.door.refusal(scope["method"], Headers(scope=scope))
        if why is not None:
            await PlainTextResponse(f"{why}\n", status_code=403)(scope, receive, send)
            return

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", self.PAGE_POLICY)
                for name, content in self.HEADERS.items():
                    headers.setdefault(name, content)
            await send(message)

        await self.app(scope, receive, named)


def _user_of_system() -> str:
    """Return who runs the program, as far as the system tells."""
    import getpass

    with suppress(OSError, KeyError):
        return getpass.getuser()
    return str(os.getuid())


class RequestRefused(Exception):  # noqa: N818 - an answer, no error
    """A request that no page has seen is answered at once."""

    def __init__(self, status: int, fault: Fault) -> None:
        super().__init__(str(fault))
        self.status, self.fault = status, fault


async def content_of(request: Request) -> dict[str, Any]:
    """Return the fields of a request's body: a form's, or a JSON object's.

    Raises
    ------
    RequestRefused
        When it is too large, or neither.
    """
    body = bytearray()
    # bytes of a request's body
    largest = 2_000_000
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise RequestRefused(
                413,
                Fault(
                    say("studio.page"),
                    say("studio.too_large", most=largest),
                    remedy=say("studio.send_less"),
                ),
            )
    try:
        text = body.decode()
        if "json" in request.headers.get("content-type", ""):
            content = json.loads(text or "{}")
            json.dumps(content, ensure_ascii=False).encode()  # halves of letters are no text
            return content if isinstance(content, dict) else {}
        fields: dict[str, Any] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            fields.setdefault(f"{name}*", []).append(value)  # a field that may stand twice
            fields[name] = value
    except (ValueError, RecursionError):
        raise RequestRefused(400, unreadable()) from None
    return fields


def unreadable() -> Fault:
    """Return that a call of a page makes no sense: a page of ours sends none of these."""
    return Fault(say("studio.page"), say("studio.unreadable"), remedy=say("studio.load_anew"))
