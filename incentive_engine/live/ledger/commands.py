"""What a ledger can be asked to do, and what it answers."""

from __future__ import annotations

from typing import NamedTuple

from incentive_engine.live.ledger.records import Action, Claims, Decision, LimitState


class Reserve(NamedTuple):
    """Decide for a user: reserve the offer, or note that there is none.

    `key` and `digest` are hashes of the idempotency key and of the body; `hold` is the time until
    the reservation runs out, microseconds, and `until` the latest moment for that; None: never.
    """

    key: bytes
    digest: bytes
    user_id: str
    offer_id: str | None
    reason: str
    scene: str | None
    cost: int
    face: int
    claims: Claims
    hold: int | None
    until: int | None
    prices_version: int
    propensity: float


class Redeem(NamedTuple):
    """Settle what a user redeemed of a reserved offer; `key` may be empty."""

    decision: str
    amount: int
    key: bytes
    digest: bytes


class Cancel(NamedTuple):
    """Return a reservation to the pool; `key` may be empty."""

    decision: str
    key: bytes
    digest: bytes


class Recall(NamedTuple):
    """Show what a key was answered; `unknown` for a new one."""

    key: bytes
    digest: bytes


class Find(NamedTuple):
    """Show one decision."""

    decision: str


class Preview(NamedTuple):
    """Show what a user has, and whether an offer would fit; nothing changes."""

    user_id: str
    cost: int
    face: int
    claims: Claims


class ShowPool(NamedTuple):
    """Show every limit."""


class Publish(NamedTuple):
    """Number new prices; the first who publishes a version is the one whose prices hold.

    `content` is JSON: what a server needs to decide by them, and to solve the next ones.
    """

    version: int
    content: str


class ShowPrices(NamedTuple):
    """Show the newest prices; `unknown` where none were published."""


class Act(NamedTuple):
    """Write down what somebody answers to a finding, and move the caps that it names.

    `known` is the number of actions that he knows of: more, and he looks again first.
    """

    key: str
    verb: str
    name: str
    change: str
    known: int


class ShowActions(NamedTuple):
    """Show what was answered to findings, from the first that is not known on."""

    known: int


Command = (
    Reserve
    | Redeem
    | Cancel
    | Recall
    | Find
    | Preview
    | ShowPool
    | Publish
    | ShowPrices
    | Act
    | ShowActions
)


class Decided(NamedTuple):
    """A decision, by its public id, as it stood at the entry that answers."""

    name: str
    decision: Decision


class Previewed(NamedTuple):
    """What a user has, by its public id, and whether the offer asked about would fit."""

    name: str | None
    decision: Decision | None
    fits: bool


class Standing(NamedTuple):
    """Where one limit stands; `reserved` without `margin`, which a budget at risk adds to it."""

    name: str
    is_count: bool
    at_most: int | None
    at_least: int | None
    reserved: int
    settled: int
    margin: int


class Pool(NamedTuple):
    """All limits, in the order of the run, and the number of the last entry."""

    limits: tuple[Standing, ...]
    seq: int


class Published(NamedTuple):
    """The newest prices, and when they were published, microseconds since 1970."""

    version: int
    at: int
    content: str


class Actions(NamedTuple):
    """Actions in order, the one that was just written last."""

    actions: tuple[Action, ...]


class Refused(NamedTuple):
    """Why nothing was done.

    `unknown`, `key_reused`, `above_face`, `closed`, `unavailable`, or `outdated` for an action
    of somebody who does not know the last one.

    `detail` is the state of a closed decision, the face value that was passed, or what keeps the
    ledger from answering.
    """

    why: str
    detail: str = ""


def standing(limit: LimitState) -> Standing:
    """Return where a limit stands."""
    terms = limit.terms
    return Standing(
        terms.name,
        terms.is_count,
        limit.at_most,
        terms.at_least,
        limit.reserved,
        limit.settled,
        limit.margin(),
    )


Answer = Decided | Previewed | Pool | Published | Actions | Refused
