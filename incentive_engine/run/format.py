"""The format of a run directory: its files and their columns, and how they are read.

    allocation.parquet   what was decided for every user        ALLOCATION
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
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa
from pydantic import ValidationError

from incentive_engine.config.document.pydantic_errors import first_of
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.run.statements import (
    Manifest,
    Stated,
)

FORMAT: Final = 3
"""The version; a reader refuses one that it does not know."""

ALLOCATION_FILE: Final = "allocation.parquet"
SCORES_FILE: Final = "scores.parquet"
CERTIFICATE_FILE: Final = "certificate.json"
EVALUATION_FILE: Final = "evaluation.json"
FROZEN_POLICY_FILE: Final = "frozen_policy.json"
PRICES_FILE: Final = "prices.json"
POLICY_FILE: Final = "policy.yaml"
REPORT_FILE: Final = "report.html"
MANIFEST_FILE: Final = "manifest.json"
SIGNATURE_FILE: Final = "signature.json"
APPROVALS_FILE: Final = "approvals.json"
EXPORTS_FILE: Final = "exports.json"

ALWAYS: Final = (
    ALLOCATION_FILE, CERTIFICATE_FILE, FROZEN_POLICY_FILE, POLICY_FILE, PRICES_FILE, REPORT_FILE,
    SCORES_FILE,
)  # fmt: skip
"""Files that every run has, and that its manifest vouches for."""
COPIES: Final = {"policy": POLICY_FILE, "scores": SCORES_FILE}
"""Inputs of which a run holds a copy."""
ADDED: Final = frozenset({MANIFEST_FILE, SIGNATURE_FILE, APPROVALS_FILE, EXPORTS_FILE})
"""Files that the manifest cannot vouch for."""

IsKind = Callable[[pa.DataType], bool]
TEXT: Final[tuple[IsKind, ...]] = (pa.types.is_string, pa.types.is_large_string)
NUMBER: Final[tuple[IsKind, ...]] = (pa.types.is_float64,)

ALLOCATION: Final[Mapping[str, tuple[IsKind, ...]]] = {
    "user_id": (pa.types.is_integer, *TEXT),
    "offer_id": (*TEXT, pa.types.is_null),
    "conversion": NUMBER,
    "spend": NUMBER,
    "cost": NUMBER,
    "cost_micros": (pa.types.is_int64,),
    "weight": NUMBER,
    "reason": TEXT,
    "propensity": NUMBER,
    "margin": NUMBER,
    "smallest_budget": NUMBER,
}
"""The columns of allocation.parquet and what their types may be."""

MAY_BE_EMPTY: Final = frozenset({"offer_id", "spend", "margin", "smallest_budget"})
"""Columns of allocation.parquet that may have empty cells."""


def parts_of(table: Path) -> tuple[Path, ...]:
    """Return the Parquet files of a run's table, whose rows follow one another.

    It is one file, or a folder of parts that tasks have written, in the order of their names.
    """
    return tuple(sorted(table.glob("*.parquet"))) if table.is_dir() else (table,)


Part = TypeVar("Part", bound=Stated)


def read_stated(path: Path, model: type[Part]) -> Part:
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
    path = directory / MANIFEST_FILE
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
