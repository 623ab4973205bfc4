"""Random calls of every command on random campaigns."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from .campaigns import VALUES, Rng, campaign, history, mutate
from .live import key_files, live_calls, said_by_agent

BUDGETS: Final = ("100", "0", "5k", "1e3", "0.01", "1e18", "50万", "5e-324", "x")
SHARES: Final = ("0.05", "0.01,0.5", "1", "0", "-1", "nan", "5%", "x", "", ",")
ROWS: Final = ("50k", "200000,1m", "0", "1", "1e18", "-5", "x", "")
TAKEN: Final = socket.create_server(("127.0.0.1", 0))
"""A port that nobody else can listen on: a server that would start on it is refused at the end."""
SCENARIO: Final = {
    "version": 1,
    "name": "fuzz",
    "policy": "policy.yaml",
    "source": "trial",
    "trial": {"folds": 2},
    "strategies": ["everyone", "greedy", "engine"],
    "baseline": "everyone",
    "budgets": [100, 200],
    "draws": 2,
    "seed": 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One call of the program in a folder of its own.

    Attributes
    ----------
    words
        The command line.
    told
        What was done to the inputs, for whoever looks for the fault.
    before
        What is done just before the call.
    typed
        What stands on standard input; None: nothing is read from there.
    """

    words: tuple[str, ...]
    told: tuple[str, ...]
    before: Callable[[], object] = bool
    typed: str | None = None


def one_of(rng: Rng, words: tuple[str, ...]) -> str:
    """Return one of several words."""
    return words[rng.integers(len(words))]


def cases(folder: Path, rng: Rng) -> list[Case]:
    """Return calls of one campaign; each command is among them in the long run."""
    names, told = campaign(folder, rng)
    first = _first(folder, rng, names)
    before: Callable[[], object] = bool
    if first[0] == "features":
        before = lambda: _add(folder / "policy.yaml", history(rng, names["events"]))  # noqa: E731
    if first[0] == "simulate":
        _write_scenario(folder, rng)
    found = [Case(words=first, told=tuple(told), before=before)]
    if first[0] == "allocate":
        found += _after_a_plan(folder, rng, names, told)
    if first[0] == "train":
        model = ("--model", str(folder / "m"))
        found += [
            Case(words=("score", "policy.yaml", *model, "--out", str(folder / "s.csv")), told=()),
            Case(words=("explain", one_of(rng, ("U3", "U3", "nobody", "")), "policy.yaml", *model),
                 told=()),
        ]  # fmt: skip
    return found


def _first(folder: Path, rng: Rng, names: dict[str, str]) -> tuple[str, ...]:
    scored, run = ("--scores", names["scores"]), str(folder / "run")
    budget = one_of(rng, BUDGETS)
    ways: list[tuple[float, tuple[str, ...]]] = [
        (1, ("check", "policy.yaml")),
        (6, ("allocate", "policy.yaml", *scored, "--out", run)),
        (4, ("allocate", "policy.yaml", *scored, "--budget", budget, "--out", run)),
        (2, ("allocate", "policy.yaml", *scored, "--basis",
             one_of(rng, ("expected", "face", "at-risk")), "--min-roi",
             one_of(rng, ("0", "2", "1e30")), "--out", run)),
        (2, ("whatif", "policy.yaml", *scored, "--budgets", f"{budget},50", "--set",
             f"holdout={VALUES[rng.integers(len(VALUES))]}", "--out", str(folder / "w"))),
        (2, ("evaluate", "policy.yaml", "--allocation", names["outcomes"], "--trial",
             names["trial"], "--out", str(folder / "e"))),
        (2, ("train", "policy.yaml", "--out", str(folder / "m"))),
        (1, ("power", "policy.yaml", "--budget", budget, "--holdout", one_of(rng, SHARES),
             "--trial", one_of(rng, ROWS))),
        (1, ("simulate", "scenario.yaml", "--out", str(folder / "sim"))),
        (2, ("features", "policy.yaml", "--for", one_of(rng, ("users", "users", "trial")),
             "--out", str(folder / "f.csv"))),
        (0.5, ("ledger", one_of(rng, (names["users"], "none.db", "postgresql://a:b@127.0.0.1:9/x",
                                      ".", "policy.yaml")))),
        (0.3, ("sample", one_of(rng, ("winback", "nothing", "")), "--out", "policy.yaml")),
    ]  # fmt: skip
    weights = np.array([weight for weight, _ in ways])
    return ways[rng.choice(len(ways), p=weights / weights.sum())][1]


def _after_a_plan(
    folder: Path, rng: Rng, names: dict[str, str], told: list[str]
) -> list[Case]:  # fmt: skip
    """Return what is done with a run: as it stands, and then damaged in one place."""
    run = str(folder / "run")
    port = ("--port", str(TAKEN.getsockname()[1]))
    ledger = ("--ledger", str(folder / one_of(rng, ("l.db", "none/l.db", "policy.yaml", "run"))))
    words: list[tuple[str, ...]] = [
        ("verify", run),
        ("measure", run, "--outcomes", names["outcomes"]),
        ("export", run, "--to", str(folder / "offers.csv")),
        ("check", run),
        ("approve", run, "--by", str(VALUES[rng.integers(len(VALUES))])),
        ("reproduce", run),
        ("serve", run, *port, *ledger),
    ]
    sound = [Case(words=each, told=tuple(told)) for each in (words[0], one_of_many(rng, words))]
    key_files(folder, rng)
    booked, *live = live_calls(
        folder, rng, outcomes=names["outcomes"], users=names["users"], port=TAKEN.getsockname()[1]
    )
    if rng.random() < 0.5:
        sound.append(_live(booked, told, rng))
    sound.append(_live(live[rng.integers(len(live))], told, rng))
    odd = str(folder / "odd")
    some = one_of_many(rng, [*words, *map(tuple, live)])
    use = [odd if word == run else word for word in some]
    damaged = _live(use, ["damaged"], rng, before=lambda: _damage(folder, rng))
    return [*sound, damaged]


def _live(
    words: list[str], told: list[str], rng: Rng, *, before: Callable[[], object] = bool
) -> Case:
    """Return a call of one command; an agent's program talks to `mcp`."""
    typed = said_by_agent(rng) if words[0] == "mcp" else None
    return Case(words=tuple(words), told=tuple(told), before=before, typed=typed)


def one_of_many(rng: Rng, words: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Return one of several command lines."""
    return words[rng.integers(len(words))]


def _add(policy: Path, whole: dict[str, Any]) -> None:
    """Give a policy that can still be read a history."""
    try:
        content = json.loads(policy.read_text(encoding="utf-8"))
    except ValueError:
        return
    content["history"] = whole
    policy.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _write_scenario(folder: Path, rng: Rng) -> None:
    scenario: dict[str, Any] = json.loads(json.dumps(SCENARIO))
    if rng.random() < 0.5:
        mutate(scenario, rng)
    (folder / "scenario.yaml").write_text(json.dumps(scenario), encoding="utf-8")


def _damage(folder: Path, rng: Rng) -> None:
    """Copy the run and spoil one of its files: lose it, cut it, flip a byte, or change a value."""
    odd = folder / "odd"
    shutil.copytree(folder / "run", odd)
    files = sorted(file for file in odd.rglob("*") if file.is_file())
    file = files[rng.integers(len(files))]
    content = bytearray(file.read_bytes())
    kind = int(rng.integers(4))
    if kind == 0:
        file.unlink()
    elif kind == 1:
        file.write_bytes(content[: int(rng.integers(len(content) + 1))])
    elif kind == 2 or file.suffix != ".json":
        content[int(rng.integers(len(content)))] ^= int(rng.integers(1, 256))
        file.write_bytes(content)
    else:
        whole = json.loads(content)
        mutate(whole, rng)
        file.write_text(json.dumps(whole), encoding="utf-8")
