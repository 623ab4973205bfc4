"""A studio as a planner starts it, and a caller that knows nothing but HTTP."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

PROGRAM = [sys.executable, "-c", "from incentive_engine.cli import run; run()"]
PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Caller:
    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    def call(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
        own = {"Host": parts.netloc}
        if self.cookies:
            own["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        connection.request(method, path, body, own | (headers or {}))
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read().decode())
        for name, content in response.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = content.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        connection.close()
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, None, headers)

    @property
    def token(self) -> str:
        found = re.search(r'name="token" (?:content|value)="([^"]+)"', self.get("/").text)
        assert found is not None
        return found[1]

    def form(self, address: str, /, **fields: str) -> Answer:
        body = urlencode({"token": self.token, **fields})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.call("POST", address, body, kind)

    def send(self, path: str, content: Any) -> Answer:
        headers = {
            "Content-Type": "application/json", "Accept": "application/json",
            "X-Token": self.token,
        }  # fmt: skip
        return self.call("POST", path, json.dumps(content), headers)

    def task_ended(self, about: str, kind: str = "") -> dict[str, Any]:
        """Wait until the latest task about a policy or run, of a kind, has ended; return it."""
        end = time.monotonic() + PATIENCE
        while True:
            tasks = [t for t in self.get("/tasks/state").json if t["about"] == about]
            tasks = tasks if tasks and kind in tasks[0]["kind"] else []
            if tasks and tasks[0]["state"] != "running":
                task: dict[str, Any] = tasks[0]
                return task
            assert time.monotonic() < end, tasks
            time.sleep(0.05)


@contextmanager
def studio(folder: Path, *options: str) -> Iterator[Caller]:
    """Yield a caller of a studio, and stop it at the end as Ctrl-C would."""
    words = [*PROGRAM, "studio", str(folder), "--port", "0", *options]
    process = subprocess.Popen(  # noqa: S603 - our own program
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate()[1])
        yield Caller(line.strip().rpartition(": ")[2])
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert not errors, errors


def page_of(name: str, kind: str = "policy") -> str:
    return f"/{kind}?path={quote(name)}"
