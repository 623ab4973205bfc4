"""A run directory as those read it who take its offers further."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from incentive_engine.config.policy import Policy
from incentive_engine.data.tables.files import digest_file
from incentive_engine.errors import DataError, Fault

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinishedRun:
    """What a run states of itself; nothing of it is checked here."""

    directory: Path
    digest: str
    """sha256 of manifest.json, which holds the digests of every other file."""
    manifest: Mapping[str, Any]
    policy: Policy
    certificate: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    """Empty where scores were given, and nothing is known of how they came about."""

    @property
    def created(self) -> datetime | None:
        """When the run was made; None for one of an older version of the program."""
        stated = self.manifest.get("created")
        return datetime.fromisoformat(stated) if isinstance(stated, str) else None

    @property
    def author(self) -> str | None:
        """Who made the run."""
        return self.manifest.get("author")

    @property
    def name(self) -> str:
        """The name of the run's directory."""
        return self.directory.resolve().name

    def faces(self) -> Mapping[str, float]:
        """Return each offer's face value, currency units."""
        return {offer.id: offer.face_value for offer in self.policy.offers}


def is_run(directory: Path) -> bool:
    """Whether a path is a run directory."""
    return (directory / MANIFEST).is_file() and (directory / "allocation.parquet").exists()


def read_run(directory: Path) -> FinishedRun:
    """Read what a run states.

    Raises
    ------
    DataError
        When it is no run directory, or a file of it is broken.
    """
    path = directory / MANIFEST
    manifest = read_json(path)
    try:
        policy = Policy.model_validate(manifest.get("policy"))
    except ValidationError as error:
        what = f"policy: {error.errors()[0]['msg']}"
        raise DataError(Fault(str(path), what, remedy="run `incentive verify`")) from error
    evaluation = directory / "evaluation.json"
    return FinishedRun(
        directory=directory,
        digest=digest_file(path),
        manifest=manifest,
        policy=policy,
        certificate=read_json(directory / "certificate.json"),
        evaluation=read_json(evaluation) if evaluation.exists() else {},
    )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    DataError
        When the file is missing or broken.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        remedy = "name the directory that `allocate` wrote"
        raise DataError(Fault(str(path), "no such file", "a run directory", remedy)) from error
    except (OSError, ValueError) as error:
        raise DataError(Fault(str(path), f"cannot be read: {error}")) from error
    if not isinstance(content, dict):
        raise DataError(Fault(str(path), "is no JSON object"))
    return content
