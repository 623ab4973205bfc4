"""What the JSON files of a run directory state, typed for writer and reader."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from incentive_engine.language import say

Finite = Annotated[float, Field(allow_inf_nan=False)]


Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


FileName = Annotated[
    # the parts of a table stand in a folder of its name, and no other folder is vouched for
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(\.parquet/[A-Za-z0-9][A-Za-z0-9_.-]*)?$"),
]


def _with_zone(text: str) -> str:
    """Refuse what is no time, or one whose zone nobody knows: runs are put in order by it."""
    try:
        has_zone = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        has_zone = False
    if not has_zone:
        raise ValueError(say("{text} is no time with a zone", text=text))
    return text


Moment = Annotated[str, AfterValidator(_with_zone)]


class Stated(BaseModel):
    """A part of a run's JSON files; keys that nobody reads may stand beside."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class InputFile(Stated):
    """An input as it was read."""

    path: str
    """Its full path, or where else it lies; no secret."""
    sha256: str
    rows: int | None = None
    as_given: bool | None = None
    """Of policy and scores: whether the run's copy is this very file. Other copies of scores hold
    the columns used, and those of a policy no passwords."""


class OutputFile(Stated):
    """A file that the manifest vouches for."""

    sha256: Digest
    bytes: int


class StatedHoldout(Stated):
    """How many users were held out."""

    share: Finite
    users: int


class StatedExploring(Stated):
    """How many users got their arm by lot."""

    share: Finite
    users: int


class Manifest(Stated):
    """manifest.json: what a run was made from and by, and digests of what came out."""

    format: int
    engine: str
    source: str
    """Digest of the engine's own source."""
    policy: dict[str, Any]
    """As used: the file's, with the overrides."""
    policy_file: str | None
    overrides: dict[str, Any]
    """Where the policy departs from the file; see `config.overrides`."""
    inputs: dict[str, InputFile]
    """By part: policy, users, trial, scores; what was given in memory is left out."""
    author: str | None
    created: Moment | None
    """When, with a zone; it puts the runs of a campaign in order."""
    seed: int
    holdout: StatedHoldout
    explored: StatedExploring
    solver: dict[str, Any]
    seconds: dict[str, float]
    """By step."""
    outputs: dict[FileName, OutputFile]
    versions: dict[str, str]


class StatedRisk(Stated):
    """What the certificate states of a budget at risk."""

    confidence: Finite
    cost_error: Finite
    deviation: Finite
    quantile: Finite


class StatedEvaluatedCost(Stated):
    """What the plan costs by the trial, and what the costs of the scores were multiplied by."""

    estimate: Finite
    low: Finite
    high: Finite
    correction: Finite


class StatedBudget(Stated):
    """The budget as the certificate states it, currency units."""

    amount: Finite | None
    basis: str
    spent: Finite
    spent_face: Finite
    at_risk: StatedRisk | None = None
    evaluated: StatedEvaluatedCost | None = None
    """None without a trial, and in runs of before."""


class StatedRatio(Stated):
    """A ratio in the planner's terms, beside its linear form."""

    at_most: Finite | None
    at_least: Finite | None
    usage: Finite | None


class StatedLimit(Stated):
    """One limit as the certificate states it."""

    name: str
    at_most: Finite | None
    at_least: Finite | None
    usage: Finite
    slack: Finite
    price: Finite | None = None
    """None for a limit that is only reported."""
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


class StatedCertificate(Stated):
    """certificate.json: what is proven about a plan."""

    value: Finite
    bound: Finite
    gap: Finite
    feasible: bool
    users: int
    treated: int
    budget: StatedBudget
    limits: tuple[StatedLimit, ...]
    returns: StatedReturns
    mandate: StatedMandate


class StatedEstimate(Stated):
    """A total by the trial, with its 95 % interval."""

    estimate: Finite
    low: Finite
    high: Finite


class StatedGain(Stated):
    """What a plan brings, by the trial."""

    rows: int
    users: int
    baseline: dict[str, Finite | None]
    """What the trial says of users without an offer: `conversion_rate`, `median_basket`."""
    conversions: StatedEstimate
    spend: StatedEstimate
    cost: StatedEstimate
    profit: StatedEstimate | None = None
    """None where the policy has no margin."""


class StatedFinding(Stated):
    """One check of the trial, or of the users against it."""

    check: str
    verdict: str
    what: str
    remedy: str
    messages: dict[str, Any]
    """The same as keys and values, to be said in any language."""


class StatedEvaluation(Stated):
    """evaluation.json: what the trial says of a plan, and what was found of the trial."""

    plan: StatedGain | None = None
    findings: tuple[StatedFinding, ...] = ()


class StatedStratum(Stated):
    """The holdout's cut-off in one stratum."""

    stratum: tuple[str | None, ...]
    highest: int
    """The highest rank of the keyed hash that is held out; -1 for nobody."""
    share: Finite
    """Which share of the stratum is held out."""


class StatedFrozenPolicy(Stated):
    """frozen_policy.json: the policy with the facts of its users that a decision on one needs."""

    format: int
    policy: dict[str, Any]
    measures: tuple[str, ...]
    kinds: dict[str, str]
    medians: tuple[Finite | None, ...]
    groups: tuple[tuple[str, ...] | None, ...]
    holdout: tuple[StatedStratum, ...]
    explored: int
    """The highest rank of the keyed hash of users who explore; -1 for nobody."""


class StatedPrices(Stated):
    """prices.json: the price of every enforced limit, numbered."""

    version: int
    frozen_policy: Digest
    """Digest of what frozen_policy.json states."""
    prices: dict[str, Finite]
    settled: int
    """How many users got something else than these prices would give."""


class StatedSignature(Stated):
    """signature.json: who holds which key vouches for the manifest."""

    algorithm: str
    key: str
    """The key's fingerprint."""
    signature: Digest
    at: str
