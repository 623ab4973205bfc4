"""Measures exports of a large plan: seconds and peak memory per format, beside peers.

    python benchmarks/export_files.py 10000000

The plan is synthetic (70 % of the users get one of five offers) and is not verified; each format
runs in a process of its own, and its memory is that process's peak. The peers read the same
allocation.parquet and write the same rows as one CSV file. With a PostgreSQL URL as the second
word, the table is measured too.

    python benchmarks/export_files.py RUN_DIR

measures the command ``incentive export`` on a run that exists, verification and pre-flight check
included, beside these two alone. ``ONLY=csv,duckdb`` measures some of the formats.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

OFFERS = ("off10", "off20", "off30", "off50", "vip50")
SHARE = 0.7
FORMATS = {
    "csv": ("out.csv", None),
    "csv in parts": ("csv", "csv"),
    "excel": ("excel", "excel"),
    "parquet": ("out.parquet", None),
    "parquet by offer": ("parquet", "parquet"),
    "duckdb": ("out.duckdb", None),
    "talon-one": ("talon", "talon-one"),
    "eagle-eye": ("eagle", "eagle-eye"),
    "braze": ("braze", "braze"),
}
PEERS = {
    "peer: pandas to_csv": """
import pandas as pd
columns = ["user_id", "offer_id", "cost"]
table = pd.read_parquet(sys.argv[1] + "/allocation.parquet", columns=columns)
table[table["offer_id"].notna()].to_csv(sys.argv[2], index=False)
""",
    "peer: duckdb COPY to CSV": """
import duckdb
duckdb.sql(f"COPY (SELECT user_id, offer_id, cost FROM '{sys.argv[1]}/allocation.parquet' "
           f"WHERE offer_id IS NOT NULL) TO '{sys.argv[2]}' (HEADER)")
""",
}
OURS = """
from pathlib import Path
from incentive_engine.export.export import ExportOptions, export_offers
from incentive_engine.run.finished import read_run
from incentive_engine.export.keys import SecretKey
from incentive_engine.export.postgres import export_to_postgres
from incentive_engine.verify import Check, Verification
run = read_run(Path(sys.argv[1]))
passed = Verification(run_dir=run.directory, checks=(Check(name="none", ok=True, what=""),))
options = ExportOptions(preset=sys.argv[3] or None, key=SecretKey(b"only for the benchmark"))
if "://" in sys.argv[2]:
    export_to_postgres(run, sys.argv[2], verification=passed, options=options,
                       table="incentive_offers", prune=False)
else:
    export_offers(run, Path(sys.argv[2]), verification=passed, options=options)
"""
CHECK = """
from incentive_engine.workflow.delivery import check_run
check_run(Path(sys.argv[1]), accepted=WARNINGS)
"""
WHOLE = """
from incentive_engine.workflow.delivery import Target, export
options = ExportOptions(preset=sys.argv[3] or None, key=SecretKey(b"only for the benchmark"))
export(Path(sys.argv[1]), target=Target(to=sys.argv[2]), options=options, accepted=WARNINGS)
"""
COMMAND = """
from pathlib import Path
from incentive_engine.export.export import ExportOptions
from incentive_engine.export.keys import SecretKey
from incentive_engine.export.preflight import WARNINGS
"""
MEASURED = """
import sys, time
started = time.perf_counter()
{code}
seconds = time.perf_counter() - started
status = open("/proc/self/status").read()  # ru_maxrss would count what the parent held
print(seconds, int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


def solved_plan(folder: Path, users: int) -> Path:
    """Return the run directory of a plan of synthetic users."""
    scores, stated, run = folder / "scores.parquet", folder / "policy.yaml", folder / "run"
    rng = np.random.default_rng(11)
    faces = {name: 10 * (n + 1) for n, name in enumerate(OFFERS)}
    ids = pa.array(np.arange(users)).cast(pa.string())
    columns = {"user_id": pc.binary_join_element_wise("U", pc.utf8_lpad(ids, 9, "0"), "")}
    for offer, face in faces.items():
        columns[f"conversion__{offer}"] = rng.random(users) / 10
        columns[f"cost__{offer}"] = rng.random(users) * face
    pq.write_table(pa.table(columns), scores, row_group_size=1 << 20)
    policy = {
        "version": 1,
        "name": "benchmark",
        "offers": [{"id": offer, "face_value": face} for offer, face in faces.items()],
        "budget": {"amount": 1e9},
        "limits": [{"name": "all", "sum": "issued", "at_most": int(users * SHARE)}],
    }
    stated.write_text(json.dumps(policy))
    subprocess.run(  # noqa: S603 - our own code
        [
            sys.executable, "-c", "from incentive_engine.cli import run; raise SystemExit(run())",
            "allocate", stated, "--scores", scores, "--out", run, "--no-report",
        ],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return run


def measured(code: str, *words: str) -> tuple[float, float]:
    """Run code in a process of its own; return its seconds and peak memory, MiB."""
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", MEASURED.format(code=code), *words],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    seconds, memory = done.stdout.split()[-2:]
    return float(seconds), float(memory)


def size_of(path: Path) -> float:
    """Return the bytes of a file, or of all files of a directory, MiB."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 2**20


def wanted_formats() -> list[str]:
    """Return the formats to measure."""
    only = os.environ.get("ONLY")
    return only.split(",") if only else list(FORMATS)


def measure_run(run: Path) -> None:
    """Print what whole exports of a run take."""
    print("| command | seconds | peak MiB |\n|---|---|---|")
    seconds, memory = measured(COMMAND + CHECK, str(run))
    print(f"| check (verify, pre-flight) | {seconds:.1f} | {memory:,.0f} |", flush=True)
    for name in wanted_formats():
        to, preset = FORMATS[name]
        with tempfile.TemporaryDirectory(prefix="incentive-export-") as folder:
            words = (str(run), str(Path(folder) / to), preset or "")
            seconds, memory = measured(COMMAND + WHOLE, *words)
        print(f"| export: {name} | {seconds:.1f} | {memory:,.0f} |", flush=True)


def main() -> None:
    """Print the table."""
    if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():
        measure_run(Path(sys.argv[1]))
        return
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    url = sys.argv[2] if len(sys.argv) > 2 else None
    wanted = os.environ.get("ONLY", "").split(",") if os.environ.get("ONLY") else None
    folder = Path(tempfile.mkdtemp(prefix="incentive-export-"))
    try:
        started = time.perf_counter()
        run = solved_plan(folder, users)
        print(f"{users:,} users, {SHARE:.0%} with an offer; made in "
              f"{time.perf_counter() - started:.1f} s\n\n"
              "| export | seconds | peak MiB | MiB written |\n|---|---|---|---|")  # fmt: skip
        jobs = {name: (OURS, to, preset or "") for name, (to, preset) in FORMATS.items()}
        jobs |= {"PostgreSQL table": (OURS, url, "")} if url else {}
        jobs |= {name: (code, f"{name[6:9]}.csv", "") for name, code in PEERS.items()}
        for name, (code, to, preset) in jobs.items():
            if wanted and name not in wanted:
                continue
            target = to if "://" in to else str(folder / to)
            seconds, memory = measured(code, str(run), target, preset)
            written = "" if "://" in to else f"{size_of(folder / to):,.0f}"
            print(f"| {name} | {seconds:.1f} | {memory:,.0f} | {written} |", flush=True)
            if "://" not in to:
                shutil.rmtree(folder / to) if (folder / to).is_dir() else (folder / to).unlink()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
