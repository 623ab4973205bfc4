"""Who may pass: keys, roles, rates, and how much a body may hold."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect, Request

from incentive_engine.config.access.keys import Keys, Role
from incentive_engine.service.api.problems import problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may take.

    Attributes
    ----------
    body_bytes
        Of a body, at most.
    body_seconds
        For a body to arrive.
    rate
        Requests per second of one caller; None: any number.
    """

    body_bytes: int = 16_384
    body_seconds: float = 5.0
    rate: float | None = None


@dataclass(slots=True)
class Bucket:
    """What a caller has left: filled by the rate, at most one second's worth."""

    tokens: float
    at: float

    def take(self, rate: float, now: float) -> bool:
        """Whether one more request is within the rate."""
        self.tokens = min(max(rate, 1.0), self.tokens + (now - self.at) * rate)
        self.at = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


@dataclass(kw_only=True)
class Gate:
    """Lets requests pass, or ends them with a problem."""

    keys: Keys | None
    limits: Limits
    asked: dict[str, int] = field(default_factory=dict)
    """Key to how often it asked for decisions, those that came too often included."""
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def admit(self, request: Request, *roles: Role) -> None:
        """Refuse a caller without one of the roles, or one who calls too often.

        Raises
        ------
        ProblemError
            401, 403 or 429.
        """
        caller, rate = request.client.host if request.client else "", self.limits.rate
        if self.keys is not None:
            scheme, _, secret = request.headers.get("authorization", "").partition(" ")
            where, remedy = "Authorization", "send `Authorization: Bearer KEY` with a valid key"
            if scheme.lower() != "bearer" or not secret:
                raise problem(401, where, "is missing", "Bearer KEY", remedy)
            key = self.keys.find(secret.strip())
            if key is None:
                raise problem(401, where, "the key is unknown or revoked", "", remedy)
            if roles and not {*roles, "admin"} & {*key.roles}:
                expected = " or ".join(roles)
                remedy = "use a key with that role"
                raise problem(403, where, f"`{key.name}` may not do this", expected, remedy)
            caller, rate = key.name, key.rate or rate
            if roles == ("decide",):
                self.asked[caller] = self.asked.get(caller, 0) + 1
        if rate is not None:
            self._slow_down(caller, rate)

    def _slow_down(self, caller: str, rate: float) -> None:
        now = time.monotonic()
        # callers whose rates are known; more, and all begin anew
        callers = 10_000
        if len(self._buckets) > callers:
            self._buckets.clear()
        bucket = self._buckets.setdefault(caller, Bucket(max(rate, 1.0), now))
        if not bucket.take(rate, now):
            expected = f"at most {rate:g} requests a second"
            raise problem(429, "requests", "are too many", expected, "wait a second")

    async def body(self, request: Request, *, most: int | None = None) -> bytes:
        """Return a request's body.

        Parameters
        ----------
        most
            Bytes that it may have; left out, the limit of all requests.

        Raises
        ------
        ProblemError
            413 when it is too large, 408 when it comes too slowly.
        """
        most = most or self.limits.body_bytes
        remedy = "send less"
        stated = request.headers.get("content-length", "0")
        if stated.isdigit() and int(stated) > most:
            raise problem(413, "body", f"has {stated} bytes", f"at most {most}", remedy)
        content = bytearray()
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                async for chunk in request.stream():
                    content += chunk
                    if len(content) > most:
                        what = f"has more than {most} bytes"
                        raise problem(413, "body", what, f"at most {most}", remedy)
        except TimeoutError:
            what = f"did not come within {self.limits.body_seconds:g} s"
            raise problem(408, "body", what, "", "send it at once") from None
        except ClientDisconnect:
            raise problem(400, "body", "ended too early", "", "send it again") from None
        return bytes(content)


def idempotency_key(request: Request, *, is_needed: bool) -> str:
    """Return the request's idempotency key, empty where there is none.

    Raises
    ------
    ProblemError
        400 when one is needed and missing, or it is none.
    """
    key = request.headers.get("idempotency-key", "")
    where = "Idempotency-Key"
    key_length = 255
    if not key and is_needed:
        remedy = "send one of your own for each decision, and the same one when you ask again"
        raise problem(400, where, "is missing", f"1 to {key_length} characters", remedy)
    if len(key) > key_length:
        expected = f"at most {key_length} characters"
        raise problem(400, where, f"has {len(key)} characters", expected, "use a UUID")
    return key
