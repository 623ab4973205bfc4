"""Random requests to the pages of the studio and the calls of the service: right, odd, hostile."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_from_bytes, urlencode, urlsplit

from .campaigns import VALUES, Rng

SECONDS: Final = 60.0
"""For one answer: a page that never comes is a fault too."""
Fields = dict[str, tuple[Any, ...]]
NAMES: Final = (
    "policy.yaml", "run", "odd", "good/policy.yaml", "scores.parquet", "", ".", "..", "../x",
    "/etc/passwd", "run/manifest.json",
    "a\0b", "x" * 5_000, "金/卡.yaml", "run.ledger", "\ud800", "%2e%2e/x",
)  # fmt: skip
WAYS: Final = (
    [["budget", "amount"], "300"], [["limits", 0, "at_most"], "1%"], [["limits", 10**30], "1"],
    [["limits", -1, "at_most"], "9"], [["holdout"], None], [["holdout"], "{"], [[], "1"],
    [["offers", 0, "id"], "\ud800"], [["name"], "x\ny: 1"], [["limits", True], "1"], ["budget", 1],
    [["limits"], "&a [*a]"], [["limits", 0], "{name: é, sum: cost, at_most: 1e999}"], 7, None,
)  # fmt: skip
STUDIO: Final[dict[str, Fields]] = {
    "GET /": {"q": ("spring", "x", "\0")},
    "GET /run": {"path": NAMES},
    "GET /run/report": {"path": NAMES},
    "GET /run/checks": {"path": NAMES},
    "GET /compare": {"run": NAMES, "run ": NAMES},
    "GET /policy": {"path": NAMES},
    "GET /campaign": {"path": NAMES},
    "GET /campaign/state": {"path": NAMES},
    "GET /tasks": {},
    "GET /tasks/state": {},
    "GET /assets/studio.js": {},
    "GET /login": {"to": NAMES},
    "POST /samples": {},
    "POST /run/approve": {"path": NAMES, "by": ("Bo", "", "\ud800"), "note": ("x", "\0")},
    "POST /run/export": {
        "path": NAMES, "to": (*NAMES, "out/o.csv", "o.parquet"), "preset": ("", "x", "braze"),
        "book": ("", "1"), "accept": ("", "x y"),
    },
    "POST /policy/edit": {"path": NAMES, "changes": WAYS},
    "POST /policy/save": {"path": NAMES, "digest": ("", "x")},
    "POST /policy/save-as": {"path": NAMES, "name": (*NAMES, "new")},
    "POST /policy/merge": {
        "path": NAMES, "base": ("",), "mine": ("a: 1", "{"), "theirs": ("b: 2",),
    },
    "POST /policy/plan": {"path": NAMES, "scores": ("scores.parquet", *NAMES), "accept": ("",)},
    "POST /policy/prepare": {"path": NAMES},
    "POST /policy/move": {
        "path": NAMES, "changes": WAYS, "scores": ("scores.parquet", *NAMES), "seq": (1, None, []),
    },
    "POST /policy/deeper": {
        "path": NAMES, "part": ("gain", "rules", "curve", "x"),
        "scores": ("scores.parquet", *NAMES),
    },
    "POST /policy/scenario": {"path": NAMES, "name": ("lean", ""), "scores": ("scores.parquet",)},
    "POST /policy/drop": {"path": NAMES, "name": ("lean", "\0")},
    "POST /campaign/answer": {
        "path": NAMES, "by": ("Bo", ""), "verb": ("accept", "decline", "x"),
        "finding": ("pace", ""),
    },
    "POST /tasks/stop": {"task": ("", "x"), "back": NAMES},
    "POST /tasks/again": {"task": ("", "x"), "back": NAMES},
    "POST /language": {"lang": ("en", "zh", "x"), "back": ("/", "//evil.example", "\r\nX: y")},
    "POST /login": {"key": ("x", "\ud800"), "to": NAMES},
    "POST /logout": {},
}  # fmt: skip
USERS: Final[tuple[Any, ...]] = (
    "用户/1", "用户/2", "x", "", "\0", "u" * 300, 7, 10**40, 1.5, None, True, [], "\ud800",
)  # fmt: skip
AMOUNTS: Final[tuple[Any, ...]] = (
    "5", "37.50", "1e3", "-1", "0.0000001", "9" * 400, "nan", "٣", "", 10**6, 10**40, 1.5, None,
)  # fmt: skip
SERVICE: Final[dict[str, Fields]] = {
    "POST /v1/decisions": {
        "user_id": USERS, "scene": ("cart", "", "s" * 99, 7), "features": ({}, {"age": 1e400}, 7),
    },
    "POST /v1/decisions/{}/redeem": {"amount": AMOUNTS},
    "POST /v1/decisions/{}/cancel": {},
    "GET /v1/decisions/{}": {},
    "GET /v1/users/{}": {},
    "GET /v1/pool": {},
    "GET /v1/findings": {},
    "GET /healthz": {},
    "GET /readyz": {},
    "GET /metrics": {},
    "GET /openapi.json": {},
}  # fmt: skip
KINDS: Final = (
    "application/json", "application/x-www-form-urlencoded", "", "text/plain",
    "json;charset=utf-7", "multipart/form-data; boundary=x", "\xff",
)  # fmt: skip
BODIES: Final = (
    b"", b"{", b"[" * 100_000, b"\xff\xfe", b"\0" * 10, b"null", b"[]", b'"x"', b"9" * 5_000,
    b"NaN", b'{"user_id": "a", "user_id": "b"}', b"a=1&" * 5_000, b"%ff=%00&=&&", b"{" * 3_000_000,
)  # fmt: skip
HEADERS: Final[tuple[tuple[str, str], ...]] = (
    ("Accept", "application/json"), ("Accept", "\xff"), ("Accept-Language", "zh"),
    ("Cookie", "incentive-studio-lang=x; =; a"), ("Idempotency-Key", "k" * 300),
    ("Idempotency-Key", "\xe4\xff"), ("Origin", "null"), ("Origin", "http://["),
    ("Host", "["), ("Host", ""), ("Sec-Fetch-Site", "cross-site"),
    ("Authorization", "Bearer \xff"), ("X-Token", "\xff"), ("Content-Length", "-1"),
    ("Content-Length", "9" * 30), ("Range", "bytes=9-1"),
    ("Expect", "100-continue"), ("Transfer-Encoding", "x"), ("Content-Encoding", "gzip"),
)  # fmt: skip
RAW: Final = (
    b"\0\0\0\0\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://[/ HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __str__(self) -> str:
        """Return what to look for."""
        return f"{self.method} {self.path[:200]} {dict(self.headers)} {self.body[:300]!r}"


def studio_request(rng: Rng, texts: tuple[str, ...], token: str) -> Request:
    """Return a request to the studio; `texts` are policies that its fields may hold."""
    route = str(rng.choice([*STUDIO]))
    fields = {name: one(rng, values) for name, values in STUDIO[route].items()}
    if "/policy/" in route:
        fields["text"] = one(rng, texts)
        if "changes" in fields:
            fields["changes"] = [fields["changes"]] if rng.random() < 0.9 else fields["changes"]
    if "path" in fields and rng.random() < 0.7:
        fields["path"] = "good/policy.yaml" if "policy" in route else "run"
    if "scores" in fields and rng.random() < 0.7:
        fields["scores"] = "good/scores.parquet"
    headers = [("X-Token", token), ("Accept", one(rng, ("application/json", "text/html")))]
    return request(rng, route, fields, headers)


def service_request(rng: Rng, decisions: list[str]) -> Request:
    """Return a request to the service; `decisions` are the ids that it has answered."""
    route = str(rng.choice([*SERVICE]))
    name = str(one(rng, (*decisions[-3:], *NAMES, *USERS)))
    fields = {name: one(rng, values) for name, values in SERVICE[route].items()}
    if route.endswith("/decisions"):
        fields = {"user_id": f"用户/{rng.integers(400)}"} if rng.random() < 0.5 else fields
    place = quote_from_bytes(name.encode("utf-8", "surrogatepass"), safe="")
    headers = [("Idempotency-Key", f"k{rng.integers(200)}")]
    return request(rng, route.replace("{}", place), fields, headers)


def request(
    rng: Rng, route: str, fields: dict[str, Any], headers: list[tuple[str, str]]
) -> Request:
    """Return a request with fields, now and then spoiled in fields, body or headers."""
    method, _, path = route.partition(" ")
    if fields and rng.random() < 0.2:
        fields[str(one(rng, tuple(fields)))] = one(rng, VALUES)
    if fields and rng.random() < 0.1:
        del fields[str(one(rng, tuple(fields)))]
    plain = {name.strip(): str(value) for name, value in fields.items()}
    form = urlencode(plain, errors="surrogatepass").encode()
    body, kind = b"", ""
    if method == "GET":
        path += f"?{form.decode()}" if form else ""
    elif rng.random() < 0.7 or path.startswith("/v1"):
        body, kind = json.dumps(fields).encode(), KINDS[0]
    else:
        body, kind = form, KINDS[1]
    if rng.random() < 0.08:
        body = one(rng, BODIES)
    if rng.random() < 0.08:
        kind = one(rng, KINDS)
    if rng.random() < 0.03:
        method = str(one(rng, ("PUT", "HEAD", "DELETE", "OPTIONS", "X", "GET", "POST")))
    more = [one(rng, HEADERS)] if rng.random() < 0.15 else []
    kinds = [("Content-Type", kind)] if kind else []
    return Request(method=method, path=path, headers=(*headers, *kinds, *more), body=body)


def one(rng: Rng, values: tuple[Any, ...]) -> Any:
    """Return one of several values, of whatever type."""
    return values[rng.integers(len(values))]


def answered(url: str, asked: Request) -> tuple[int, bytes]:
    """Return the status and body of a request's answer; 0 where the server hangs up on it."""
    parts = urlsplit(url)
    own = {name.lower(): value for name, value in asked.headers}
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.putrequest(asked.method, asked.path, skip_host="host" in own)
        for name, value in own.items():
            connection.putheader(name, value.encode("latin-1"))
        if "content-length" not in own:
            connection.putheader("content-length", str(len(asked.body)))
        connection.endheaders(asked.body)
        response = connection.getresponse()
        return response.status, response.read()
    except (ConnectionError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def thrown(url: str, content: bytes) -> None:
    """Send bytes that are no request, and hang up."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as line:
        line.sendall(content)
