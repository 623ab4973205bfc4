"""From the hand's move to the figures: seconds of a call of the studio's sliders, by users.

``python benchmarks/studio_moves.py 100000 1000000`` writes scores of so many users and 5 offers,
opens the studio on them as a planner does, moves budget, limits, a weight and the holdout, and
prints how long each answer took. The page adds 0.06 s in which it waits for the next move.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

OFFERS = (5, 10, 20, 30, 50)
REGIONS = 20
MOVES: tuple[tuple[str, list[list[object]]], ...] = (
    ("budget +5 %", [[["budget", "amount"], "{more}"]]),
    ("budget halved", [[["budget", "amount"], "{half}"]]),
    ("region cap to 5.5 %", [[["limits", 0, "at_most"], "5.5%"]]),
    ("floor to 40 %", [[["limits", 1, "at_least"], "40%"]]),
    ("stock halved", [[["limits", 2, "at_most"], "{stock}"]]),
    ("weight of members", [[["objective", "weight", 0, "values", "gold"], "4"]]),
    ("holdout", [[["holdout"], "10%"]]),
    ("a floor that cannot hold", [[["limits", 3, "at_least"], "9"]]),
    ("back", []),
)


def write_folder(folder: Path, users: int) -> None:
    """Write a policy and scores."""
    rng = np.random.default_rng(7)
    columns: dict[str, object] = {
        "user_id": np.arange(users),
        "region": pa.array(rng.integers(0, REGIONS, users).astype(str)).dictionary_encode(),
        "tier": pa.array(np.where(rng.random(users) < 0.2, "gold", "plain")).dictionary_encode(),
    }
    for offer in OFFERS:
        effect = rng.gamma(2.0, 0.004, users) * offer**0.5
        columns[f"conversion__o{offer}"] = effect.astype(np.float32)
        columns[f"cost__o{offer}"] = (rng.uniform(0.02, 0.3, users) * offer).astype(np.float32)
        columns[f"spend__o{offer}"] = (effect * rng.uniform(50, 200, users)).astype(np.float32)
    pq.write_table(pa.table(columns), folder / "scores.parquet")
    offers = "\n".join(f"  - {{id: o{offer}, face_value: {offer}}}" for offer in OFFERS)
    (folder / "spring.yaml").write_text(
        f"""version: 1
name: spring
offers:
{offers}
objective:
  maximise: conversion
  weight:
    - {{column: tier, values: {{gold: 2}}}}
limits:
  - {{name: region cap, sum: cost, for_each: region, at_most: 7%}}
  - {{name: gold floor, sum: cost, where: {{tier: gold}}, at_least: 25%}}
  - {{name: stock, sum: issued, offers: [o50], at_most: {users // 50}}}
  - {{name: roi, ratio: [spend, cost], at_least: 0.5}}
budget: {{amount: {users // 2}}}
holdout: 5%
""",
        encoding="utf-8",
    )


@contextmanager
def opened(folder: Path) -> Iterator[tuple[http.client.HTTPConnection, int]]:
    """Yield a connection to a studio, and its process."""
    program = [sys.executable, "-c", "from incentive_engine.cli import run; run()"]
    process = subprocess.Popen(  # noqa: S603 - our own program
        [*program, "studio", str(folder), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    port = int(process.stdout.readline().rpartition(":")[2])
    yield http.client.HTTPConnection("127.0.0.1", port, timeout=600), process.pid
    process.send_signal(signal.SIGINT)
    process.wait()


def worked(process: int) -> float:
    """Return the seconds of processors that a process has had, all its threads together."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(users: int) -> None:
    """Print a table for a number of users."""
    with tempfile.TemporaryDirectory() as name, opened(Path(name)) as (studio, process):
        folder = Path(name)
        write_folder(folder, users)
        studio.request("GET", "/")
        found = re.search(r'name="token" content="(\w+)"', studio.getresponse().read().decode())
        assert found is not None
        text = (folder / "spring.yaml").read_text(encoding="utf-8")
        amounts = {"more": users * 0.525, "half": users // 4, "stock": users // 100}

        def move(changes: list[list[object]]) -> tuple[float, float]:
            body = {"path": "spring.yaml", "text": text, "scores": "scores.parquet", "seq": 1}
            written = [[loc, str(value).format(**amounts)] for loc, value in changes]
            started, before = time.perf_counter(), worked(process)
            headers = {"X-Token": found[1], "Content-Type": "application/json"}
            studio.request(
                "POST", "/policy/move", json.dumps({**body, "changes": written}), headers
            )
            json.loads(studio.getresponse().read())
            return time.perf_counter() - started, worked(process) - before

        print(f"{users:,} users: opened and solved first in {move([])[0]:.2f} s")
        for title, changes in MOVES:
            taken = [move(changes) for _ in range(3) if move([])]
            wall, cpu = (statistics.median(column) for column in zip(*taken, strict=True))
            print(f"  {title:28} {wall:6.2f} s, {cpu:6.2f} s of processors")


if __name__ == "__main__":
    for argument in sys.argv[1:] or ["100000", "1000000"]:
        main(int(argument))
