"""Reads a run directory and says what of it is missing, altered or unreadable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from incentive_engine.config.policy import Policy
from incentive_engine.data.tables.files import digest_file
from incentive_engine.domain import score_column

from .blocks import SINCE, STATED, open_parquet
from .replay import stored_measures
from .stated import Certificate, Manifest, Stated, UnreadableError

FORMAT: Final = 1
"""The version of the run directory that this verification understands."""

REQUIRED: Final = (
    "allocation.parquet",
    "certificate.json",
    "policy.yaml",
    "report.html",
    "scores.parquet",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """A run as its files state it; its rows are read block by block.

    Attributes
    ----------
    score_columns
        The columns of scores.parquet.
    """

    directory: Path
    policy: Policy
    manifest: Manifest
    certificate: Certificate
    score_columns: frozenset[str]


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
    _check_allocation(directory / "allocation.parquet")
    scores = directory / "scores.parquet"
    columns = frozenset(open_parquet(scores).schema_arrow.names)
    pairs = [score_column(m, offer) for m in stored_measures(policy) for offer in policy.offer_ids]
    if missing := sorted({"user_id", *policy.attribute_columns, *pairs} - columns):
        raise UnreadableError(f"{scores.name}: column {missing[0]} is missing")
    return Run(
        directory=directory,
        policy=policy,
        manifest=manifest,
        certificate=_read_json(directory / "certificate.json", Certificate),
        score_columns=columns,
    )


def _check_allocation(path: Path) -> None:
    schema = open_parquet(path).schema_arrow
    since = {name: kinds for name, kinds in SINCE.items() if name in schema.names}
    for name, kinds in (STATED | since).items():
        if name not in schema.names:
            raise UnreadableError(f"{path.name}: column {name} is missing")
        kind = schema.field(name).type
        if not any(is_kind(kind) for is_kind in kinds):
            raise UnreadableError(f"{path.name}: column {name} has the type {kind}")


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
