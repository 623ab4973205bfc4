"""The OpenAPI page, made from the types that the service reads and writes."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec

from incentive_engine.service.api import bodies
from incentive_engine.service.api.problems import ProblemDetails


def page() -> bytes:
    """Return the page as JSON."""
    types = (
        bodies.DecisionRequest,
        bodies.RedeemRequest,
        bodies.DecisionBody,
        bodies.UserBody,
        bodies.PoolBody,
        bodies.FindingsBody,
        bodies.HealthBody,
        ProblemDetails,
    )
    schemas = msgspec.json.schema_components(types, ref_template=_reference("{name}")["$ref"])[1]
    schemas["RedeemRequest"]["properties"]["amount"] = {
        "oneOf": [{"type": "string", "pattern": r"^\d{1,12}(\.\d{1,6})?$"}, {"type": "integer"}],
        "description": "Decimal text in currency units, or an integer of millionths.",
    }
    content = {
        "openapi": "3.1.0",
        "info": {
            "title": "Incentive engine: live decisions",
            "version": version("incentive-engine"),
        },
        "security": [{}, {"key": []}],
        "paths": _paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.encode(content)


def _paths() -> dict[str, Any]:
    """Return every call: those of decisions, what may be looked at, and how the service is."""
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "The same key with the same body gives the same answer.",
    }
    return {**_decisions(key), **_looks()}


def _example(state: str, amount_micros: int | None = None) -> dict[str, Any]:
    """Return one decision, as it stands in a state."""
    return {
        "decision_id": "d1a-4f0c27b1a9d2e835",
        "user_id": "U0000004",
        "offer_id": "off50",
        "reason": "offered",
        "state": state,
        "scene": "cart",
        "cost_micros": 1198242,
        "face_micros": 50000000,
        "decided_at": "2026-11-11T00:00:00.000000Z",
        "expires_at": "2026-11-11T00:15:00.000000Z",
        "prices_version": 0,
        "amount_micros": amount_micros,
    }


def _decisions(key: dict[str, Any]) -> dict[str, Any]:
    return {
        "/v1/decisions": {
            "post": _call(
                "decide",
                "Decide for one user; an offer is reserved before the answer leaves.",
                answer="DecisionBody",
                example=_example("reserved"),
                body=("DecisionRequest", {"user_id": "U0000004", "scene": "cart"}),
                parameters=[{**key, "required": True}],
                errors=(400, 404, 409, 413, 422),
            )
        },
        "/v1/decisions/{decision_id}/redeem": {
            "post": _call(
                "redeem",
                "Settle what was redeemed of a reserved offer.",
                answer="DecisionBody",
                example=_example("redeemed", 37500000),
                body=("RedeemRequest", {"amount": "37.50"}),
                parameters=[_path("decision_id"), key],
                errors=(400, 404, 409, 413, 422),
            )
        },
        "/v1/decisions/{decision_id}/cancel": {
            "post": _call(
                "cancel",
                "Return a reservation to the pool.",
                answer="DecisionBody",
                example=_example("cancelled"),
                parameters=[_path("decision_id"), key],
                errors=(404, 409, 422),
            )
        },
        "/v1/decisions/{decision_id}": {
            "get": _call(
                "getDecision",
                "One decision as it stands.",
                answer="DecisionBody",
                example=_example("reserved"),
                parameters=[_path("decision_id")],
                errors=(404,),
            )
        },
    }


def _looks() -> dict[str, Any]:
    return {
        "/v1/users/{user_id}": {
            "get": _call(
                "getUser",
                "What a user may get now and why; nothing is reserved.",
                answer="UserBody",
                parameters=[_path("user_id")],
                errors=(404,),
            )
        },
        "/v1/pool": {"get": _call("getPool", "Every enforced limit.", answer="PoolBody")},
        "/v1/findings": {
            "get": _call("getFindings", "What should be looked at.", answer="FindingsBody")
        },
        "/healthz": {"get": _call("health", "Whether it runs.", answer="HealthBody")},
        "/readyz": {
            "get": _call("ready", "Whether it can decide.", answer="HealthBody", errors=(503,))
        },
        "/metrics": {"get": _plain("metrics", "Counters for Prometheus.", "text/plain")},
        "/openapi.json": {"get": _plain("openapi", "This page.", "application/json")},
    }


def _call(
    name: str,
    summary: str,
    *,
    answer: str,
    example: dict[str, Any] | None = None,
    body: tuple[str, dict[str, Any]] | None = None,
    parameters: list[dict[str, Any]] | None = None,
    errors: tuple[int, ...] = (),
) -> dict[str, Any]:
    call: dict[str, Any] = {"operationId": name, "summary": summary}
    if parameters:
        call["parameters"] = parameters
    if body is not None:
        content = {"schema": _reference(body[0]), "example": body[1]}
        call["requestBody"] = {"required": True, "content": {"application/json": content}}
    shown: dict[str, Any] = {"schema": _reference(answer)}
    if example is not None:
        shown["example"] = example
    problem = {ProblemDetails.MEDIA_TYPE: {"schema": _reference("ProblemDetails")}}
    call["responses"] = {
        "200": {"description": "Done", "content": {"application/json": shown}},
        **{
            str(status): {"description": ProblemDetails.TITLES[status], "content": problem}
            for status in sorted({*errors, 401, 403, 429, 503})
        },
    }
    return call


def _plain(name: str, summary: str, kind: str) -> dict[str, Any]:
    done = {"200": {"description": "Done", "content": {kind: {}}}}
    return {"operationId": name, "summary": summary, "responses": done}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
