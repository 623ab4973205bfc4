"""The format of a run directory: its files, their fields and columns, typed for writer and reader.

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

Beside these, `approvals.json` and `exports.json` are added later, and the manifest knows nothing
of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from incentive_engine.config.document.pydantic_errors import first_of
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say

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

Finite = Annotated[float, Field(allow_inf_nan=False)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[
    # the parts of a table stand in a folder of its name, and no other folder is vouched for
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(\.parquet/[A-Za-z0-9][A-Za-z0-9_.-]*)?$"),
]


def parts_of(table: Path) -> tuple[Path, ...]:
    """Return the Parquet files of a run's table, whose rows follow one another.

    It is one file, or a folder of parts that tasks have written, in the order of their names.
    """
    return tuple(sorted(table.glob("*.parquet"))) if table.is_dir() else (table,)


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
