"""Policies and run directories, as a program reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy
from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.config.document.loading import load_policy as load_document
from incentive_engine.config.policy import Policy
from incentive_engine.data.sources import read_table
from incentive_engine.data.tables.frames import to_frame
from incentive_engine.library.html import facts, number
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.run.format import RunFile, read_json
from incentive_engine.run.statements import Manifest, StatedCertificate, StatedEvaluation

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Run:
    """What a run directory states; `verify` says whether it is true."""

    finished: FinishedRun

    @property
    def directory(self) -> Path:
        """Where it stands."""
        return self.finished.directory

    @property
    def policy(self) -> Policy:
        """The policy as it was planned."""
        return self.finished.policy

    @property
    def certificate(self) -> StatedCertificate:
        """The content of certificate.json."""
        return self.finished.certificate

    @property
    def manifest(self) -> Manifest:
        """The content of manifest.json."""
        return self.finished.manifest

    @property
    def evaluation(self) -> StatedEvaluation:
        """The content of evaluation.json; empty where scores were given."""
        return self.finished.evaluation

    @cached_property
    def frozen(self) -> FrozenPolicy:
        """What the policy means for one user, for `decide`."""
        return FrozenPolicy.from_dict(read_json(self.directory / RunFile.FROZEN_POLICY))

    @cached_property
    def prices(self) -> Prices:
        """Limit to the value given up per unit of it; version 0."""
        return Prices.from_dict(read_json(self.directory / RunFile.PRICES))

    def to_frame(self) -> pd.DataFrame:
        """Return allocation.parquet: one row per user."""
        return to_frame(read_table(self.directory / "allocation.parquet"))

    def __repr__(self) -> str:
        proof = self.certificate
        return (
            f"Run({self.finished.name}: {proof.users:,} users, {proof.treated:,} treated, "
            f"value {proof.value:,.4g}, gap {proof.gap:.1e})"
        )

    def _repr_html_(self) -> str:
        proof = self.certificate
        pairs = [
            ("campaign", self.policy.name),
            ("users", f"{proof.users:,}"),
            ("treated", f"{proof.treated:,}"),
            ("spent", number(proof.budget.spent)),
            ("value", number(proof.value)),
            ("gap", f"{proof.gap:.1e}"),
        ]
        return facts(f"Run: {self.finished.name}", pairs)


def load_run(directory: str | Path) -> Run:
    """Return what a run directory states.

    Raises
    ------
    DataError
        When it is no run directory, or a file of it is broken.
    """
    return Run(finished=read_run(Path(directory)))


def load_policy(path: str | Path, *, set_values: Sequence[str] = ()) -> Policy:
    """Return the policy of a YAML file; its own data need not exist.

    Parameters
    ----------
    set_values
        Changes such as ``budget.amount=300k`` or ``limits.region cap.at_most=8%``.

    Raises
    ------
    ConfigError
        With every problem of the file, in the order of its lines.
    """
    return load_document(Path(path), set_values=set_values, require_data=False)
