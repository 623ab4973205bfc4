"""The format of a run directory: its files and their columns, and how they are read.

    allocation.parquet   what was decided for every user        allocation_columns
    scores.parquet       what it was decided from
    certificate.json     what is proven about it                StatedCertificate
    evaluation.json      its gain by the trial, if there is one  StatedEvaluation
    frozen_policy.json   what the policy means for one user      StatedFrozenPolicy
    prices.json          prices of its limits, numbered          StatedPrices
    policy.yaml          the policy file, verbatim
    report.html          the page
    manifest.json        what it was made from, digests of all   Manifest
    signature.json       a signature of the manifest, if there is one

What the JSON files state is typed in `run.statements`. Beside these, `approvals.json` and
`exports.json` are added later, and the manifest knows nothing of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa
from pydantic import ValidationError

from incentive_engine.config.document.models import first_of
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.run.statements import (
    Manifest,
    Stated,
)

FORMAT: Final = 3
"""The version; a reader refuses one that it does not know."""


class RunFile(StrEnum):
    """The files of a run directory."""

    ALLOCATION = "allocation.parquet"
    SCORES = "scores.parquet"
    CERTIFICATE = "certificate.json"
    EVALUATION = "evaluation.json"
    FROZEN_POLICY = "frozen_policy.json"
    PRICES = "prices.json"
    POLICY = "policy.yaml"
    REPORT = "report.html"
    MANIFEST = "manifest.json"
    SIGNATURE = "signature.json"
    APPROVALS = "approvals.json"
    EXPORTS = "exports.json"

    @property
    def is_vouched(self) -> bool:
        """Whether the manifest holds its digest: it cannot hold its own, nor what comes later."""
        later = {RunFile.MANIFEST, RunFile.SIGNATURE, RunFile.APPROVALS, RunFile.EXPORTS}
        return self not in later

    @property
    def is_always_there(self) -> bool:
        """Whether every run has it, and its manifest vouches for it."""
        # without a trial nothing is evaluated
        return self.is_vouched and self is not RunFile.EVALUATION

    @staticmethod
    def copies() -> Mapping[str, RunFile]:
        """Return the inputs of which a run holds a copy, each with its copy."""
        return {"policy": RunFile.POLICY, "scores": RunFile.SCORES}


@dataclass(frozen=True, slots=True)
class RunColumn:
    """What a column of allocation.parquet may hold: types of Arrow, and whether empty cells."""

    kinds: tuple[Callable[[pa.DataType], bool], ...]
    may_be_empty: bool = False


def allocation_columns() -> dict[str, RunColumn]:
    """Return the columns of allocation.parquet, each with what it may hold."""
    text = (pa.types.is_string, pa.types.is_large_string)
    number = RunColumn((pa.types.is_float64,))
    number_or_none = RunColumn(number.kinds, may_be_empty=True)
    return {
        "user_id": RunColumn((pa.types.is_integer, *text)),
        "offer_id": RunColumn((*text, pa.types.is_null), may_be_empty=True),
        "conversion": number,
        "spend": number_or_none,
        "cost": number,
        "cost_micros": RunColumn((pa.types.is_int64,)),
        "weight": number,
        "reason": RunColumn(text),
        "propensity": number,
        "margin": number_or_none,
        "smallest_budget": number_or_none,
    }


def parts_of(table: Path) -> tuple[Path, ...]:
    """Return the Parquet files of a run's table, whose rows follow one another.

    It is one file, or a folder of parts that tasks have written, in the order of their names.
    """
    return tuple(sorted(table.glob("*.parquet"))) if table.is_dir() else (table,)


StatedFile = TypeVar("StatedFile", bound=Stated)


def read_stated(path: Path, model: type[StatedFile]) -> StatedFile:
    """Read a JSON file of a run.

    Raises
    ------
    DataError
        When it is missing, broken, or lacks a field.
    """
    content = read_json(path)
    try:
        # strict JSON takes a list for a tuple, and nothing else for anything else
        return model.model_validate_json(json.dumps(content))
    except ValidationError as error:
        fault = Fault(str(path), first_of(error), remedy="run `incentive verify`")
        raise DataError(fault) from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    DataError
        When the file is missing or broken.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    except FileNotFoundError as error:
        remedy = "name the directory that `allocate` wrote"
        raise DataError(Fault(str(path), "no such file", "a run directory", remedy)) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            Fault(
                str(path),
                say("cannot be read: {reason}", reason=error),
                remedy="run `incentive verify`",
            )
        ) from error
    if not isinstance(content, dict):
        raise DataError(Fault(str(path), "is no JSON object", remedy="run `incentive verify`"))
    return content


def read_manifest(directory: Path) -> Manifest:
    """Read manifest.json.

    Raises
    ------
    DataError
        When it is missing, broken, or of another version.
    """
    path = directory / RunFile.MANIFEST
    stated = read_json(path).get("format")
    if stated != FORMAT:
        what = say("format {stated} is unknown", stated=stated)
        remedy = "use the version of the program that wrote the run"
        raise DataError(Fault(str(path), what, say("{format}", format=FORMAT), remedy))
    return read_stated(path, Manifest)


def moment(text: str | None) -> datetime | None:
    """Return a stated time."""
    return None if text is None else datetime.fromisoformat(text)


def _refuse(constant: str) -> None:
    raise ValueError(say("{constant} is not a number", constant=constant))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object none of whose keys stands twice: readers differ in which one they take."""
    content = dict(pairs)
    # one reader takes the first of two keys, another the last: a signature would cover both
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(
            say("`{name}` stands twice", name=next(n for n in names if names.count(n) > 1))
        )
    return content
