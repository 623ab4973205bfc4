"""What a plan is made from, as tables and as files of cached steps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from incentive_engine.config.access.location import Location
from incentive_engine.config.policy import Policy
from incentive_engine.data.sources import open_source
from incentive_engine.data.sources.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a plan is made from; None where there is none."""

    scores: Source
    users: Source | None = None
    trial: Source | None = None
    model: Path | None = None
    valuation: Path | None = None
    """Trial rows with out-of-fold scores and what each offer brought; see `value_into`."""
    drift: Path | None = None
    """How the users differ from the trial; see `drift_into`."""


def given_inputs(scores: Path | Location, policy: Policy) -> Inputs:
    """Return the inputs of a run with scores of the planner's own."""
    return Inputs(scores=open_source(scores, renames=policy.data.columns.scores))
