"""What a run's JSON files state, checked for form when they are read."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]


class UnreadableError(Exception):
    """A file of the run that cannot be used; the message says which and why."""


class Stated(BaseModel):
    """A part of a run's JSON files; keys that are not checked here may stand beside."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class StatedRisk(Stated):
    """What the certificate states of a budget at risk."""

    confidence: Finite
    cost_error: Finite
    deviation: Finite
    quantile: Finite


class StatedBudget(Stated):
    """The budget as the certificate states it."""

    amount: Finite | None
    basis: str
    spent: Finite
    spent_face: Finite
    at_risk: StatedRisk | None = None


class StatedRatio(Stated):
    """A ratio in the planner's terms, beside its linear form."""

    at_most: Finite | None
    at_least: Finite | None
    usage: Finite | None


class StatedLimit(Stated):
    """One limit as the certificate states it."""

    name: str
    at_most: Finite | None = None
    at_least: Finite | None = None
    usage: Finite | None = None
    slack: Finite | None = None
    price: Finite | None = None
    report_only: bool = False
    ratio: StatedRatio | None = None


class StatedReturns(Stated):
    """What the money returns, by the scores."""

    spend: Finite | None
    cost: Finite
    roi: Finite | None
    marginal_roi: Finite | None


class StatedMandate(Stated):
    """What was asked of the money."""

    min_roi: Finite | None
    min_marginal_roi: Finite | None
    cap: Finite | None


class Certificate(Stated):
    """certificate.json."""

    value: Finite
    bound: Finite
    gap: Finite
    feasible: bool
    users: int
    treated: int
    budget: StatedBudget
    limits: list[StatedLimit]
    returns: StatedReturns | None = None
    mandate: StatedMandate | None = None


class Output(Stated):
    """A file that the manifest vouches for."""

    sha256: str
    bytes: int


class Manifest(Stated):
    """manifest.json."""

    format: int
    policy: dict[str, Any]
    overrides: dict[str, Any] = {}
    outputs: dict[str, Output]
    inputs: dict[str, dict[str, Any]] = {}
    holdout: dict[str, Any] = {}
