"""Writes a run directory: complete or absent, with digests of all that went in and came out."""

from __future__ import annotations

import json
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from incentive_engine.data.step_cache import source_digest
from incentive_engine.data.tables.arrow import as_arrow, chosen_texts
from incentive_engine.data.tables.files import atomic_directory, digest_file
from incentive_engine.domain import MICROS, BoolArray, ChoiceArray, FloatArray, IntArray, Reason
from incentive_engine.errors import DataError, Fault
from incentive_engine.run.format import FORMAT, RunFile
from incentive_engine.run.signature import SigningKey, sign_run
from incentive_engine.run.statements import (
    InputFile,
    Manifest,
    OutputFile,
    StatedExploring,
    StatedHoldout,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AllocationTable:
    """One row per user, in the order of the score table.

    Parameters
    ----------
    user_id
        n int64 or texts, as in the score table.
    offers
        Offer ids in the policy's order.
    choice
        (n,) int16, index of the chosen offer, -1 for none.
    conversion
        (n,) float64, incremental conversion of the chosen pair, 0 for none.
    spend
        (n,) float64, incremental spend of the chosen pair, currency units, 0 for none; None when
        the score table has no spend.
    cost_micros
        (n,) int64, expected cost of the chosen pair, millionths, 0 for none.
    weight
        (n,) float64, how much the user's outcome counts.
    reason
        (n,) int8, place in `domain.Reason`.
    propensity
        (n,) float64, how likely this arm was where chance decided, else 1.
    margin
        (n,) float64, how far the choice is ahead of the next one at the prices, in the value's
        units; NaN for users without a choice.
    smallest_budget
        (n,) float64, the smallest budget at which the user gets an offer, currency units, NaN
        where there is none; None where it is not known.
    """

    ROW_GROUP: ClassVar = 1 << 20
    """Rows per Parquet row group; another number changes the bytes of every allocation."""

    user_id: pa.Array
    offers: tuple[str, ...]
    choice: ChoiceArray
    conversion: FloatArray
    spend: FloatArray | None
    cost_micros: IntArray
    weight: FloatArray
    reason: npt.NDArray[np.int8]
    propensity: FloatArray
    margin: FloatArray
    smallest_budget: FloatArray | None = None

    @property
    def treated(self) -> BoolArray:
        """(n,) bool, who gets an offer."""
        return self.choice >= 0

    @property
    def cost(self) -> FloatArray:
        """(n,) float64, expected cost of the chosen pair, currency units."""
        return np.asarray(self.cost_micros / MICROS, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What the manifest says beside the digests of the outputs."""

    policy: Mapping[str, Any]
    """The effective policy, ``policy.model_dump(mode="json")``."""
    policy_file: str | None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Where the effective policy departs from the file: dotted field to value, such as
    ``{"budget.amount": 200000.0}``; verification refuses any other departure."""
    inputs: Mapping[str, InputFile] = field(default_factory=dict)
    """By part: users, trial, scores, policy."""
    seed: int = 0
    holdout: StatedHoldout = field(default_factory=lambda: StatedHoldout(share=0.0, users=0))
    explored: StatedExploring = field(default_factory=lambda: StatedExploring(share=0.0, users=0))
    solver: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By step."""
    author: str | None = None
    """Who made the run."""
    created: datetime | None = None
    """When, with a zone; it puts the runs of a campaign in order."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunFiles:
    """All that goes into a run directory."""

    allocation: AllocationTable | Path
    """The rows, or a folder of the parts that tasks have written, which moves into the run."""
    scores: Iterable[pa.Table] | Path
    """The score table used: some rows at a time, or a Parquet file to copy as it is."""
    certificate: Mapping[str, Any]
    frozen_policy: Mapping[str, Any]
    """What the policy means for one user; what `prices` belong to."""
    prices: Mapping[str, Any]
    """The plan's prices, version 0."""
    policy_text: bytes
    """The policy file, verbatim; a policy that no file gave stands as `written_policy` has it."""
    report: str
    record: RunRecord
    evaluation: Mapping[str, Any] | None = None
    key: SigningKey | None = None
    """Signs the run; None leaves it unsigned."""


def written_policy(policy: Mapping[str, Any]) -> bytes:
    """Return a policy file for a policy that was made in memory; JSON is YAML."""
    return (json.dumps(policy, ensure_ascii=False, indent=2) + "\n").encode()


def write_run(directory: Path, files: RunFiles) -> None:
    """Write a complete run directory, or leave nothing.

    Raises
    ------
    DataError
        When the directory exists or cannot be written.
    """
    started = time.perf_counter()
    with atomic_directory(directory) as inside:
        if isinstance(files.allocation, Path):
            shutil.move(files.allocation, inside / RunFile.ALLOCATION)
        else:
            _write_allocation(inside / RunFile.ALLOCATION, files.allocation)
        _write_scores(inside / RunFile.SCORES, files.scores)
        write_json(inside / RunFile.CERTIFICATE, files.certificate)
        if files.evaluation is not None:
            write_json(inside / RunFile.EVALUATION, files.evaluation)
        write_json(inside / RunFile.FROZEN_POLICY, files.frozen_policy)
        write_json(inside / RunFile.PRICES, files.prices)
        (inside / RunFile.POLICY).write_bytes(files.policy_text)
        (inside / RunFile.REPORT).write_text(files.report, encoding="utf-8", newline="\n")
        # digests last, of all that was written; the manifest vouches for them
        outputs, took = outputs_of(inside), round(time.perf_counter() - started, 3)
        seconds = {**files.record.seconds, "write": took}
        write_json(inside / RunFile.MANIFEST, _manifest(files.record, outputs, seconds))
        if files.key is not None:
            sign_run(inside, files.key, now=files.record.created or datetime.now(UTC))


def _write_allocation(path: Path, rows: AllocationTable) -> None:
    _write_blocks(
        path,
        (
            allocation_table(rows, slice(start, start + AllocationTable.ROW_GROUP))
            for start in range(0, len(rows.choice), AllocationTable.ROW_GROUP)
        ),
        use_dictionary=["offer_id", "reason", "weight", "propensity"],
    )


def write_part(folder: Path, number: int, rows: AllocationTable) -> None:
    """Write the rows of one shard among the parts of an allocation.

    The part appears whole or not at all, so that a task that runs twice writes it once more.
    """
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".part-", delete=False) as partial:
        pass
    _write_allocation(Path(partial.name), rows)
    Path(partial.name).rename(folder / f"part-{number:05d}.parquet")


def _write_blocks(path: Path, blocks: Iterable[pa.Table], **options: Any) -> None:  # noqa: ANN401 - pyarrow's own
    """Write tables as row groups of one Parquet file."""
    writer: pq.ParquetWriter | None = None
    try:
        for block in blocks:
            if writer is None:
                # the first block tells the columns, so that nothing is read ahead
                writer = pq.ParquetWriter(path, block.schema, compression="zstd", **options)
            writer.write_table(block, row_group_size=AllocationTable.ROW_GROUP)
    finally:
        if writer is not None:
            writer.close()


def allocation_table(rows: AllocationTable, part: slice) -> pa.Table:
    """Return columns of allocation.parquet for some rows, without pandas' own metadata."""
    choice, micros = rows.choice[part], rows.cost_micros[part]
    return pa.table(
        {
            "user_id": rows.user_id[part],
            "offer_id": chosen_texts(choice, rows.offers),
            "conversion": as_arrow(rows.conversion[part]),
            "spend": _known(rows.spend, part, len(choice)),
            "cost": as_arrow(micros / MICROS),
            "cost_micros": as_arrow(micros),
            "weight": as_arrow(rows.weight[part]),
            "reason": chosen_texts(rows.reason[part], tuple(Reason)),
            "propensity": as_arrow(rows.propensity[part]),
            "margin": _known(rows.margin, part, len(choice)),
            "smallest_budget": _known(rows.smallest_budget, part, len(choice)),
        }
    )


def _known(values: FloatArray | None, part: slice, size: int) -> pa.Array:
    """Return some numbers, null where they are NaN or not known at all."""
    if values is None:
        return pa.nulls(size, pa.float64())
    return as_arrow(values[part], np.isnan(values[part]))


def refuse_existing(directory: Path, *, where: str = "--out") -> None:
    """Refuse a directory that is there already.

    Parameters
    ----------
    where
        Who named it.

    Raises
    ------
    DataError
        When it is.
    """
    if directory.exists():
        raise DataError(
            Fault(f"{where} {directory}", "exists already", "a new directory", "name another one")
        )


def default_run_directory(root: Path, name: str, amount: float | None) -> Path:
    """Return the first free directory among ``name-amount``, ``name-amount-2``, and so on.

    >>> default_run_directory(Path("nowhere"), "double 11/α", 200000.0).as_posix()
    'nowhere/double-11-α-200000'
    """
    stem = _stem(name)
    if amount is not None:
        # `repr` so that two budgets that differ have two names
        stem += f"-{amount:.0f}" if float(amount).is_integer() else f"-{amount!r}"
    return _first_free(root, stem)


def free_directory(root: Path, name: str, purpose: str) -> Path:
    """Return the first free directory among ``name-purpose``, ``name-purpose-2``, and so on.

    >>> free_directory(Path("nowhere"), "double 11", "whatif").as_posix()
    'nowhere/double-11-whatif'
    """
    return _first_free(root, f"{_stem(name)}-{purpose}")


def _stem(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "run"


def _first_free(root: Path, stem: str) -> Path:
    candidate, number = root / stem, 1
    while candidate.exists():
        number += 1
        candidate = root / f"{stem}-{number}"
    return candidate


def _write_scores(path: Path, scores: Iterable[pa.Table] | Path) -> None:
    if isinstance(scores, Path):
        shutil.copyfile(scores, path)
    else:
        _write_blocks(path, scores)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as JSON; the same content gives the same bytes."""
    text = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _manifest(
    record: RunRecord, outputs: Mapping[str, OutputFile], seconds: Mapping[str, float]
) -> dict[str, Any]:
    inputs = dict(record.inputs)
    for name, copy in RunFile.copies().items():
        if name in inputs:
            as_given = {"as_given": inputs[name].sha256 == outputs[copy].sha256}
            inputs[name] = inputs[name].model_copy(update=as_given)
    manifest = Manifest(
        format=FORMAT,
        **engine(),
        policy=dict(record.policy),
        policy_file=record.policy_file,
        overrides=dict(record.overrides),
        inputs=inputs,
        author=record.author,
        created=None if record.created is None else record.created.isoformat(),
        seed=record.seed,
        holdout=record.holdout,
        explored=record.explored,
        solver=dict(record.solver),
        seconds=dict(seconds),
        outputs=dict(outputs),
        versions=versions(),
    )
    return manifest.model_dump(mode="json")


def outputs_of(directory: Path) -> dict[str, OutputFile]:
    """Return the digest and the size of each file of a directory and of its folders."""
    return {
        path.relative_to(directory).as_posix(): OutputFile(
            sha256=digest_file(path), bytes=path.stat().st_size
        )
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def engine() -> dict[str, str]:
    """Return which engine this is: its version, and the digest of its source."""
    return {"engine": version("incentive-engine"), "source": source_digest()}


def versions() -> dict[str, str]:
    """Return the versions of what the engine made a result with."""
    libraries = ("numpy", "pandas", "pyarrow", "ortools", "lightgbm", "numba")
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }
