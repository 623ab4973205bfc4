"""What a store of a ledger does, and what is common to all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Protocol

from incentive_engine.errors import DataError, Fault, IncentiveError
from incentive_engine.language import say
from incentive_engine.live.ledger.chain import START
from incentive_engine.live.ledger.commands import (
    Act,
    Cancel,
    Command,
    Find,
    Preview,
    Publish,
    Recall,
    Redeem,
    Reserve,
    ShowActions,
    ShowPrices,
)
from incentive_engine.live.ledger.core import Book
from incentive_engine.live.ledger.records import (
    Claims,
    Decision,
    LimitState,
    LimitTerms,
    Names,
    RiskMargin,
)


class UnavailableError(IncentiveError):
    """A ledger cannot be written for now; nothing of the batch was."""

    exit_code = 2


class HeldError(DataError):
    """Another process writes the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a ledger is opened for: one run, and its enforced limits.

    Attributes
    ----------
    run
        The digest of the run.
    """

    run: str
    limits: tuple[LimitTerms, ...]


@dataclass(slots=True, kw_only=True)
class Needs:
    """What a batch of commands names."""

    MOST_DUE: ClassVar = 2_000
    """Reservations that a batch expires at most; the next one goes on."""

    keys: set[bytes] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    decisions: set[int] = field(default_factory=set)
    prices: bool = False
    actions: bool = False


class Store(Protocol):
    """Where a ledger's rows are; one batch is one transaction."""

    names: Names

    def begin(self, needs: Needs, now: int) -> Book:
        """Begin a transaction, and return what a batch needs to know, or a guess at it."""

    def commit(self, book: Book) -> Book | None:
        """Write what a batch changed, durably, and end the transaction.

        Returns
        -------
        Book | None
            Where the book was a guess that was wrong, what the batch does need to know, to be
            applied to that: nothing is written yet.
        """

    def rollback(self) -> None:
        """End the transaction as if it had never begun."""

    def rest(self) -> None:
        """Use a moment without work."""

    def announce(self, socket: str) -> None:
        """Note where the process that writes the ledger can be asked."""

    def close(self) -> None:
        """Let go of the ledger."""


def needs_of(commands: Iterable[Command], names: Names) -> Needs:
    """Return what commands name."""
    needs = Needs()
    for command in commands:
        if isinstance(command, Reserve | Redeem | Cancel | Recall) and command.key:
            needs.keys.add(command.key)
        if isinstance(command, Reserve | Preview):
            needs.users.add(command.user_id)
        if isinstance(command, Act | ShowActions):
            needs.actions = True
        if isinstance(command, Redeem | Cancel | Find):
            seq = names.seq(command.decision)
            if seq is not None:
                needs.decisions.add(seq)
        needs.prices = needs.prices or isinstance(command, Publish | ShowPrices)
    return needs


def claims_text(claims: Claims) -> str:
    """Return claims as they are stored: ``0:1198242 7:1``."""
    return " ".join(f"{place}:{amount}" for place, amount in claims)


def read_claims(text: str) -> Claims:
    """Return stored claims.

    >>> read_claims("0:1198242 7:1"), read_claims("")
    (((0, 1198242), (7, 1)), ())
    """
    pairs = (pair.split(":") for pair in text.split())
    return tuple((int(place), int(amount)) for place, amount in pairs)


def decision_of(row: Sequence[Any]) -> Decision:
    """Return a decision from a row of `Decision.columns`."""
    return Decision._make((*row[:9], read_claims(row[9]), *row[10:]))


def decision_row(decision: Decision) -> tuple[Any, ...]:
    """Return a decision as a row of `Decision.columns`."""
    return (*decision[:9], claims_text(decision.claims), *decision[10:])


def limit_of(row: Sequence[Any]) -> LimitState:
    """Return a limit from a row of `pool`, without its place."""
    name, is_count, settles, most, least, price, risk, *sums = row
    reserved, settled, overdraft, variance, moved = sums
    terms = LimitTerms(
        name=name,
        is_count=bool(is_count),
        settles_amount=bool(settles),
        at_most=most,
        at_least=least,
        price=price,
        risk=None if risk is None else RiskMargin(**json.loads(risk)),
    )
    return LimitState(
        terms=terms,
        reserved=reserved,
        settled=settled,
        overdraft=overdraft,
        variance=int(variance),
        moved=moved,
    )


def limit_row(place: int, terms: LimitTerms) -> tuple[Any, ...]:
    """Return an untouched limit as a row of `pool`."""
    risk = None if terms.risk is None else json.dumps(asdict(terms.risk))
    stated = (terms.name, int(terms.is_count), int(terms.settles_amount))
    return (place, *stated, terms.at_most, terms.at_least, terms.price, risk, 0, 0, 0, "0", None)


def sums_row(limit: LimitState) -> tuple[int | str | None, ...]:
    """Return the sums of a limit, as the end of a row of `pool`."""
    return (limit.reserved, limit.settled, limit.overdraft, str(limit.variance), limit.moved)


def first_rows(terms: Terms, secret: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """Return what a new ledger's tables hold, by their names."""
    return {
        "meta": [("run", terms.run), ("secret", secret.hex())],
        "head": [(1, 0, 0, START)],
        "pool": [limit_row(place, limit) for place, limit in enumerate(terms.limits)],
    }


def refuse_other_run(where: str, terms: Terms, *, run: str, limits: Sequence[LimitTerms]) -> None:
    """Refuse a ledger that was opened for another run.

    Raises
    ------
    DataError
        When it was.
    """
    if run != terms.run or tuple(limits) != terms.limits:
        what = say("is the ledger of another run, with the digest {run}", run=run[:16])
        remedy = "name that run, or another ledger with --ledger"
        raise DataError(Fault(where, what, say("the digest {run}", run=terms.run[:16]), remedy))
