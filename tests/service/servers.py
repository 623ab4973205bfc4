"""Servers as operators start them, and a caller that knows nothing but HTTP."""

from __future__ import annotations

import http.client
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

PROGRAM = [sys.executable, "-c", "from incentive_engine.cli import run; run()"]
_numbers = itertools.count()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


class Caller:
    """Calls a server."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url, self.key = url, key
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            named["Authorization"] = f"Bearer {self.key}"
        self._connection.request(method, path, content, named)
        response = self._connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())

    def decide(self, user: Any, key: str | None = None, **more: Any) -> Answer:
        body = {"user_id": user, **more}
        name = quote(key or f"key {next(_numbers)}")
        return self.call("POST", "/v1/decisions", body, Idempotency_Key=name)

    def redeem(self, decision: str, amount: Any, **headers: str) -> Answer:
        path = f"/v1/decisions/{decision}/redeem"
        return self.call("POST", path, {"amount": amount}, **headers)

    def cancel(self, decision: str) -> Answer:
        return self.call("POST", f"/v1/decisions/{decision}/cancel")

    def user(self, user: Any) -> Answer:
        return self.call("GET", f"/v1/users/{quote(str(user))}")

    def pool(self) -> dict[str, dict[str, Any]]:
        limits = self.call("GET", "/v1/pool").json["limits"]
        return {limit["name"]: limit for limit in limits}

    def close(self) -> None:
        self._connection.close()


@dataclass
class Server:
    process: subprocess.Popen[str]
    url: str
    callers: list[Caller] = field(default_factory=list)

    def caller(self, key: str | None = None) -> Caller:
        """Return a caller, whose connection ends with the server."""
        self.callers.append(Caller(self.url, key))
        return self.callers[-1]


@contextmanager
def serving(run: Path, *options: str) -> Iterator[Server]:
    """Yield a server of a run, and stop it at the end as an operator would."""
    process = started(run, *options)
    assert process.stdout is not None
    server = Server(process, "")
    try:
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate()[1])
        server.url = line.split(" at ")[-1].strip().replace("//0.0.0.0", "//127.0.0.1")
        yield server
    finally:
        for caller in server.callers:
            caller.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def started(run: Path, *options: str) -> subprocess.Popen[str]:
    words = [*PROGRAM, "serve", str(run), "--port", "0", *options]
    return subprocess.Popen(  # noqa: S603 - our own program
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
