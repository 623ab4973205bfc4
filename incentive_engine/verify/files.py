"""Reads a run directory and says what of it is missing, altered or unreadable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pydantic import ValidationError

from incentive_engine.config.conditions import Range
from incentive_engine.config.document.models import first_of
from incentive_engine.config.policy import Policy
from incentive_engine.data.tables.arrow import is_number
from incentive_engine.data.tables.files import digest_file
from incentive_engine.data.tables.types import is_readable, plain_type
from incentive_engine.domain import score_column
from incentive_engine.errors import DataError
from incentive_engine.language import Text, say
from incentive_engine.run.format import (
    RunFile,
    allocation_columns,
    parts_of,
    read_manifest,
    read_stated,
)
from incentive_engine.run.statements import (
    Manifest,
    StatedCertificate,
    StatedEvaluation,
    StatedFrozenPolicy,
    StatedPrices,
)

from .recomputed.blocks import UnreadableError, open_parquet
from .recomputed.rules import stored_measures


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatedRun:
    """A run as its files state it; its rows are read block by block.

    Attributes
    ----------
    evaluation
        None in a run whose scores were given.
    score_columns
        The columns of scores.parquet.
    """

    directory: Path
    policy: Policy
    manifest: Manifest
    certificate: StatedCertificate
    evaluation: StatedEvaluation | None
    frozen: StatedFrozenPolicy
    prices: StatedPrices
    score_columns: frozenset[str]


def altered_files(directory: Path, manifest: Manifest) -> Iterator[Text]:
    """Yield what is missing, differs from the digests in the manifest, or is not listed there."""
    needed: set[str] = {file for file in RunFile if file.is_always_there}
    if "trial" in manifest.inputs:
        needed.add(RunFile.EVALUATION)
    tables = {name.split("/")[0] for name in manifest.outputs}
    for name in sorted(needed - tables):
        yield say("{name} is not listed in manifest.json", name=name)
    for name, output in manifest.outputs.items():
        path = directory / name
        # a link, or one of a folder above, could lead elsewhere after the check
        is_link = path.is_symlink() or (directory / name.split("/")[0]).is_symlink()
        if is_link or not path.is_file():
            yield (
                say("{name} is a link", name=name)
                if is_link
                else say("{name} is missing", name=name)
            )
        elif path.stat().st_size != output.bytes:
            yield say(
                "{name} has {size} bytes, not {bytes}",
                name=name,
                size=path.stat().st_size,
                bytes=output.bytes,
            )
        elif digest_file(path) != output.sha256:
            yield say("{name} was changed after the run: its digest differs", name=name)
    vouched = {*needed, *manifest.outputs, *(file for file in RunFile if not file.is_vouched)}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        is_table = path.is_dir() and not path.is_symlink() and name in tables
        # what is hidden is what a killed process left of a record
        if name not in vouched and not is_table and not path.name.startswith("."):
            yield say("{name} is not listed in manifest.json", name=name)


def read_run(directory: Path, manifest: Manifest) -> StatedRun:
    """Read what the checks need.

    Raises
    ------
    UnreadableError
        When a file is broken, or lacks a field or a column.
    """
    try:
        policy = Policy.model_validate(manifest.policy)
    except ValidationError as error:
        what = say("manifest.json: policy: {reason}", reason=first_of(error))
        raise UnreadableError(what) from error
    _check_allocation(directory / RunFile.ALLOCATION)
    evaluation = directory / RunFile.EVALUATION
    with _said_without_folder():
        certificate = read_stated(directory / RunFile.CERTIFICATE, StatedCertificate)
        gain = read_stated(evaluation, StatedEvaluation) if evaluation.exists() else None
        frozen = read_stated(directory / RunFile.FROZEN_POLICY, StatedFrozenPolicy)
        prices = read_stated(directory / RunFile.PRICES, StatedPrices)
    return StatedRun(
        directory=directory,
        policy=policy,
        manifest=manifest,
        certificate=certificate,
        evaluation=gain,
        frozen=frozen,
        prices=prices,
        score_columns=_score_columns(directory / RunFile.SCORES, policy),
    )


def listed(directory: Path) -> Manifest:
    """Read manifest.json.

    Raises
    ------
    UnreadableError
        When it is missing, broken, or of another version.
    """
    with _said_without_folder():
        return read_manifest(directory)


@contextmanager
def _said_without_folder() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        fault = error.faults[0]
        raise UnreadableError(
            say("{name}: {what}", name=Path(str(fault.where)).name, what=fault.what)
        ) from error


def _score_columns(path: Path, policy: Policy) -> frozenset[str]:
    columns = frozenset(_names(path))
    pairs = [score_column(m, offer) for m in stored_measures(policy) for offer in policy.offer_ids]
    read = {"user_id", *policy.attribute_columns, *pairs}
    if missing := sorted(read - columns):
        raise UnreadableError(
            say("{name}: column {column} is missing", name=path.name, column=missing[0])
        )
    schema, numbers = open_parquet(path).schema_arrow, {*pairs, *_reckoned(policy)}
    for name in sorted(read):
        kind = schema.field(name).type
        # `allocate` reads no such column, and what comes next would stop in the middle of it
        if not is_readable(kind) or (name in numbers and not is_number(plain_type(kind))):
            raise _wrong_kind(path, name, kind)
    return columns


def _reckoned(policy: Policy) -> Iterator[str]:
    """Yield the attributes that a policy takes as numbers: for a power, or for a range."""
    yield from (f.column for f in policy.objective.weight if f.power is not None)
    conditions = [rule.where for rule in policy.eligibility]
    for where in (*conditions, *(limit.where for limit in policy.limits)):
        yield from (name for name, among in where.items() if isinstance(among, Range))


def _check_allocation(path: Path) -> None:
    for file in parts_of(path):
        _check_part(file)


def _check_part(path: Path) -> None:
    names, schema = _names(path), open_parquet(path).schema_arrow
    for name, column in allocation_columns().items():
        if name not in names:
            raise UnreadableError(
                say("{name}: column {column} is missing", name=path.name, column=name)
            )
        kind = schema.field(name).type
        if not any(is_kind(kind) for is_kind in column.kinds):
            raise _wrong_kind(path, name, kind)


def _wrong_kind(path: Path, column: str, kind: pa.DataType) -> UnreadableError:
    return UnreadableError(
        say(
            "{name}: column {column} has the type {kind}",
            name=path.name,
            column=column,
            kind=kind,
        )
    )


def _names(path: Path) -> list[str]:
    """Return a table's columns, none of which may stand twice."""
    names: list[str] = open_parquet(path).schema_arrow.names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UnreadableError(
            say("{name}: column {column} stands twice", name=path.name, column=twice[0])
        )
    return names
