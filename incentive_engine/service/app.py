"""The calls of the service: each reads a request, asks the ledger once, and writes the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from incentive_engine.domain import Reason
from incentive_engine.errors import DataError
from incentive_engine.live.amounts import parse_micros
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
from incentive_engine.live.newcomers import Newcomers
from incentive_engine.live.writing.process import WriterProcess
from incentive_engine.service.api import bodies, openapi
from incentive_engine.service.api.problems import ProblemError, problem
from incentive_engine.service.api.replies import (
    hash_of,
    json_reply,
    not_scored,
    refusal_of,
    user_text,
)
from incentive_engine.service.gate import Gate, idempotency_key
from incentive_engine.service.log import Log
from incentive_engine.service.metrics import Metrics

if TYPE_CHECKING:
    from incentive_engine.live.repricing import Repricer


@dataclass(kw_only=True)
class Service:
    """All that the calls share.

    Attributes
    ----------
    watched
        What a planner should know, by how often the writer was started again, and each key asked.
    newcomers
        Describes users whom the run does not know; None without a model.
    hold
        Microseconds for which an offer stays reserved; None: until it cannot be redeemed any more.
    repricer
        Solves prices anew while it is served; None: the plan's prices stay.
    foresight
        Share of perfect foresight that had been reached when prices were solved last; None before.
    """

    campaign: LiveCampaign
    writer: WriterProcess
    watched: Callable[[int, Mapping[str, int]], Awaitable[list[bodies.FindingBody]]]
    gate: Gate
    hold: int | None
    newcomers: Newcomers | None = None
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
        if choice is None and is_described and self.newcomers is not None:
            choice = await self._newcomer(self.newcomers, user, asked)
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
        # bytes of a body with events, where a model learned from history
        event_bytes = 16 << 20
        is_history_taken = self.newcomers is not None and self.newcomers.learned_from_history
        return event_bytes if is_history_taken else None

    async def _newcomer(
        self, newcomers: Newcomers, user: str, asked: bodies.DecisionRequest
    ) -> Choice:
        """Return what a user gets by his features, and by what he did."""
        from incentive_engine.features.one_user import UserEvents  # loads numba

        events = None
        try:
            moment = self._moment(asked)
            if asked.events is not None:
                events = UserEvents(**msgspec.structs.asdict(asked.events))
            described = partial(
                newcomers.user, user, asked.features or {}, events=events, moment=moment
            )
            # a thread takes longer than the model, but many events take longer than a thread
            # events from which on a thread makes the features of them
            many_events = 1_000
            is_long = events is not None and len(events.time) > many_events
            newcomer = await asyncio.to_thread(described) if is_long else described()
            return self.campaign.decide(newcomer)
        except DataError as error:
            raise not_scored(error) from None

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
        start, end = self.campaign.open_time
        if start is not None and now < start:
            what = "has not begun: no offer can be redeemed yet"
            return problem(409, "campaign", what, "", "ask again when it has")
        if end is not None and now >= end:
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
        return json_reply(self._user_body(user, choice, answer))

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
        return json_reply(
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
                price_per_cost=campaign.prices.per_cost,
                currency=campaign.run.policy.currency,
                basis=None if budget is None else budget.basis,
                seq=answer.seq,
                foresight=self.foresight,
            )
        )

    async def findings(self, request: Request) -> Response:
        """Show what a planner should know."""
        self.gate.admit(request, "read")
        findings = await self.watched(self.writer.restarts, self.gate.asked)
        return json_reply(bodies.FindingsBody(findings=findings))

    async def health(self, request: Request) -> Response:
        """Say that the server runs."""
        del request
        return json_reply(bodies.HealthBody(status="ok"))

    async def ready(self, request: Request) -> Response:
        """Say whether decisions can be made now."""
        del request
        if not self.writer.client.is_connected:
            raise problem(503, "ledger", "cannot be written for now", "", "ask again")
        return json_reply(bodies.HealthBody(status="ready"))

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
        return Response(self.page, media_type="application/json")

    def _unknown_user(self) -> ProblemError:
        remedy = "serve with --model DIR and send `features`, or plan again with this user"
        if self.newcomers is not None:
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
        return json_reply(self._body(answer.name, answer.decision))

    def _body(self, name: str, decision: Decision) -> bodies.DecisionBody:
        is_number = self.campaign.population.is_number
        return bodies.decision_body(name, decision, is_number=is_number)
