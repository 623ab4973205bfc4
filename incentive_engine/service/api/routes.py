"""The application: every path with what answers it, counted and logged."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incentive_engine.service.api.problems import ProblemError, problem, response
from incentive_engine.service.app import Service

Endpoint = Callable[[Request], Awaitable[Response]]


def application(service: Service) -> ASGIApp:
    """Return the service as an ASGI application."""

    def route(path: str, method: str, endpoint: Endpoint) -> Route:
        return Route(path, endpoint, methods=[method])

    app = Starlette(
        routes=[
            route("/v1/decisions", "POST", service.decide),
            route("/v1/decisions/{decision_id}/redeem", "POST", service.redeem),
            route("/v1/decisions/{decision_id}/cancel", "POST", service.cancel),
            route("/v1/decisions/{decision_id}", "GET", service.find),
            route("/v1/users/{user_id:path}", "GET", service.user),
            route("/v1/pool", "GET", service.pool),
            route("/v1/findings", "GET", service.findings),
            route("/healthz", "GET", service.health),
            route("/readyz", "GET", service.ready),
            route("/metrics", "GET", service.show_metrics),
            route("/openapi.json", "GET", service.show_page),
        ],
        exception_handlers={
            ProblemError: _tell,
            HTTPException: _tell_http,
            Exception: _tell_defect,
        },
    )
    return CountedCalls(app, service)


async def _tell(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return response(error)


async def _tell_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        what = f"cannot be called with {request.method}"
        return response(problem(405, "path", what, "", "see /openapi.json"))
    what = "there is no such call"
    return response(problem(error.status_code, "path", what, "", "see /openapi.json"))


async def _tell_defect(_: Request, error: Exception) -> Response:
    what = f"a defect of the service: {type(error).__name__}"
    return response(problem(500, "service", what, "", "report it, with the server's log"))


class CountedCalls:
    """Counts and logs what an application answers; neither says who the user is.

    Decisions, which are nearly all that is asked for, pass by the router and its layers, which
    would take a third of the time.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def _decide(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            answer = await self._service.decide(request)
        except ProblemError as error:
            answer = await _tell(request, error)
        except Exception as error:
            await (await _tell_defect(request, error))(scope, receive, send)
            raise
        await answer(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        path = "/v1/decisions"
        try:
            if scope["path"] == path and scope["method"] == "POST":
                await self._decide(scope, receive, watched)
            else:
                await self._app(scope, receive, watched)
                route = scope.get("route")
                path = route.path if isinstance(route, Route) else "other"
        finally:
            seconds = time.perf_counter() - started
            self._service.metrics.requests[path, status] += 1
            self._service.metrics.latency.add(seconds)
            self._service.log.request(path, scope["method"], status, seconds)
