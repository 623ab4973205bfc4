"""Errors of the service as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec
from starlette.responses import Response

from incentive_engine.errors import Fault


class ProblemDetails(msgspec.Struct, kw_only=True, frozen=True):
    """What is wrong with a request: where, what, what was expected, what to do."""

    TITLES: ClassVar[Mapping[int, str]] = {
        400: "Bad request",
        401: "Not authenticated",
        403: "Not allowed",
        404: "Not found",
        405: "Method not allowed",
        408: "Too slow",
        409: "Not possible any more",
        413: "Too large",
        422: "Not valid",
        429: "Too many requests",
        500: "Internal error",
        503: "Not available for now",
    }

    MEDIA_TYPE: ClassVar[str] = "application/problem+json"

    type: str
    title: str
    status: int
    detail: str
    where: str
    what: str
    expected: str
    remedy: str


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(
        self, status: int, fault: Fault, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(str(fault))
        self.status = status
        self.fault = fault
        self.headers = headers


def problem(
    status: int, where: str, what: str, expected: str = "", remedy: str = ""
) -> ProblemError:
    """Return an error that ends a request with a problem."""
    headers = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "1"}}
    headers[503] = {"Retry-After": "1"}
    return ProblemError(status, Fault(where, what, expected, remedy), headers=headers.get(status))


def response(error: ProblemError) -> Response:
    """Return the response that tells a problem."""
    fault = error.fault
    content = ProblemDetails(
        type="about:blank",
        title=ProblemDetails.TITLES.get(error.status, "Error"),
        status=error.status,
        detail=str(fault),
        where=str(fault.where),
        what=str(fault.what),
        expected=str(fault.expected),
        remedy=str(fault.remedy),
    )
    return Response(
        msgspec.json.encode(content),
        status_code=error.status,
        media_type=ProblemDetails.MEDIA_TYPE,
        headers=error.headers,
    )
