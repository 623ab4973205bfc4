"""The ledger's rules: commands in order, on what was read for them, at one moment.

Nothing here knows a clock, a thread, a database or chance: the same commands on the same book give
the same answers and the same rows. A store reads the book before, and writes what changed after,
in one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from incentive_engine.live.ledger.chain import START, link, link_action
from incentive_engine.live.ledger.commands import (
    Act,
    Actions,
    Answer,
    Cancel,
    Command,
    Decided,
    Find,
    Pool,
    Preview,
    Previewed,
    Publish,
    Published,
    Recall,
    Redeem,
    Refused,
    Reserve,
    ShowActions,
    ShowPool,
    ShowPrices,
    standing,
)
from incentive_engine.live.ledger.records import (
    POOL_EMPTY,
    Action,
    Claims,
    Decision,
    Entry,
    Head,
    LimitState,
    Names,
    Request,
    State,
)


@dataclass(slots=True, kw_only=True)
class Book:
    """What a batch of commands needs to know, and what it changed.

    Attributes
    ----------
    pool
        Every limit.
    decisions
        By number: those that the commands name, that are due, that the users have, and that
        answered a key before.
    live
        User to the number of the decision that he has.
    requests, answers
        Key to what it was used for; the entries that answered, by number.
    due
        Numbers of reservations that may have run out.
    prices
        The newest ones, where a command asks for them; None where there are none.
    opened, entries, changed, keyed, touched, published
        What is new: decisions, entries, numbers of older decisions that changed, keys, places of
        limits whose sums changed, prices.
    actions, acted
        What was answered to findings, where a command asks for it, and what is new of that.
    """

    names: Names
    head: Head
    pool: list[LimitState]
    decisions: dict[int, Decision] = field(default_factory=dict)
    live: dict[str, int] = field(default_factory=dict)
    requests: dict[bytes, Request] = field(default_factory=dict)
    answers: dict[int, Entry] = field(default_factory=dict)
    due: list[int] = field(default_factory=list)
    prices: Published | None = None
    opened: list[int] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    changed: set[int] = field(default_factory=set)
    keyed: dict[bytes, Request] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    published: list[Published] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    acted: list[Action] = field(default_factory=list)

    def add(self, decision: Decision) -> None:
        """Take a decision that a store has read."""
        self.decisions[decision.seq] = decision
        if decision.is_live:
            self.live[decision.user_id] = decision.seq

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.entries or self.keyed or self.published or self.acted)


def apply(book: Book, commands: Sequence[Command], now: int) -> list[Answer]:
    """Return the answer of each command; what has run out by then is expired first.

    Parameters
    ----------
    now
        Microseconds since 1970; a moment before the book's latest counts as that one, since time
        never runs backwards in a ledger.
    """
    book.head.at = max(now, book.head.at)
    # first, so that what has run out makes room for this batch
    for seq in book.due:
        _expire_if_due(book, book.decisions[seq])
    return [_apply(book, command) for command in commands]


def _apply(book: Book, command: Command) -> Answer:
    match command:
        case Reserve():
            return _reserve(book, command)
        case Redeem():
            return _redeem(book, command)
        case Cancel():
            return _cancel(book, command)
        case Publish():
            return _publish(book, command)
        case Act():
            return _act(book, command)
        case _:
            return _look(book, command)


def _look(
    book: Book, command: Recall | Find | Preview | ShowPool | ShowPrices | ShowActions
) -> Answer:
    """Return what is asked for; nothing changes but what has run out."""
    match command:
        case Recall():
            return _answered(book, command.key, command.digest) or Refused("unknown")
        case Find():
            decision = _named(book, command.decision)
            return Refused("unknown") if decision is None else _decided(book, decision)
        case Preview():
            return _preview(book, command)
        case ShowPool():
            return Pool(tuple(map(standing, book.pool)), book.head.seq)
        case ShowPrices():
            return book.prices or Refused("unknown")
        case ShowActions():
            return Actions(tuple(book.actions[command.known :]))


def _reserve(book: Book, command: Reserve) -> Answer:
    if (before := _answered(book, command.key, command.digest)) is not None:
        return before
    # who has a live offer gets that one again, under the new key as well
    decision = _held(book, command.user_id)
    if decision is None:
        decision = _open(book, command)
    return _remember(book, command.key, command.digest, decision)


def _open(book: Book, command: Reserve) -> Decision:
    """Return a new decision: the offer reserved where it fits, none otherwise."""
    offer, reason, expires = command.offer_id, command.reason, None
    variance = command.cost * max(command.face - command.cost, 0)
    if offer is not None and not _fits(book, command.claims, variance):
        offer, reason = None, POOL_EMPTY
    if offer is not None:
        ends = [] if command.hold is None else [book.head.at + command.hold]
        expires = min([*ends, *([] if command.until is None else [command.until])], default=None)
    seq = book.head.seq + 1
    decision = Decision(
        seq=seq,
        user_id=command.user_id,
        offer_id=offer,
        reason=reason,
        state=State.NONE if offer is None else State.RESERVED,
        scene=command.scene,
        cost=0 if offer is None else command.cost,
        face=0 if offer is None else command.face,
        amount=None,
        claims=() if offer is None else command.claims,
        decided_at=book.head.at,
        expires_at=expires,
        prices_version=command.prices_version,
        propensity=command.propensity,
        last=seq,
    )
    if offer is not None:
        _hold(book, decision, sign=1)
        book.live[decision.user_id] = seq
    book.opened.append(seq)
    return _enter(book, decision)


def _redeem(book: Book, command: Redeem) -> Answer:
    if (before := _answered(book, command.key, command.digest)) is not None:
        return before
    decision = _named(book, command.decision)
    if decision is None:
        return Refused("unknown")
    if decision.state == State.RESERVED:
        if command.amount > decision.face:
            return Refused("above_face", str(decision.face))
        decision = _settle(book, decision, command.amount)
    # redeemed again under another key, it stays as it was redeemed first
    elif decision.state != State.REDEEMED:
        return Refused("closed", decision.state)
    return _remember(book, command.key, command.digest, decision)


def _settle(book: Book, decision: Decision, amount: int) -> Decision:
    _hold(book, decision, sign=-1)
    for place, claim in decision.claims:
        limit = book.pool[place]
        # a budget loses what was paid, a stock its item whatever was paid
        paid = amount if limit.terms.settles_amount else claim
        limit.settled += paid
        # what a redemption cost beyond its reservation; the database's own check lets that much
        # pass
        limit.overdraft += max(paid - claim, 0)
    return _move(book, decision._replace(state=State.REDEEMED, amount=amount))


def _cancel(book: Book, command: Cancel) -> Answer:
    if (before := _answered(book, command.key, command.digest)) is not None:
        return before
    decision = _named(book, command.decision)
    if decision is None:
        return Refused("unknown")
    if decision.state == State.RESERVED:
        decision = _release(book, decision, State.CANCELLED)
    elif decision.state != State.CANCELLED:
        return Refused("closed", decision.state)
    return _remember(book, command.key, command.digest, decision)


def _publish(book: Book, command: Publish) -> Answer:
    """Return the newest prices: the given ones, unless another server was first."""
    newest = book.prices
    if newest is not None and command.version != newest.version + 1:
        return newest
    book.prices = Published(command.version, book.head.at, command.content)
    book.published.append(book.prices)
    return book.prices


def _preview(book: Book, command: Preview) -> Answer:
    decision = _held(book, command.user_id)
    name = None if decision is None else book.names.of(decision.seq)
    variance = command.cost * max(command.face - command.cost, 0)
    return Previewed(name, decision, _fits(book, command.claims, variance))


def _act(book: Book, command: Act) -> Answer:
    """Append an action; caps that it names bind from the next reservation on."""
    # somebody has answered since: who asks must look again
    if len(book.actions) != command.known:
        return Refused("outdated", str(len(book.actions)))
    places = {limit.terms.name: place for place, limit in enumerate(book.pool)}
    caps: dict[str, int] = json.loads(command.change).get("at_most", {})
    if unknown := sorted(caps.keys() - places.keys()):
        return Refused("unknown", unknown[0])
    for name, most in caps.items():
        book.pool[places[name]].moved = most
        book.touched.add(places[name])
    before = book.actions[-1].chain if book.actions else START
    action = Action(
        seq=len(book.actions) + 1,
        at=book.head.at,
        after=book.head.seq,
        key=command.key,
        verb=command.verb,
        name=command.name,
        change=command.change,
        chain=b"",
    )
    action = action._replace(chain=link_action(before, action))
    book.actions.append(action)
    book.acted.append(action)
    return Actions((action,))


def _fits(book: Book, claims: Claims, variance: int) -> bool:
    # an offer that passes one limit takes nothing from the others
    return all(book.pool[place].takes(claim, variance) for place, claim in claims)


def _hold(book: Book, decision: Decision, *, sign: int) -> None:
    """Add a decision to what is open, or take it from there."""
    for place, claim in decision.claims:
        book.touched.add(place)
        limit = book.pool[place]
        limit.reserved += sign * claim
        if limit.terms.risk is not None:
            limit.variance += sign * decision.variance


def _release(book: Book, decision: Decision, state: State) -> Decision:
    _hold(book, decision, sign=-1)
    del book.live[decision.user_id]
    return _move(book, decision._replace(state=state))


def _expire_if_due(book: Book, decision: Decision) -> Decision:
    due = decision.expires_at is not None and decision.expires_at <= book.head.at
    if due and decision.state == State.RESERVED:
        return _release(book, decision, State.EXPIRED)
    return decision


def _move(book: Book, decision: Decision) -> Decision:
    """Note an older decision's new state."""
    decision = decision._replace(last=book.head.seq + 1)
    book.changed.add(decision.seq)
    return _enter(book, decision)


def _enter(book: Book, decision: Decision) -> Decision:
    """Append the entry that leaves a decision as it is given."""
    head, name = book.head, book.names.of(decision.seq)
    head.seq += 1
    head.chain = link(head.chain, seq=head.seq, at=head.at, name=name, decision=decision)
    entry = Entry(head.seq, head.at, decision.seq, decision.state, decision.amount, head.chain)
    book.entries.append(entry)
    book.answers[entry.seq] = entry
    book.decisions[decision.seq] = decision
    return decision


def _named(book: Book, name: str) -> Decision | None:
    seq = book.names.seq(name)
    decision = None if seq is None else book.decisions.get(seq)
    return None if decision is None else _expire_if_due(book, decision)


def _held(book: Book, user_id: str) -> Decision | None:
    """Return the decision that a user has, once it is seen whether it ran out."""
    seq = book.live.get(user_id)
    if seq is None:
        return None
    decision = _expire_if_due(book, book.decisions[seq])
    return decision if decision.is_live else None


def _answered(book: Book, key: bytes, digest: bytes) -> Answer | None:
    """Return the answer that a key has got before, byte for byte; None for a new key."""
    request = book.requests.get(key) if key else None
    if request is None:
        return None
    if request.digest != digest:
        return Refused("key_reused")
    entry = book.answers[request.entry]
    decision = book.decisions[entry.decision]
    then = decision._replace(state=entry.state, amount=entry.amount, last=entry.seq)
    return _decided(book, then)


def _remember(book: Book, key: bytes, digest: bytes, decision: Decision) -> Answer:
    if key:
        request = Request(digest, decision.last)
        book.requests[key] = book.keyed[key] = request
        # the same key may come again in this batch, for an entry that was not read with it
        shown = Entry(decision.last, 0, decision.seq, decision.state, decision.amount, b"")
        book.answers.setdefault(decision.last, shown)
    return _decided(book, decision)


def _decided(book: Book, decision: Decision) -> Answer:
    return Decided(book.names.of(decision.seq), decision)
