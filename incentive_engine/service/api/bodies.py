"""What requests and answers hold; the OpenAPI page is made from the same types."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from incentive_engine.live.amounts import decimal_text
from incentive_engine.live.ledger.clock import moment_text
from incentive_engine.live.ledger.commands import Standing
from incentive_engine.live.ledger.records import Decision
from incentive_engine.service.api.problems import ProblemError, problem

# PostgreSQL keeps no text with a zero byte
Scene = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
UserId = Annotated[str, Meta(min_length=1, max_length=256)] | int
FeatureValue = str | int | float | bool | None
Request = TypeVar("Request")


class Events(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a user did, column by column: as many values in each, in any order of time.

    A time is ISO 8601 with its zone, or an integer of microseconds since 1970, UTC; an amount is
    in whole minor units, such as cents. `kind` may be one text for all events.
    """

    time: Annotated[list[str | int], Meta(max_length=100_000)]
    kind: str | list[str | None]
    category: list[str | int | None] | None = None
    amount: list[int | None] | None = None
    campaign: list[str | None] | None = None


class DecisionRequest(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Who appears, where, and what is known of a user whom the run does not know.

    Of `events` the features are made that the policy declares, at the `moment`; left out: now. An
    event at the moment, or later, counts for nothing.
    """

    user_id: UserId
    scene: Scene | None = None
    features: dict[str, FeatureValue] | None = None
    events: Events | None = None
    moment: str | None = None


class RedeemRequest(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How much was redeemed: decimal text, or an integer of millionths."""

    amount: Any


class DecisionBody(msgspec.Struct, kw_only=True, frozen=True):
    """One decision; money in millionths of the currency unit, times in UTC."""

    decision_id: str
    user_id: str | int
    offer_id: str | None
    reason: str
    state: str
    scene: str | None
    cost_micros: int
    face_micros: int
    decided_at: str
    expires_at: str | None
    prices_version: int
    amount_micros: int | None


class UserBody(msgspec.Struct, kw_only=True, frozen=True):
    """What a user may get now, and why; nothing is reserved."""

    user_id: str | int
    offer_id: str | None
    reason: str
    cost_micros: int
    face_micros: int
    prices_version: int
    decision: DecisionBody | None


class LimitBody(msgspec.Struct, kw_only=True, frozen=True):
    """One enforced limit, as decimal text: currency units, or issued offers.

    ``reserved`` holds the margin that a budget at risk keeps; ``at_most`` is null for what is
    counted and not capped.
    """

    name: str
    measure: str
    at_most: str | None
    at_least: str | None
    reserved: str
    settled: str
    available: str | None
    price: float
    margin: str


class PoolBody(msgspec.Struct, kw_only=True, frozen=True):
    """The pool: every enforced limit, the version of the prices, and the last entry's number.

    ``foresight`` is the share of what perfect foresight would have reached with what was given
    until prices were solved last, 0 to 1; null before, and where they stay those of the plan.
    ``price_per_cost`` is the value given up per unit of what an offer is expected to cost, beside
    the prices of limits: above 0 where face values are held, and come back.
    """

    limits: list[LimitBody]
    prices_version: int
    price_per_cost: float
    currency: str
    basis: str | None
    seq: int
    foresight: float | None


class OutlookBody(msgspec.Struct, kw_only=True, frozen=True):
    """What the rest of a campaign brings; `spent` in the currency."""

    value: float
    spent: float | None
    runs_dry: str | None


class ProposalBody(msgspec.Struct, kw_only=True, frozen=True):
    """What would help: `incentive watch … --accept KEY --by NAME` carries it out.

    ``price_per_cost`` is as the pool has it; null where offers are charged by ``prices`` alone.
    """

    kind: str
    prices: dict[str, float] | None
    price_per_cost: float | None
    at_most: dict[str, int]
    paused: list[str]
    blocked: list[str]
    now: OutlookBody | None
    then: OutlookBody | None
    text: str


class AnsweredBody(msgspec.Struct, kw_only=True, frozen=True):
    """Who declined it, and when."""

    verb: str
    by: str
    at: str


class FindingBody(msgspec.Struct, kw_only=True, frozen=True):
    """Something that a planner should know."""

    key: str
    severity: str
    figures: dict[str, str]
    text: str
    since: str | None
    proposal: ProposalBody | None
    answered: AnsweredBody | None


class FindingsBody(msgspec.Struct, kw_only=True, frozen=True):
    """What has been found."""

    findings: list[FindingBody]


class HealthBody(msgspec.Struct, kw_only=True, frozen=True):
    """Whether the service is well."""

    status: str


encode = msgspec.json.Encoder().encode
_decision_request = msgspec.json.Decoder(DecisionRequest)
_redeem_request = msgspec.json.Decoder(RedeemRequest)


def read_decision_request(content: bytes) -> DecisionRequest:
    """Return what the body of a request for a decision says; errors as of `_read`."""
    return _read(_decision_request, content, expected='{"user_id": "…", "scene": "…"}')


def read_redeem_request(content: bytes) -> RedeemRequest:
    """Return what the body of a redemption says; errors as of `_read`."""
    return _read(_redeem_request, content, expected='{"amount": "37.50"}')


def _read(decoder: msgspec.json.Decoder[Request], content: bytes, *, expected: str) -> Request:
    """Return what a body says.

    Raises
    ------
    ProblemError
        400 when it is no JSON, 422 when it says something else.
    """
    try:
        return decoder.decode(content)
    except msgspec.MsgspecError as error:
        raise _not_readable(error, expected) from None
    except UnicodeDecodeError:
        raise problem(400, "body", "is not UTF-8", "JSON in UTF-8", "encode it as UTF-8") from None


def _not_readable(error: msgspec.MsgspecError, expected: str) -> ProblemError:
    if isinstance(error, msgspec.ValidationError):
        what, _, place = str(error).partition(" - at `$")
        where = f"body: {place.strip('.`')}" if place else "body"
        return problem(422, where, what, expected, "mend the body")
    return problem(400, "body", f"is no JSON: {error}", expected, "send JSON in UTF-8")


def decision_body(name: str, decision: Decision, *, is_number: bool) -> DecisionBody:
    """Return a decision as it is answered."""
    return DecisionBody(
        decision_id=name,
        user_id=user_body(decision.user_id, is_number=is_number),
        offer_id=decision.offer_id,
        reason=decision.reason,
        state=decision.state,
        scene=decision.scene,
        cost_micros=decision.cost,
        face_micros=decision.face,
        decided_at=moment_text(decision.decided_at),
        expires_at=None if decision.expires_at is None else moment_text(decision.expires_at),
        prices_version=decision.prices_version,
        amount_micros=decision.amount,
    )


def user_body(user_id: str, *, is_number: bool) -> str | int:
    """Return a user's id as the run has it: a number, or text."""
    return int(user_id) if is_number and user_id.isascii() and user_id.isdigit() else user_id


def limit_body(limit: Standing, *, measure: str, price: float) -> LimitBody:
    """Return where a limit stands."""
    reserved, most = limit.reserved + limit.margin, limit.at_most

    def text(amount: int) -> str:
        return str(amount) if limit.is_count else decimal_text(amount)

    return LimitBody(
        name=limit.name,
        measure=measure,
        at_most=None if most is None else text(most),
        at_least=None if limit.at_least is None else text(limit.at_least),
        reserved=text(reserved),
        settled=text(limit.settled),
        available=None if most is None else text(most - reserved - limit.settled),
        price=price,
        margin=text(limit.margin),
    )
