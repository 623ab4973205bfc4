"""The chain of hashes through a ledger's entries: a row that is changed later breaks it.

An entry's hash is the SHA-256 of the one before and of the entry as JSON, with all that was known
of its decision, so that any program can follow the chain.
"""

from __future__ import annotations

import hashlib
import json
from json.encoder import encode_basestring_ascii
from typing import Final

from incentive_engine.live.ledger.records import Action, Decision

START: Final = bytes(32)
"""The hash before the first entry."""

_encode = json.JSONEncoder(separators=(",", ":")).encode


def link(before: bytes, *, seq: int, at: int, name: str, decision: Decision) -> bytes:
    """Return an entry's hash.

    Parameters
    ----------
    before
        The hash of the entry before.
    name
        The public id of the decision.
    decision
        As the entry leaves it.
    """
    d, text = decision, _text
    # JSON put together by hand takes a third of the encoder's time; a test holds it to that one
    claims = ",".join([f"[{place},{amount}]" for place, amount in d.claims])
    row = (
        f"[{seq},{at},{text(name)},{text(d.user_id)},{text(d.offer_id)},{text(d.reason)},"
        f"{text(d.state)},{text(d.scene)},{d.cost},{d.face},{_number(d.amount)},"
        f"{_number(d.expires_at)},{d.prices_version},{d.propensity!r},[{claims}]]"
    )
    return hashlib.sha256(before + row.encode()).digest()


def _text(text: str | None) -> str:
    return "null" if text is None else encode_basestring_ascii(text)


def _number(number: int | None) -> str:
    return "null" if number is None else str(number)


def link_action(before: bytes, action: Action) -> bytes:
    """Return an action's hash; actions have a chain of their own, which names entries."""
    return hashlib.sha256(before + _encode(tuple(action)[:-1]).encode()).digest()
