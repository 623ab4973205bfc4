"""Reads a run directory and says what of it is missing, altered or unreadable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from incentive_engine.config.schema import Policy
from incentive_engine.data.files import column_names, digest_file
from incentive_engine.data.frames import read_frame
from incentive_engine.data.rows import as_id
from incentive_engine.domain import OFFER_MEASURES, FloatArray, score_column
from incentive_engine.errors import DataError

from .stated import Certificate, Manifest, Stated

FORMAT: Final = 1
"""The version of the run directory that this verification understands."""

REQUIRED: Final = ("allocation.parquet", "certificate.json", "report.html", "scores.parquet")

COLUMNS: Final = {
    "user_id": (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string),
    "offer_id": (pa.types.is_string, pa.types.is_large_string, pa.types.is_null),
    "conversion": (pa.types.is_float64,),
    "spend": (pa.types.is_float64,),
    "cost": (pa.types.is_float64,),
    "cost_micros": (pa.types.is_int64,),
    "weight": (pa.types.is_float64,),
    "reason": (pa.types.is_string, pa.types.is_large_string),
}
"""The columns of allocation.parquet and what their types may be."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """The score table of a run; measures are read offer by offer.

    Parameters
    ----------
    user_id
        (n,) int64 or str.
    attributes
        The n users' attributes that the policy names.
    """

    user_id: pd.Series[Any]
    attributes: pd.DataFrame
    path: Path
    columns: frozenset[str]

    def measure(self, name: str, offer: str) -> FloatArray:
        """Return a stored measure of an offer, (n,) float64, NaN where it is missing."""
        column = score_column(name, offer)
        values = read_frame(self.path, [column])[column]
        return values.to_numpy(dtype=np.float64, na_value=np.nan)

    def has(self, name: str, offer: str) -> bool:
        """Whether a measure is stored for an offer."""
        return score_column(name, offer) in self.columns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """A run as its files state it.

    Parameters
    ----------
    rows
        allocation.parquet, one row per user.
    choice
        (n,) int16, index of the offer in the policy's order, -1 none, -2 unknown to the policy.
    """

    directory: Path
    policy: Policy
    manifest: Manifest
    certificate: Certificate
    rows: pd.DataFrame
    choice: npt.NDArray[np.int16]
    scores: Scores


class UnreadableError(Exception):
    """A file of the run that cannot be used; the message says which and why."""


def read_manifest(directory: Path) -> Manifest:
    """Read manifest.json.

    Raises
    ------
    UnreadableError
        When it is missing, broken, or of another version.
    """
    manifest = _read_json(directory / "manifest.json", Manifest)
    if manifest.format != FORMAT:
        raise UnreadableError(
            f"manifest.json: format {manifest.format} is unknown, expected {FORMAT}; "
            "verify with the version of the program that wrote the run"
        )
    return manifest


def altered_files(directory: Path, manifest: Manifest) -> list[str]:
    """Return what is missing or differs from the digests in the manifest."""
    unlisted = [name for name in REQUIRED if name not in manifest.outputs]
    problems = [f"{name} is not listed in manifest.json" for name in unlisted]
    if (directory / "policy.yaml").exists() and "policy.yaml" not in manifest.outputs:
        problems.append("policy.yaml is not listed in manifest.json")
    for name, output in manifest.outputs.items():
        path = directory / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif path.stat().st_size != output.bytes:
            problems.append(f"{name} has {path.stat().st_size} bytes, not {output.bytes}")
        elif digest_file(path) != output.sha256:
            problems.append(f"{name} was changed after the run: its digest differs")
    return problems


def read_run(directory: Path, manifest: Manifest) -> Run:
    """Read what the checks need.

    Raises
    ------
    UnreadableError
        When a file is broken or lacks a column.
    """
    try:
        policy = Policy.model_validate(manifest.policy)
    except ValidationError as error:
        raise UnreadableError(f"manifest.json: policy: {_first(error)}") from error
    rows = _read_allocation(directory / "allocation.parquet")
    codes = pd.Index(policy.offer_ids).get_indexer(pd.Index(rows["offer_id"])).astype(np.int16)
    unknown = rows["offer_id"].notna().to_numpy() & (codes < 0)
    return Run(
        directory=directory,
        policy=policy,
        manifest=manifest,
        certificate=_read_json(directory / "certificate.json", Certificate),
        rows=rows,
        choice=np.where(unknown, np.int16(-2), codes),
        scores=_read_scores(directory / "scores.parquet", policy),
    )


def _read_allocation(path: Path) -> pd.DataFrame:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UnreadableError(f"{path.name} cannot be read: {error}") from error
    for name, kinds in COLUMNS.items():
        if name not in table.column_names:
            raise UnreadableError(f"{path.name}: column {name} is missing")
        kind = table.schema.field(name).type
        if not any(is_kind(kind) for is_kind in kinds):
            raise UnreadableError(f"{path.name}: column {name} has the type {kind}")
        if table.column(name).null_count and name not in {"offer_id", "spend"}:
            raise UnreadableError(f"{path.name}: column {name} has empty cells")
    frame: pd.DataFrame = table.select(list(COLUMNS)).to_pandas(ignore_metadata=True)
    return frame


def _read_scores(path: Path, policy: Policy) -> Scores:
    attributes = list(policy.attribute_columns)
    stored = [name for name in policy.measures if name not in OFFER_MEASURES]
    pairs = [score_column(name, offer) for name in stored for offer in policy.offer_ids]
    try:
        columns = frozenset(column_names(path))
        if missing := sorted({"user_id", *attributes, *pairs} - columns):
            raise UnreadableError(f"{path.name}: column {missing[0]} is missing")
        frame = read_frame(path, ["user_id", *attributes])
    except DataError as error:
        raise UnreadableError(f"scores.parquet cannot be read: {error}") from error
    user_id = as_id(pa.Array.from_pandas(frame["user_id"])).to_pandas()
    return Scores(user_id=user_id, attributes=frame[attributes], path=path, columns=columns)


Part = TypeVar("Part", bound=Stated)


def _read_json(path: Path, model: type[Part]) -> Part:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not a number")

    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
        return model.model_validate(content)
    except FileNotFoundError as error:
        raise UnreadableError(f"{path.name} is missing") from error
    except ValidationError as error:
        raise UnreadableError(f"{path.name}: {_first(error)}") from error
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path.name} cannot be read: {error}") from error


def _first(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
