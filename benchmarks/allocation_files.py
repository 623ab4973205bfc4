"""From a Parquet file of scores to a finished run directory, and its verification.

    python benchmarks/allocation_files.py [--text] [--keep DIR] [USERS ...]

Per number of users (10 offers, float32 measures; a budget, 10 stocks, 20 region caps, a floor, a
holdout): seconds of reading the file's columns with pyarrow alone, of `incentive allocate` and of
`incentive verify`, each a process of its own, with the seconds of CPU that they took (which other
programs on the machine change little) and the most memory that each held, the gap, and where the
run's seconds went. `--text` makes ids of text in place of integers. The files stand in
DIR, or in a temporary directory that is removed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

OFFERS, REGIONS, TIERS = 10, 20, ("gold", "silver", "basic", "new")
GROUP = 1 << 20
"""Rows per row group."""

SHARE = 0.2
"""The budget, as a share of what the cheapest offer for everyone costs."""

PLAIN_READ = """
import sys, pyarrow.parquet as pq
file = pq.ParquetFile(sys.argv[1])
for group in range(file.num_row_groups):
    file.read_row_group(group)
"""


def write_scores(file: Path, users: int, *, text: bool, seed: int = 1) -> float:
    """Write a score table; return what the cheapest offer for everyone costs."""
    rng, cheapest = np.random.default_rng(seed), 0.0
    with pq.ParquetWriter(file, _schema(text=text), use_dictionary=["region", "tier"]) as writer:
        for start in range(0, users, GROUP):
            block = _block(rng, start, min(GROUP, users - start), text=text)
            writer.write_table(block, row_group_size=GROUP)
            cheapest += float(block["cost__o0"].to_numpy().sum(dtype=np.float64))
    return cheapest


def _schema(*, text: bool) -> pa.Schema:
    measures = [f"{name}__o{j}" for j in range(OFFERS) for name in ("conversion", "cost")]
    return pa.schema(
        [
            ("user_id", pa.string() if text else pa.int64()),
            ("region", pa.string()),
            ("tier", pa.string()),
            *((name, pa.float32()) for name in measures),
        ]
    )


def _block(rng: np.random.Generator, start: int, users: int, *, text: bool) -> pa.Table:
    ids = pa.array((np.arange(start, start + users) * 7919 + 13) % 999_999_999_989)
    base = rng.gamma(2.0, 0.02, users).astype(np.float32)
    columns = {
        "user_id": pa.compute.binary_join_element_wise("m", ids.cast(pa.string()), "-")
        if text
        else ids,
        "region": _labels(rng, [f"region {r:02}" for r in range(REGIONS)], users),
        "tier": _labels(rng, list(TIERS), users),
    }
    for j in range(OFFERS):
        face = 5.0 * (j + 1)
        noise = np.exp(0.5 * rng.standard_normal(users, dtype=np.float32))
        columns[f"conversion__o{j}"] = base * np.float32(1 - np.exp(-face / 20)) * noise
        noise = np.exp(0.2 * rng.standard_normal(users, dtype=np.float32))
        columns[f"cost__o{j}"] = np.float32(face) * (np.float32(0.03) + base) * noise
    return pa.table(columns, schema=_schema(text=text))


def _labels(rng: np.random.Generator, names: list[str], users: int) -> pa.Array:
    codes = pa.array(rng.integers(0, len(names), users, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array(names)).cast(pa.string())


def policy_text(users: int, budget: float) -> str:
    """Return the policy as YAML."""
    offers = [f"  - {{id: o{j}, face_value: {5 * (j + 1)}}}" for j in range(OFFERS)]
    stocks = [
        f"  - {{name: stock {j}, sum: issued, offers: [o{j}], at_most: {int(0.2 * users)}}}"
        for j in range(OFFERS)
    ]
    lines = [
        "version: 1", "name: scale", "data: {users: none.parquet, trial: none.parquet}",
        "offers:", *offers,
        "limits:", *stocks,
        "  - {name: region cap, sum: cost, for_each: region, at_most: 5.2%}",
        "  - {name: gold floor, sum: cost, where: {tier: gold}, at_least: 26%}",
        f"budget: {{amount: {budget:.2f}}}",
        "holdout: 0.05", "holdout_strata: [tier]",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("users", nargs="*", type=float, default=[100_000, 1_000_000])
    parser.add_argument("--text", action="store_true")
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    print(f"{'users':<12}{'plain read':>36}{'allocate':>37}{'verify':>37}")
    with tempfile.TemporaryDirectory() as scratch:
        place = asked.keep or Path(scratch)
        for users in map(int, asked.users):
            measure(place, users, text=asked.text)


def measure(place: Path, users: int, *, text: bool) -> None:
    """Write the files for so many users where they are not there, and print a row."""
    stem = f"{users}-text" if text else f"{users}"
    scores, policy, run = (place / f"{stem}{end}" for end in (".parquet", ".yaml", ".run"))
    if not policy.exists():
        policy.write_text(policy_text(users, SHARE * write_scores(scores, users, text=text)))
    plain = timed([sys.executable, "-c", PLAIN_READ, str(scores)])
    command = [sys.executable, "-c", "from incentive_engine.cli import main; main()"]
    made = timed([*command, "allocate", str(policy), "--scores", str(scores), "--out", str(run)])
    checked = timed([*command, "verify", str(run)])
    certificate = json.loads((run / "certificate.json").read_text(encoding="utf-8"))
    seconds = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["seconds"]
    figures = "".join(
        f" {taken:8.1f} s {cpu:7.1f} CPU s {held:6,.0f} MB  "
        for taken, cpu, held in (plain, made, checked)
    )
    steps = ", ".join(f"{name} {taken:.1f}" for name, taken in seconds.items())
    print(f"{users:<12,}{figures}   gap {certificate['gap']:.1e}   {steps}", flush=True)


def timed(command: list[str]) -> tuple[float, float, float]:
    """Return a command's wall and CPU seconds, and the most memory that it held, MB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: failed")
    taken = time.perf_counter() - started
    return taken, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
