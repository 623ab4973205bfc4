"""The chain of hashes through a ledger's entries: a row that is changed later breaks it.

An entry's hash is the SHA-256 of the one before and of the entry as JSON, with all that was known
of its decision, so that any program can follow the chain.
"""

from __future__ import annotations

import hashlib
import json
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
    row = (
        seq,
        at,
        name,
        decision.user_id,
        decision.offer_id,
        decision.reason,
        decision.state,
        decision.scene,
        decision.cost,
        decision.face,
        decision.amount,
        decision.expires_at,
        decision.prices_version,
        decision.propensity,
        decision.claims,
    )
    return hashlib.sha256(before + _encode(row).encode()).digest()


def link_action(before: bytes, action: Action) -> bytes:
    """Return an action's hash; actions have a chain of their own, which names entries."""
    return hashlib.sha256(before + _encode(tuple(action)[:-1]).encode()).digest()
