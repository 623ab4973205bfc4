"""The calls of the service: each reads a request, asks the ledger once, and writes the answer."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incentive_engine.domain import Reason
from incentive_engine.errors import DataError
from incentive_engine.live.amounts import decimal_text, parse_micros
from incentive_engine.live.campaign import Choice, LiveCampaign
from incentive_engine.live.ledger.clock import wall_micros
from incentive_engine.live.ledger.commands import (
    Answer,
    Cancel,
    Command,
    Decided,
    Find,
    Pool,
    Preview,
    Previewed,
    Recall,
    Redeem,
    Refused,
    Reserve,
    ShowPool,
)
from incentive_engine.live.ledger.records import POOL_EMPTY, Decision
from incentive_engine.live.repricing import Repricer
from incentive_engine.live.writing.process import WriterProcess
from incentive_engine.service import bodies, openapi
from incentive_engine.service.findings import WatchedFindings
from incentive_engine.service.gate import Gate, idempotency_key
from incentive_engine.service.log import Log
from incentive_engine.service.metrics import Metrics
from incentive_engine.service.problems import ProblemError, problem, response

JSON: Final = "application/json"
DECISIONS: Final = "/v1/decisions"


@dataclass(kw_only=True)
class Service:
    """All that the calls share.

    Attributes
    ----------
    hold
        Microseconds for which an offer stays reserved; None: until it cannot be redeemed any more.
    repricer
        Solves prices anew while it is served; None: the plan's prices stay.
    foresight
        Share of perfect foresight that had been reached when prices were solved last; None before.
    """

    campaign: LiveCampaign
    writer: WriterProcess
    watch: WatchedFindings
    gate: Gate
    hold: int | None
    repricer: Repricer | None = None
    foresight: float | None = None
    metrics: Metrics
    log: Log
    page: bytes = field(default_factory=openapi.page)

    async def decide(self, request: Request) -> Response:
        """Decide for one user, and reserve the offer before answering."""
        self.gate.admit(request, "decide")
        key = idempotency_key(request, is_needed=True)
        content = await self.gate.body(request, most=self._most_bytes())
        asked = bodies.read_decision_request(content)
        user = user_text(asked.user_id)
        parts: list[object] = [user, asked.scene]
        if asked.features is not None:
            parts.append(sorted(asked.features.items()))
        if asked.events is not None or asked.moment is not None:
            parts.append([asked.events, asked.moment])
        hashed, digest = hash_of(key), hash_of("decide", parts)
        choice = self.campaign.choose(user)
        is_described = asked.features is not None or asked.events is not None
        if choice is None and is_described and self.campaign.newcomers is not None:
            choice = await self._newcomer(user, asked)
        now = wall_micros()
        refused = self._refusal(now)
        if choice is None or refused is not None:
            unknown = self._unknown_user()
            return await self._repeat_or(Recall(hashed, digest), refused or unknown)
        choice, until = self._within_dates(choice, now)
        answer = await self._ask(
            Reserve(
                key=hashed,
                digest=digest,
                user_id=user,
                offer_id=choice.offer_id,
                reason=choice.reason,
                scene=asked.scene,
                cost=choice.cost,
                face=choice.face,
                claims=choice.claims,
                hold=self.hold,
                until=until,
                prices_version=self.campaign.prices.version,
                propensity=choice.propensity,
            )
        )
        if isinstance(answer, Decided):
            self.metrics.decisions[answer.decision.reason] += 1
        return self._decision(answer, "Idempotency-Key")

    def _most_bytes(self) -> int | None:
        """Return how long the body of a decision may be; None for the limit of all bodies."""
        newcomers = self.campaign.newcomers
        # bytes of a body with events, where a model learned from history
        event_bytes = 16 << 20
        return event_bytes if newcomers is not None and newcomers.learned_from_history else None

    async def _newcomer(self, user: str, asked: bodies.DecisionRequest) -> Choice:
        """Return what a user gets by his features, and by what he did."""
        from incentive_engine.features.one_user import UserEvents  # loads numba

        events = None
        try:
            moment = self._moment(asked)
            if asked.events is not None:
                events = UserEvents(**msgspec.structs.asdict(asked.events))
            choose = partial(
                self.campaign.choose_newcomer,
                user,
                asked.features or {},
                events=events,
                moment=moment,
            )
            # a thread takes longer than the model, but many events take longer than a thread
            # events from which on a thread makes the features of them
            many_events = 1_000
            is_long = events is not None and len(events.time) > many_events
            return await asyncio.to_thread(choose) if is_long else choose()
        except DataError as error:
            raise _not_scored(error) from None

    def _moment(self, asked: bodies.DecisionRequest) -> int:
        """Return before which moment events count."""
        now = wall_micros()
        if asked.moment is None:
            return now
        if asked.events is None:
            what = "has no meaning without `events`"
            raise problem(422, "body: moment", what, "", "leave it out, or send what he did")
        from incentive_engine.features.one_user import moment_of  # loads numba

        moment = moment_of(asked.moment)
        if moment > now:
            what = "is in the future: what happens until then is not known"
            raise problem(422, "body: moment", what, "", "leave it out: now is meant")
        return moment

    def _refusal(self, now: int) -> ProblemError | None:
        """Return why nothing can be decided at this time; None where it can."""
        windows = [*self.campaign.windows.values()]
        if (hours := self.campaign.hours) is not None:
            windows = [hours]
        starts = [window.start for window in windows if window.start is not None]
        ends = [window.end for window in windows if window.end is not None]
        if len(starts) == len(windows) and now < min(starts):
            what = "has not begun: no offer can be redeemed yet"
            return problem(409, "campaign", what, "", "ask again when it has")
        if len(ends) == len(windows) and now >= max(ends):
            what = "is over: no offer can be redeemed any more"
            return problem(409, "campaign", what, "", "plan a new one with `incentive allocate`")
        return None

    def _within_dates(self, choice: Choice, now: int) -> tuple[Choice, int | None]:
        """Return the choice, or none where its offer's time is over, and when that ends."""
        if choice.offer_id is None:
            return choice, None
        window = self.campaign.windows[choice.offer_id]
        if window.end is not None and now >= window.end:
            return Choice(None, Reason.INELIGIBLE, 0, 0, (), choice.propensity), None
        return choice, window.end

    async def _repeat_or(self, recall: Recall, refusal: ProblemError) -> Response:
        """Return what the key was answered before, whatever holds now."""
        answer = await self._ask(recall)
        if isinstance(answer, Refused) and answer.why == "unknown":
            raise refusal
        return self._decision(answer, "Idempotency-Key")

    async def redeem(self, request: Request) -> Response:
        """Settle what was redeemed of an offer."""
        self.gate.admit(request, "settle")
        key = idempotency_key(request, is_needed=False)
        asked = bodies.read_redeem_request(await self.gate.body(request))
        try:
            amount = parse_micros(asked.amount)
        except ValueError as error:
            expected = 'decimal text such as "37.50", or an integer of millionths'
            raise problem(422, "body: amount", str(error), expected, "mend it") from None
        name = request.path_params["decision_id"]
        await self._refuse_too_early(name)
        digest = hash_of("redeem", [name, amount])
        answer = await self._ask(Redeem(name, amount, hash_of(key) if key else b"", digest))
        return self._decision(answer, f"decision {name}")

    async def _refuse_too_early(self, name: str) -> None:
        if not any(window.start is not None for window in self.campaign.windows.values()):
            return
        answer = await self._ask(Find(name))
        if isinstance(answer, Decided) and answer.decision.offer_id is not None:
            window = self.campaign.windows.get(answer.decision.offer_id)
            if window is not None and window.start is not None and wall_micros() < window.start:
                what = "its offer cannot be redeemed yet"
                raise problem(409, f"decision {name}", what, "", "redeem it in its time")

    async def cancel(self, request: Request) -> Response:
        """Return a reservation to the pool."""
        self.gate.admit(request, "decide", "settle")
        key = idempotency_key(request, is_needed=False)
        await self.gate.body(request)
        name = request.path_params["decision_id"]
        digest = hash_of("cancel", [name])
        answer = await self._ask(Cancel(name, hash_of(key) if key else b"", digest))
        return self._decision(answer, f"decision {name}")

    async def find(self, request: Request) -> Response:
        """Show one decision."""
        self.gate.admit(request, "read")
        name = request.path_params["decision_id"]
        return self._decision(await self._ask(Find(name)), f"decision {name}")

    async def user(self, request: Request) -> Response:
        """Show what a user may get and why; nothing is reserved."""
        self.gate.admit(request, "read")
        user = user_text(request.path_params["user_id"])
        choice = self.campaign.choose(user)
        if choice is None:
            raise self._unknown_user()
        choice, _ = self._within_dates(choice, wall_micros())
        answer = await self._ask(Preview(user, choice.cost, choice.face, choice.claims))
        assert isinstance(answer, Previewed)
        return _json(self._user_body(user, choice, answer))

    def _user_body(self, user: str, choice: Choice, shown: Previewed) -> bodies.UserBody:
        own = shown.decision
        offer, reason, cost, face = choice.offer_id, choice.reason, choice.cost, choice.face
        if own is not None:
            offer, reason, cost, face = own.offer_id, own.reason, own.cost, own.face
        elif offer is not None and not shown.fits:
            offer, reason, cost, face = None, POOL_EMPTY, 0, 0
        return bodies.UserBody(
            user_id=bodies.user_body(user, is_number=self.campaign.population.is_number),
            offer_id=offer,
            reason=reason,
            cost_micros=cost,
            face_micros=face,
            prices_version=self.campaign.prices.version,
            decision=None if own is None else self._body(shown.name or "", own),
        )

    async def pool(self, request: Request) -> Response:
        """Show every enforced limit."""
        self.gate.admit(request, "read")
        answer = await self._ask(ShowPool())
        assert isinstance(answer, Pool)
        campaign = self.campaign
        budget = campaign.run.policy.budget
        return _json(
            bodies.PoolBody(
                limits=[
                    bodies.limit_body(
                        limit,
                        measure=campaign.measures.get(limit.name) or "ratio",
                        price=campaign.prices.by_limit.get(limit.name, 0.0),
                    )
                    for limit in answer.limits
                ],
                prices_version=campaign.prices.version,
                currency=campaign.run.policy.currency,
                basis=None if budget is None else budget.basis,
                seq=answer.seq,
                foresight=self.foresight,
            )
        )

    async def findings(self, request: Request) -> Response:
        """Show what a planner should know."""
        self.gate.admit(request, "read")
        found = await self.watch.now(restarts=self.writer.restarts, requests=self.gate.asked)
        return _json(bodies.FindingsBody(findings=found))

    async def health(self, request: Request) -> Response:
        """Say that the server runs."""
        del request
        return _json(bodies.HealthBody(status="ok"))

    async def ready(self, request: Request) -> Response:
        """Say whether decisions can be made now."""
        del request
        if not self.writer.client.is_connected:
            raise problem(503, "ledger", "cannot be written for now", "", "ask again")
        return _json(bodies.HealthBody(status="ready"))

    async def show_metrics(self, request: Request) -> Response:
        """Show all counters, for Prometheus."""
        self.gate.admit(request, "read")
        answer = await self.writer.ask(ShowPool())
        client = self.writer.client
        text = self.metrics.text(
            answer if isinstance(answer, Pool) else None,
            lag=client.lag,
            waiting=client.waiting,
            restarts=self.writer.restarts,
        )
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def show_page(self, request: Request) -> Response:
        """Show what the service offers, as OpenAPI."""
        self.gate.admit(request)
        return Response(self.page, media_type=JSON)

    def _unknown_user(self) -> ProblemError:
        remedy = "serve with --model DIR and send `features`, or plan again with this user"
        if self.campaign.newcomers is not None:
            remedy = "send his `features`, as the model learned them"
        what = "the run has no such user"
        return problem(404, "user_id", what, "a user of the run", remedy)

    async def _ask(self, command: Command) -> Answer:
        answer = await self.writer.ask(command)
        if isinstance(answer, Refused) and answer.why == "unavailable":
            remedy = "ask again with the same Idempotency-Key: nothing is done twice"
            raise problem(503, "ledger", answer.detail, "", remedy)
        return answer

    def _decision(self, answer: Answer, where: str) -> Response:
        if isinstance(answer, Refused):
            raise refusal_of(answer, where)
        assert isinstance(answer, Decided)
        return _json(self._body(answer.name, answer.decision))

    def _body(self, name: str, decision: Decision) -> bodies.DecisionBody:
        is_number = self.campaign.population.is_number
        return bodies.decision_body(name, decision, is_number=is_number)


def hash_of(kind: str, parts: object = None) -> bytes:
    """Return the hash under which a key, or what was asked, is remembered."""
    content = kind.encode("utf-8", "surrogateescape")
    if parts is not None:
        content += b"\0" + msgspec.json.encode(parts)
    return hashlib.blake2b(content, digest_size=16).digest()


def _not_scored(error: DataError) -> ProblemError:
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
        self.raw_headers = [(b"content-type", JSON.encode()), (b"content-length", size)]


def _json(body: msgspec.Struct) -> Response:
    return JsonReply(bodies.encode(body))


Endpoint = Callable[[Request], Awaitable[Response]]


def application(service: Service) -> ASGIApp:
    """Return the service as an ASGI application."""

    def route(path: str, method: str, endpoint: Endpoint) -> Route:
        return Route(path, endpoint, methods=[method])

    app = Starlette(
        routes=[
            route(DECISIONS, "POST", service.decide),
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

        path = DECISIONS
        try:
            if scope["path"] == DECISIONS and scope["method"] == "POST":
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
