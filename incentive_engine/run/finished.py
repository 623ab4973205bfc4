"""A run directory as those read it who take its offers further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from incentive_engine.config.document.models import first_of
from incentive_engine.config.policy import Policy
from incentive_engine.data.tables.files import digest_file
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.run.format import RunFile, moment, read_manifest, read_stated
from incentive_engine.run.statements import Manifest, StatedCertificate, StatedEvaluation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinishedRun:
    """What a run states of itself; nothing of it is checked here."""

    directory: Path
    digest: str
    """sha256 of manifest.json, which holds the digests of every other file."""
    manifest: Manifest
    policy: Policy
    certificate: StatedCertificate
    evaluation: StatedEvaluation
    """Empty where scores were given, and nothing is known of how they came about."""

    @property
    def created(self) -> datetime | None:
        """When the run was made."""
        return moment(self.manifest.created)

    @property
    def author(self) -> str | None:
        """Who made the run."""
        return self.manifest.author

    @property
    def name(self) -> str:
        """The name of the run's directory."""
        return self.directory.resolve().name

    def faces(self) -> Mapping[str, float]:
        """Return each offer's face value, currency units."""
        return {offer.id: offer.face_value for offer in self.policy.offers}


def is_run(directory: Path) -> bool:
    """Whether a path is a run directory."""
    return (directory / RunFile.MANIFEST).is_file() and (directory / RunFile.ALLOCATION).exists()


def read_run(directory: Path) -> FinishedRun:
    """Read what a run states.

    Raises
    ------
    DataError
        When it is no run directory, or a file of it is broken.
    """
    path = directory / RunFile.MANIFEST
    manifest = read_manifest(directory)
    try:
        policy = Policy.model_validate(manifest.policy)
    except ValidationError as error:
        what = say("policy: {reason}", reason=first_of(error))
        raise DataError(Fault(str(path), what, remedy="run `incentive verify`")) from error
    file = directory / RunFile.EVALUATION
    evaluation = read_stated(file, StatedEvaluation) if file.exists() else StatedEvaluation()
    return FinishedRun(
        directory=directory,
        digest=digest_file(path),
        manifest=manifest,
        policy=policy,
        certificate=read_stated(directory / RunFile.CERTIFICATE, StatedCertificate),
        evaluation=evaluation,
    )
