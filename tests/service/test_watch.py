"""The watch beside a running server: the same findings, and answers that it obeys at once."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from .runs import plan, solved
from .servers import PROGRAM, Caller, serving


def begun(hours: float) -> dict[str, Any]:
    """Return a campaign that began some hours ago and lasts as long again."""
    now = datetime.now(UTC)
    start, end = (f"{now + timedelta(hours=h):%Y-%m-%d %H:%M:%S}" for h in (-hours, hours))
    return {"start": start, "end": end, "traffic": "even", "reprice": "1h"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    return solved(folder, users=400, budget={"amount": 320.0}, campaign=begun(6))


def watch(run: Path, ledger: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = [*PROGRAM, "watch", str(run), "--ledger", str(ledger), *options]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603 - our own program


def keys_of(caller: Caller) -> set[str]:
    return {finding["key"] for finding in caller.call("GET", "/v1/findings").json["findings"]}


def test_a_running_server_shows_what_the_command_shows_and_obeys_what_is_accepted(
    run: Path, tmp_path: Path
) -> None:
    ledger = tmp_path / "l"
    rows = [row["user_id"] for row in plan(run)]
    with serving(run, "--ledger", str(ledger)) as server:
        caller = server.caller()
        for user in rows[:20]:  # half of the day is over, and hardly anybody has come
            assert caller.decide(user).status == 200
        shown = json.loads(watch(run, ledger, "--json").stdout)
        assert keys_of(caller) == {finding["key"] for finding in shown["findings"]}
        assert "traffic_short" in keys_of(caller)
        text = watch(run, ledger, "--lang", "zh").stdout
        assert "建议：换用新价格" in text
        before = caller.call("GET", "/v1/pool").json["prices_version"]
        nobody = watch(run, ledger, "--accept", "traffic_short")
        assert nobody.returncode == 2
        assert "--by" in nobody.stderr
        accepted = watch(run, ledger, "--accept", "traffic_short", "--by", "Li Na")
        assert accepted.returncode == 0, accepted.stderr
        until = time.monotonic() + 10
        while caller.call("GET", "/v1/pool").json["prices_version"] == before:
            assert time.monotonic() < until, "the server does not obey"
            time.sleep(0.1)
        again = watch(run, ledger, "--accept", "traffic_short", "--by", "Wang")
        assert again.returncode == 2
        assert "was accepted by Li Na" in again.stderr
        prices = {limit["name"]: limit["price"] for limit in pool(caller)}
    proposed = next(f for f in shown["findings"] if f["key"] == "traffic_short")["proposal"]
    assert prices["budget"] == pytest.approx(proposed["prices"]["budget"], rel=1e-3)
    with serving(run, "--ledger", str(ledger)) as server:  # what was accepted outlives a restart
        caller = server.caller()
        assert {limit["name"]: limit["price"] for limit in pool(caller)} == prices
        offers = {caller.decide(user).json["prices_version"] for user in rows[20:30]}
        assert offers == {1}


def test_a_key_that_asks_far_more_often_than_users_come_is_found(
    run: Path, tmp_path: Path
) -> None:
    secrets = {name: f"a-secret-of-{name}-alone" for name in ("shop", "loop", "eyes")}
    roles = {"shop": "decide", "loop": "decide", "eyes": "read"}
    keys = tmp_path / "keys.yaml"
    keys.write_text(
        "keys:\n"
        + "".join(
            f"  - {{name: {name}, key: {secret}, roles: [{roles[name]}]}}\n"
            for name, secret in secrets.items()
        )
    )
    rows = [row["user_id"] for row in plan(run)]
    with serving(run, "--ledger", str(tmp_path / "l"), "--keys", str(keys)) as server:
        shop, loop, eyes = (server.caller(secrets[name]) for name in ("shop", "loop", "eyes"))
        for user in rows[:30]:
            assert shop.decide(user).status == 200
        for number in range(300):
            assert loop.decide(rows[number % 30]).status == 200
        found = keys_of(eyes)
        assert "key_asks_too_often:loop" in found
        assert not {f"key_asks_too_often:{name}" for name in ("shop", "eyes")} & found


def pool(caller: Caller) -> list[dict[str, Any]]:
    limits: list[dict[str, Any]] = caller.call("GET", "/v1/pool").json["limits"]
    return limits


class Receiver(HTTPServer):
    """A receiver that fails a few times first."""

    def __init__(self, failures: int, code: int) -> None:
        self.failures, self.code, self.bodies = failures, code, list[Any]()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fails = self.server.failures > 0
        self.server.failures -= 1
        if not fails:
            self.server.bodies.append(json.loads(body))
        self.send_response(self.server.code if fails else 204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as its base
        """Say nothing."""


@contextmanager
def receiving(failures: int = 0, code: int = 503) -> Iterator[Receiver]:
    receiver = Receiver(failures, code)
    thread = threading.Thread(target=receiver.serve_forever, daemon=True)
    thread.start()
    yield receiver
    receiver.shutdown()
    receiver.server_close()


@pytest.fixture
def quiet_day(run: Path, tmp_path: Path) -> Path:
    ledger = tmp_path / "quiet"
    with serving(run, "--ledger", str(ledger)) as server:
        caller = server.caller()
        for row in plan(run)[:10]:
            caller.decide(row["user_id"])
    return ledger


def test_a_webhook_gets_findings_after_some_failures(run: Path, quiet_day: Path) -> None:
    with receiving(failures=2) as receiver:
        url = f"http://127.0.0.1:{receiver.server_port}/hook?token=secret"
        done = watch(run, quiet_day, "--webhook", url)
    assert done.returncode == 0, done.stderr
    (body,) = receiver.bodies
    assert body["run"] == "run"
    assert "traffic_short" in {finding["key"] for finding in body["findings"]}


def test_a_webhook_that_refuses_or_is_not_there_is_an_error_without_its_secret(
    run: Path, quiet_day: Path
) -> None:
    with receiving(failures=1, code=403) as receiver:
        url = f"http://127.0.0.1:{receiver.server_port}/services/secret/hook?token=secret"
        refused = watch(run, quiet_day, "--webhook", url)
    gone = watch(run, quiet_day, "--webhook", url)  # nobody listens there any more
    assert (refused.returncode, gone.returncode) == (2, 2)
    assert "refused the findings: 403" in refused.stderr
    assert "could not be reached, 5 times: nothing listens there" in gone.stderr
    assert "secret" not in refused.stderr + gone.stderr
    assert f"--webhook http://127.0.0.1:{receiver.server_port}/…" in refused.stderr
    for url in ("ftp://somewhere", "http://host:port/", "http://host:99999/", "http://[::1/"):
        wrong = watch(run, quiet_day, "--webhook", url)
        assert wrong.returncode == 2
        assert "is no URL of HTTP" in wrong.stderr


def test_a_server_that_does_not_speak_http_is_an_error_of_its_own(
    run: Path, quiet_day: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]

        def answer() -> None:
            with suppress(OSError):
                while True:
                    caller, _ = deaf.accept()
                    with caller:
                        caller.recv(65536)
                        caller.sendall(b"220 mail\r\n")

        threading.Thread(target=answer, daemon=True).start()
        told = watch(run, quiet_day, "--webhook", f"http://127.0.0.1:{port}/")
    assert told.returncode == 2
    assert "could not be reached" in told.stderr


def test_bad_answers_and_ledgers_are_refused(run: Path, quiet_day: Path, tmp_path: Path) -> None:
    both = watch(run, quiet_day, "--accept", "a", "--decline", "b", "--by", "Li")
    nothing = watch(run, quiet_day, "--by", "Li")
    missing = watch(run, tmp_path / "nowhere")
    unknown = watch(run, quiet_day, "--decline", "traffic", "--by", "Li")
    for done in (both, nothing, missing, unknown):
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    assert "no such ledger" in missing.stderr
    assert "is no finding of now" in unknown.stderr


def test_outcomes_of_others_and_of_before_the_decision_are_refused(
    run: Path, quiet_day: Path, tmp_path: Path
) -> None:
    user = plan(run)[0]["user_id"]
    for name, rows, said in (
        ("others", "nobody,1,2100-01-01T00:00:00Z", "is about a user of the run"),
        ("early", f"{user},1,2001-01-01T00:00:00Z", "before the user was decided on"),
        ("none", f"{user},1,yesterday", "is no time"),
    ):
        file = tmp_path / f"{name}.csv"
        file.write_text(f"user_id,conversion,at\n{rows}\n", encoding="utf-8")
        done = watch(run, quiet_day, "--outcomes", str(file))
        assert done.returncode == 2
        assert said in done.stderr
