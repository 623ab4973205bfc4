"""Replies of the service, and what they are made from."""

from __future__ import annotations

import hashlib

import msgspec
from starlette.responses import Response

from incentive_engine.errors import DataError
from incentive_engine.live.amounts import decimal_text
from incentive_engine.live.ledger.commands import Refused
from incentive_engine.service.api import bodies
from incentive_engine.service.api.problems import ProblemError, problem


def hash_of(kind: str, parts: object = None) -> bytes:
    """Return the hash under which a key, or what was asked, is remembered."""
    content = kind.encode("utf-8", "surrogateescape")
    if parts is not None:
        content += b"\0" + msgspec.json.encode(parts)
    return hashlib.blake2b(content, digest_size=16).digest()


def not_scored(error: DataError) -> ProblemError:
    """Return the problem that tells why a model cannot score a user."""
    fault = error.faults[0]
    where, remedy = str(fault.where), str(fault.remedy) or "send what the model learned from"
    if where.partition(":")[0] not in {"features", "events", "moment"}:
        where = f"features: {where}"
    return problem(422, f"body: {where}", str(fault.what), str(fault.expected), remedy)


def user_text(user_id: str | int) -> str:
    """Return a user's id as text.

    Raises
    ------
    ProblemError
        When it is no text that can be written down.
    """
    text = str(user_id)
    if not text or "\0" in text or len(text) > 256:
        what = "is empty, too long, or holds a zero byte"
        raise problem(422, "user_id", what, "1 to 256 characters", "send the id of the run")
    return text


def refusal_of(answer: Refused, where: str) -> ProblemError:
    """Return the problem that tells why the ledger did nothing."""
    if answer.why == "key_reused":
        remedy = "take a new key for another request"
        what = "was used before with another body"
        return problem(422, "Idempotency-Key", what, "the body of then", remedy)
    if answer.why == "unknown":
        remedy = "name one that this ledger has answered"
        return problem(404, where, "there is no such decision", "", remedy)
    if answer.why == "above_face":
        most = decimal_text(int(answer.detail))
        return problem(
            422, "body: amount", "is above the face value", f"at most {most}", "mend it"
        )
    remedies = {
        "none": "there is no offer to redeem or to cancel",
        "expired": "decide again: the reservation has run out",
        "cancelled": "decide again: the reservation was returned",
        "redeemed": "it is settled, and stays so",
    }
    what = f"its state is `{answer.detail}`"
    return problem(409, where, what, "`reserved`", remedies.get(answer.detail, ""))


class JsonReply(Response):
    """A body of JSON with the two headers that it needs."""

    def __init__(self, content: bytes) -> None:
        self.body = content
        self.status_code, self.background = 200, None
        size = str(len(content)).encode()
        self.raw_headers = [(b"content-type", b"application/json"), (b"content-length", size)]


def json_reply(body: msgspec.Struct) -> Response:
    """Return a body as JSON."""
    return JsonReply(bodies.encode(body))
