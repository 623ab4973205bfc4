"""Random calls around a campaign that is signed, booked, watched, served and learned from."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from .campaigns import VALUES, Rng, mutate

HOSTS: Final = ("x", "金", "", "x" * 70, "a..b", "256.1.1.1")
DURATIONS: Final = ("15m", "ever", "0s", "1e3s", "-1m", "999999d", "金", "")
PLACES: Final = (
    "l.db", "none/l.db", "policy.yaml", "run", ".", "", "postgresql://a:b@127.0.0.1:9/x",
    "postgresql://a:b@[/x", "postgresql://", "\U0001f600.db", "x" * 300,
)  # fmt: skip
KEYS: Final[dict[str, Any]] = {
    "keys": [
        {"name": "Ann", "key": "k" * 16, "roles": ["read", "plan"]},
        {"name": "Bo", "sha256": "0" * 64, "roles": ["admin"], "rate": 5},
    ]
}
URLS: Final = (
    "http://127.0.0.1:9", "http://127.0.0.1:9/x?y=z", "ftp://x", "http://", "x", "http://:9",
    "http://金卡.invalid", "http://a b/",
)  # fmt: skip
OPENING: Final = {
    "protocolVersion": "2025-06-18", "capabilities": {},
    "clientInfo": {"name": "fuzz", "version": "1"},
}  # fmt: skip
ASKED: Final[tuple[tuple[str, Any], ...]] = (
    ("initialize", OPENING),
    ("tools/list", {}),
    ("tools/call", {"name": "offers_for_user", "arguments": {"user_id": "U3"}}),
    ("tools/call", {"name": "reserve_offer", "arguments": {"user_id": "U3", "scene": ""}}),
    ("tools/call", {"name": "reserve_offer", "arguments": {"user_id": "\0", "scene": "x" * 99}}),
    ("tools/call", {"name": "cancel_offer", "arguments": {"decision_id": "a/b"}}),
    ("tools/call", {"name": 7}),
    ("nothing", []),
)
ODD: Final = ('{"jsonrpc": "1.0"}', "{", "[" * 3_000, "\\u0000", "", '"x"', "null", "[]")


def key_files(folder: Path, rng: Rng) -> None:
    """Write a key that signs and a file of keys; either may be odd."""
    secrets = (b"s" * 32, b"", b"short", b"\xff" * 64, b"\n" * 40)
    (folder / "key").write_bytes(secrets[rng.choice(5, p=[0.6, 0.1, 0.1, 0.1, 0.1])])
    (folder / "key").chmod(int(rng.choice([0o600, 0o644, 0o666])))
    content = json.loads(json.dumps(KEYS))
    if rng.random() < 0.5:
        mutate(content, rng)
    (folder / "keys.yaml").write_text(json.dumps(content), encoding="utf-8")
    (folder / "keys.yaml").chmod(0o600)


def live_calls(folder: Path, rng: Rng, *, outcomes: str, users: str, port: int) -> list[list[str]]:
    """Return calls about the run of a folder, whose ledger may be there, or be something else."""

    def one(words: tuple[str, ...]) -> str:
        return words[rng.integers(len(words))]

    def maybe(*words: str) -> list[str]:
        return [*words] if rng.random() < 0.4 else []

    run = str(folder / "run")
    ledger = ["--ledger", one(PLACES) if rng.random() < 0.4 else "l.db"]
    ours = ["--port", str(port), *maybe("--host", one(("127.0.0.1", "0.0.0.0", *HOSTS)))]  # noqa: S104 - refused without keys
    answer = [
        *maybe("--accept", one(("pace", "budget", "x", ""))),
        *maybe("--by", one(("Bo", ""))),
    ]
    return [
        ["export", run, "--to", one(("o.csv", "none/o.csv", "policy.yaml", "")), *ledger],
        ["sign", run, *maybe("--signing-key", one(("key", "none", ".", "policy.yaml")))],
        ["watch", run, *ledger, *maybe("--outcomes", one((outcomes, "none.csv", "."))), *answer,
         *maybe("--webhook", one(URLS)), *maybe("--json"), *maybe("--every", one(DURATIONS))],
        ["learn", run, "--outcomes", outcomes, "--into", one(("trials", "policy.yaml", "run", "")),
         *maybe(*ledger), *maybe("--users", users), *maybe("--accept", one(("age", "x", "")))],
        ["learn", run, "--outcomes", outcomes, "--into", "trials"],
        ["mcp", run, *ledger, *maybe("--server", one(URLS)), *maybe("--hold", one(DURATIONS)),
         "--role", one(("read", "reserve"))],
        ["verify", run, *ledger],
        ["ledger", one(PLACES), *maybe("--out", one(("e.csv", "e.parquet", "e.x", "run")))],
        ["serve", run, *ours, *ledger, *maybe("--keys", "keys.yaml"),
         *maybe("--hold", one(DURATIONS)), *maybe("--rate", one(("1", "0", "nan", "1e-3", "x")))],
        ["studio", one((".", "run", "none", "policy.yaml", "", "\U0001f600")), *ours,
         *maybe("--keys", one(("keys.yaml", "key", ".", "none", "policy.yaml")))],
        ["approve", run, "--by", str(VALUES[rng.integers(len(VALUES))])],
    ]  # fmt: skip


def said_by_agent(rng: Rng) -> str:
    """Return what an agent's program writes until it hangs up: right, or not."""
    calls: list[dict[str, Any]] = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": deepcopy(params)}
        for number, (method, params) in enumerate(ASKED)
    ]
    calls.insert(1, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    for call in calls:
        if rng.random() < 0.2:
            mutate(call, rng)
    lines = [json.dumps(call) for call in calls]
    if rng.random() < 0.5:
        lines = [str(line) for line in rng.choice([*lines, *ODD], 8)]
    return "\n".join(lines) + "\n"
