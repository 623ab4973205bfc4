"""The service as its callers see it: over HTTP, at a real server."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from .runs import plan, solved
from .servers import Caller, Server, serving, started


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return solved(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def server(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ledger = tmp_path_factory.mktemp("ledger") / "shared"
    with serving(run, "--ledger", str(ledger)) as shared:
        yield shared


@pytest.fixture
def caller(server: Server) -> Iterator[Caller]:
    caller = server.caller()
    yield caller
    caller.close()


def offered(run: Path, at: int = 0) -> Any:
    return [row["user_id"] for row in plan(run) if row["offer_id"]][at]


def test_every_user_alone_gets_what_the_plan_gives_him(run: Path, tmp_path: Path) -> None:
    with serving(run, "--ledger", str(tmp_path / "l")) as fresh:
        caller = fresh.caller()
        for row in plan(run):
            answer = caller.decide(row["user_id"], scene="cart").json
            assert answer["offer_id"] == row["offer_id"]
            assert answer["reason"] == row["reason"]
            assert answer["cost_micros"] == row["cost_micros"]
            assert answer["state"] == ("reserved" if row["offer_id"] else "none")
        certificate = json.loads((run / "certificate.json").read_text())
        pool = caller.pool()
        for limit in certificate["limits"]:
            if limit["name"] != "roi":
                assert Decimal(pool[limit["name"]]["reserved"]) == Decimal(str(limit["usage"]))
        assert pool["stock"]["at_most"] == "5"
        caller.close()


def test_the_same_key_gives_the_same_bytes_for_ever(caller: Caller, run: Path) -> None:
    user = offered(run)
    first = caller.decide(user, "same", scene="cart")
    assert first.status == 200
    caller.redeem(first.json["decision_id"], "1")
    again = caller.decide(user, "same", scene="cart")
    assert (again.status, again.content) == (200, first.content)
    other = caller.decide(user, "same", scene="home")
    assert other.status == 422
    assert other.headers["content-type"] == "application/problem+json"
    assert caller.decide("nobody", "same").status == 422


def test_another_key_gives_the_offer_that_the_user_has(caller: Caller, run: Path) -> None:
    user = offered(run, 1)
    first, second = caller.decide(user, scene="cart").json, caller.decide(user, scene="pay").json
    assert first == second
    shown = caller.user(user).json
    assert shown["decision"] == first
    assert caller.call("GET", f"/v1/decisions/{first['decision_id']}").json == first


def test_money_is_reserved_settled_and_returned(caller: Caller, run: Path) -> None:
    before = caller.pool()["budget"]
    decision = caller.decide(offered(run, 2)).json
    cost = Decimal(decision["cost_micros"]) / 1_000_000
    reserved = caller.pool()["budget"]
    assert Decimal(reserved["reserved"]) == Decimal(before["reserved"]) + cost
    assert Decimal(reserved["available"]) == Decimal(before["available"]) - cost
    redeemed = caller.redeem(decision["decision_id"], "2.5").json
    assert (redeemed["state"], redeemed["amount_micros"]) == ("redeemed", 2_500_000)
    settled = caller.pool()["budget"]
    assert settled["reserved"] == before["reserved"]
    assert Decimal(settled["settled"]) == Decimal(before["settled"]) + Decimal("2.5")
    assert caller.redeem(decision["decision_id"], "3").json == redeemed
    assert caller.cancel(decision["decision_id"]).status == 409
    decision = caller.decide(offered(run, 3)).json
    assert caller.cancel(decision["decision_id"]).json["state"] == "cancelled"
    assert caller.cancel(decision["decision_id"]).status == 200
    assert caller.redeem(decision["decision_id"], 1).status == 409
    assert caller.pool()["budget"] == settled


@pytest.mark.parametrize(
    ("amount", "what"),
    [
        (37.5, "binary fraction"),
        (-1, "below 0"),
        ("-1", "below 0"),
        ("1e1", "no plain decimal"),
        ("1.0000001", "no plain decimal"),
        ("٣", "no plain decimal"),
        ("", "no plain decimal"),
        (" 1", "no plain decimal"),
        (None, "no amount"),
        (True, "no amount"),
        (["1"], "no amount"),
        ("10.000001", "above the face value"),
        (10**30, ""),
    ],
)
def test_amounts_that_are_none_are_refused(
    caller: Caller, run: Path, amount: Any, what: str
) -> None:
    user = next(row["user_id"] for row in plan(run)[5:] if row["offer_id"] == "a")
    name = caller.decide(user).json["decision_id"]
    answer = caller.redeem(name, amount)
    assert answer.status in {400, 422}
    assert what in answer.json["what"]
    assert answer.json["remedy"]
    assert caller.call("GET", f"/v1/decisions/{name}").json["state"] == "reserved"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 422),
        (b'{"user_id": 1.5}', 422),
        (b'{"user_id": null}', 422),
        (b'{"user_id": ""}', 422),
        (b'{"user_id": "a\\u0000b"}', 422),
        (b'{"user_id": "' + b"x" * 300 + b'"}', 422),
        (b'{"scene": "cart"}', 422),
        (b'{"user_id": "u", "scene": 1}', 422),
        (b'{"user_id": "u", "scene": "a\\u0000b"}', 422),
        (b'{"user_id": "u", "colour": "red"}', 422),
        (b'{"user_id": "\xff"}', 400),
        (b'{"user_id": "nobody"}', 404),
        (b'{"user_id": "' + b"x" * 20_000 + b'"}', 413),
        (b'{"user_id":' + b"[" * 5_000, 422),
    ],
)
def test_bodies_that_say_nothing_usable_are_problems(
    caller: Caller, body: bytes, status: int
) -> None:
    before = caller.pool()
    answer = caller.call("POST", "/v1/decisions", body, Idempotency_Key=f"bad {len(body)}")
    assert answer.status == status, answer.content
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert {"where", "what", "expected", "remedy", "title"} <= answer.json.keys()
    assert caller.pool() == before


def test_calls_that_do_not_exist_are_problems(caller: Caller) -> None:
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("DELETE", "/v1/pool", 405),
        ("GET", "/v1/users/nobody", 404),
        ("GET", "/v1/decisions/d1-0", 404),
        ("POST", "/v1/decisions/d1-0/cancel", 404),
    ):
        answer = caller.call(method, path)
        assert (answer.status, answer.json["status"]) == (status, status)
    missing = caller.call("POST", "/v1/decisions", {"user_id": "u"})
    assert (missing.status, missing.json["where"]) == (400, "Idempotency-Key")
    long = caller.decide("u", "k" * 256)
    assert long.status == 400


def test_a_body_that_comes_too_slowly_is_given_up(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        head = "POST /v1/decisions HTTP/1.1\r\nHost: x\r\nIdempotency-Key: slow\r\n"
        connection.sendall(f"{head}Content-Length: 50\r\n\r\n{{".encode())
        assert b" 408 " in connection.recv(4096)


def test_the_page_and_the_metrics_say_what_is_there(caller: Caller, run: Path) -> None:
    caller.decide(offered(run, 4))
    page = caller.call("GET", "/openapi.json").json
    assert {"/v1/decisions", "/v1/pool", "/v1/users/{user_id}"} <= page["paths"].keys()
    decision = page["components"]["schemas"]["DecisionBody"]["properties"]
    assert list(decision) == list(caller.decide(offered(run, 4)).json)
    metrics = caller.call("GET", "/metrics").content.decode()
    assert 'incentive_decisions_total{reason="offered"}' in metrics
    assert 'incentive_pool_reserved{limit="budget"}' in metrics
    assert "incentive_writer_lag_seconds" in metrics
    assert "用户" not in metrics
    assert caller.call("GET", "/v1/findings").json["findings"] is not None


KEYS = """
keys:
  - {name: shop, key: a-secret-for-deciding, roles: [decide]}
  - {name: till, key: a-secret-for-settling, roles: [settle]}
  - {name: eyes, key: a-secret-for-reading, roles: [read], rate: 3}
  - {name: boss, key: a-secret-for-all-of-it, roles: [admin]}
"""


def test_keys_have_roles_rates_and_an_end(run: Path, tmp_path: Path) -> None:
    keys, user = tmp_path / "keys.yaml", offered(run)
    keys.write_text(KEYS)
    options = ("--keys", str(keys), "--ledger", str(tmp_path / "l"), "--host", "0.0.0.0")  # noqa: S104
    with serving(run, *options) as server:
        nobody, wrong = server.caller(), server.caller("a-secret-that-is-wrong")
        shop, till = (server.caller(f"a-secret-for-{does}") for does in ("deciding", "settling"))
        boss, eyes = (server.caller(f"a-secret-for-{does}") for does in ("all-of-it", "reading"))
        assert nobody.decide(user).status == wrong.decide(user).status == 401
        assert nobody.call("GET", "/metrics").status == 401
        assert nobody.call("GET", "/healthz").status == 200
        assert till.decide(user).status == eyes.decide(user).status == 403
        name = shop.decide(user).json["decision_id"]
        assert shop.redeem(name, "1").status == shop.call("GET", "/v1/pool").status == 403
        assert till.redeem(name, "1").status == 200
        assert boss.call("GET", "/v1/pool").status == 200
        statuses = Counter(eyes.call("GET", "/v1/pool").status for _ in range(20))
        assert statuses[429] >= 10
        keys.write_text(KEYS.replace("a-secret-for-deciding", "a-secret-that-is-new"))
        time.sleep(1.1)
        assert shop.decide(user).status == 401
        assert server.caller("a-secret-that-is-new").decide(user).status == 200


def test_who_may_listen_to_whom(run: Path, tmp_path: Path) -> None:
    for options, what in (
        (["--host", "0.0.0.0"], "--keys"),  # noqa: S104
        (["--keys", str(tmp_path / "none")], "cannot be read"),
        (["--hold", "soon"], "is no duration"),
        (["--ledger", str(tmp_path / "no" / "l")], "cannot be opened"),
    ):
        process = started(run, *options)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 2, told
        assert what in told
        assert "Traceback" not in told


@pytest.mark.parametrize("basis", ["expected", "face", "at-risk"])
def test_the_pool_is_never_overspent_by_many_at_once(tmp_path: Path, basis: str) -> None:
    run = solved(tmp_path / "in", users=60, budget={"amount": 60.0, "basis": basis})
    users = [row["user_id"] for row in plan(run)]
    with serving(run, "--ledger", str(tmp_path / "l"), "--hold", "1s") as server:
        threads = [
            threading.Thread(target=hammer, args=(server.caller(), users, number))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        watcher = server.caller()
        while any(thread.is_alive() for thread in threads):
            for limit in watcher.pool().values():
                if limit["at_most"] is not None and basis == "face":
                    used = Decimal(limit["reserved"]) + Decimal(limit["settled"])
                    assert used <= Decimal(limit["at_most"])
        time.sleep(1.5)
        assert all(limit["reserved"] == "0" for limit in watcher.pool().values())


def hammer(caller: Caller, users: list[Any], number: int) -> None:
    for turn, user in enumerate(users):
        decision = caller.decide(user, f"{turn % 3} {user}").json
        if decision["state"] == "reserved" and (turn + number) % 3 == 0:
            caller.redeem(decision["decision_id"], decision["face_micros"])
        elif decision["state"] == "reserved" and (turn + number) % 3 == 1:
            caller.cancel(decision["decision_id"])
    caller.close()


def test_ids_that_are_numbers_stay_numbers(tmp_path: Path) -> None:
    run = solved(tmp_path / "in", numbers=True)
    with serving(run) as server:
        caller, user = server.caller(), offered(run)
        assert caller.decide(user).json["user_id"] == user
        assert caller.decide(str(user)).json["user_id"] == user
        assert caller.user(user).json["user_id"] == user
    assert (tmp_path / "in" / "run.ledger").exists()


def test_nothing_answered_is_lost_when_the_server_is_killed(run: Path, tmp_path: Path) -> None:
    options = ("--ledger", str(tmp_path / "l"))
    answers: dict[str, bytes] = {}
    users = [row["user_id"] for row in plan(run)]
    for round_ in range(3):
        with serving(run, *options) as server:
            thread = threading.Thread(
                target=until_killed, args=(server.caller(), users, round_, answers)
            )
            thread.start()
            before = len(answers)
            while len(answers) < before + 5 and thread.is_alive():  # on a busy machine, later
                time.sleep(0.05)
            server.process.send_signal(signal.SIGKILL)
            thread.join()
    assert len(answers) >= 15
    with serving(run, *options) as server:
        caller = server.caller()
        for key, content in answers.items():
            assert caller.decide(key.split(" ", 1)[1], key).content == content


def until_killed(caller: Caller, users: list[Any], number: int, answers: dict[str, bytes]) -> None:
    try:
        for turn in range(10_000):
            user = users[turn % len(users)]
            key = f"{number}-{turn} {user}"
            answer = caller.decide(user, key)
            assert answer.status == 200
            answers[key] = answer.content
    except (OSError, http.client.HTTPException):
        return


def test_a_stop_lets_requests_finish_and_frees_the_ledger(run: Path, tmp_path: Path) -> None:
    options = ("--ledger", str(tmp_path / "l"))
    with serving(run, *options) as server:
        assert server.caller().decide(offered(run)).status == 200
        second = started(run, *options)
        _, told = second.communicate(timeout=60)
        assert second.returncode == 2
        assert "another process writes it" in told
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0
    with serving(run, *options) as server:
        assert server.caller().pool()["budget"]["reserved"] != "0"


def test_a_run_that_does_not_verify_is_not_served(run: Path, tmp_path: Path) -> None:
    bent = tmp_path / "run"
    shutil.copytree(run, bent)
    prices = bent / "certificate.json"
    prices.write_text(prices.read_text().replace('"treated": ', '"treated": 1'))
    process = started(bent, "--ledger", str(tmp_path / "l"))
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "do not use this run" in told
    assert not (tmp_path / "l").exists()


@pytest.mark.parametrize(
    ("dates", "what"),
    [
        ({"valid_to": "2020-01-01"}, "is over"),
        ({"valid_from": "2990-01-01"}, "has not begun"),
    ],
)
def test_a_campaign_has_its_time(tmp_path: Path, dates: dict[str, Any], what: str) -> None:
    run = solved(tmp_path / "in", **dates)
    with serving(run) as server:
        answer = server.caller().decide(offered(run))
        assert answer.status == 409
        assert what in answer.json["what"]
        assert server.caller().pool()["budget"]["reserved"] == "0"


@pytest.mark.parametrize("demand", ["approval", "signature"])
def test_what_the_policy_demands_of_a_run_is_demanded_here(tmp_path: Path, demand: str) -> None:
    run = solved(tmp_path / "in", demands={demand: {"required": True}})
    process = started(run)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"the policy demands {'an' if demand == 'approval' else 'a'} {demand}" in told
