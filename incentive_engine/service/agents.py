"""Tools for service agents over the Model Context Protocol: what a customer may get, and why.

The tools call the service itself, in this process or at a URL, so that they know no rule of their
own and can do no more than the service lets them: nothing here settles money or changes a price.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from uuid import uuid4

from incentive_engine.config.access.http_url import refuse_other_url
from incentive_engine.domain import MICROS
from incentive_engine.errors import Fault, SetupError
from incentive_engine.language import Code, Message, say
from incentive_engine.pipeline.steps import Progress, quiet
from incentive_engine.run.finished import read_run

try:
    import httpx2
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError

    from incentive_engine.live.ledger.ledger import ledger_of
    from incentive_engine.live.opening import open_campaign
    from incentive_engine.live.writing.process import WriterProcess
    from incentive_engine.service.api.routes import application
    from incentive_engine.service.app import Service
    from incentive_engine.service.gate import Gate, Limits
    from incentive_engine.service.log import Log
    from incentive_engine.service.metrics import Metrics
    from incentive_engine.service.pace import obeying
    from incentive_engine.service.watched_findings import WatchedFindings
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] not in {"mcp", "httpx2", "starlette", "msgspec"}:
        raise
    missing = Fault(
        error.name or "", "is not installed", remedy="pip install 'incentive-engine[mcp]'"
    )
    raise SetupError(missing) from error

Role = Literal["read", "reserve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """How agents reach the pool.

    Attributes
    ----------
    ledger
        A file or a URL; None: beside the run. Not used with `server`.
    server
        A running service to call in place of one of our own, such as ``http://127.0.0.1:8080``.
    key
        The service's key for it; None where it needs none.
    role
        `read` looks up, `reserve` also reserves and takes back.
    hold
        Seconds for which an offer stays reserved; None: until it cannot be redeemed any more.
    """

    run_dir: Path
    ledger: str | None = None
    server: str | None = None
    key: str | None = None
    role: Role = "reserve"
    lang: Code = "en"
    hold: float | None = 900.0


class Desk:
    """What an agent can ask, in words that the agent can say.

    Parameters
    ----------
    client
        Calls the service.
    currency
        What amounts are called.
    lang
        Of the words.
    """

    def __init__(self, client: httpx2.AsyncClient, *, currency: str, lang: Code) -> None:
        self._client, self._currency, self._lang = client, currency, lang

    async def look_up(self, user_id: str) -> dict[str, Any]:
        """Return what a customer may get and why; nothing is reserved."""
        body = await self._call("GET", f"/v1/users/{quote(user_id, safe='')}")
        own = body.get("decision")
        if own is not None and own["offer_id"] is not None:
            state = say(f"state.{own['state']}")
            words = self._offer("agent.has", own, state=state)
            return self._told(body, words, decision_id=own["decision_id"], state=own["state"])
        if body["offer_id"] is None:
            return self._told(body, say(f"agent.{body['reason']}"))
        return self._told(body, self._offer("agent.offered", body))

    async def reserve(self, user_id: str, request_id: str, scene: str) -> dict[str, Any]:
        """Reserve what a customer may get; the same request id reserves once."""
        body = await self._call(
            "POST",
            "/v1/decisions",
            content={"user_id": user_id, "scene": scene},
            key=hashlib.sha256(f"{user_id}\0{request_id}".encode()).hexdigest(),
        )
        if body["offer_id"] is None:
            return self._told(body, say(f"agent.{body['reason']}"))
        until = body["expires_at"]
        words = say("agent.reserved_open", offer=body["offer_id"])
        if until is not None:
            minute = until[:16].replace("T", " ")
            words = say("agent.reserved", offer=body["offer_id"], until=f"{minute} UTC")
        return self._told(body, words, decision_id=body["decision_id"], state=body["state"])

    async def cancel(self, decision_id: str) -> dict[str, Any]:
        """Take a reservation back."""
        path = f"/v1/decisions/{quote(decision_id, safe='')}/cancel"
        body = await self._call("POST", path, content={})
        words = say("agent.cancelled")
        return self._told(body, words, decision_id=body["decision_id"], state=body["state"])

    def _offer(self, key: str, body: dict[str, Any], **more: Message) -> Message:
        face = float(Decimal(body["face_micros"]) / MICROS)
        return say(key, offer=body["offer_id"], face=face, currency=self._currency, **more)

    def _told(self, body: dict[str, Any], words: Message, **more: str) -> dict[str, Any]:
        """Return the answer of a tool: of this customer alone, and without what offers cost us."""
        return {
            "user_id": str(body["user_id"]),
            "offer_id": body["offer_id"],
            "reason": body["reason"],
            **more,
            "words": words.text(self._lang),
        }

    async def _call(
        self, method: str, path: str, *, content: dict[str, Any] | None = None, key: str = ""
    ) -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        try:
            answer = await self._client.request(method, path, json=content, headers=headers)
        except httpx2.HTTPError as error:
            what = f"the service cannot be reached: {type(error).__name__}; ask again later"
            raise ToolError(what) from error
        body: dict[str, Any] = answer.json()
        if answer.status_code != 200:
            raise ToolError(body.get("detail") or f"the service answered {answer.status_code}")
        return body


def tools(desk: Desk, *, role: Role) -> MCPServer:
    """Return the tools that a role may use."""
    instructions = (
        "Look up what a customer may get before you promise anything, and reserve an offer only "
        "when the customer wants it. Say the text of `words`; name no figures but those in it."
    )
    server = MCPServer("incentive-engine", instructions=instructions, log_level="ERROR")

    @server.tool()
    async def offers_for_user(user_id: str) -> dict[str, Any]:
        """Look up what one customer may get and why. Reserves nothing."""
        return await desk.look_up(user_id)

    if role == "read":
        return server

    @server.tool()
    async def reserve_offer(
        user_id: str, request_id: str = "", scene: str = "agent"
    ) -> dict[str, Any]:
        """Reserve the offer that one customer may get.

        Take a new request_id for each wish of a customer, and the same one when you try again:
        it then reserves once. Without one, each call is a wish of its own.
        """
        return await desk.reserve(user_id, request_id or uuid4().hex, scene)

    @server.tool()
    async def cancel_offer(decision_id: str) -> dict[str, Any]:
        """Take back a reservation of reserve_offer that the customer does not want."""
        return await desk.cancel(decision_id)

    return server


def serve_agents(options: AgentOptions, *, progress: Progress = quiet) -> None:
    """Serve the tools over standard input and output until it ends.

    Parameters
    ----------
    progress
        Is told how far a ledger of before is brought up to date.

    Raises
    ------
    IncentiveError
        When the run does not verify, its ledger cannot be opened, or the service has no URL.
    """
    if options.server is not None:
        refuse_other_url(options.server, where="--server")
    asyncio.run(_serve(options, progress))


async def _serve(options: AgentOptions, progress: Progress) -> None:
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # its lines name users
    currency = read_run(options.run_dir).policy.currency
    async with _client_of(options, progress) as client:
        desk = Desk(client, currency=currency, lang=options.lang)
        await tools(desk, role=options.role).run_stdio_async()


@asynccontextmanager
async def _client_of(
    options: AgentOptions, progress: Progress
) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of the service that the options name, or of one in this process."""
    # how long a call of the service may take
    seconds = 10.0
    if options.server is not None:
        headers = {} if options.key is None else {"Authorization": f"Bearer {options.key}"}
        async with httpx2.AsyncClient(
            base_url=options.server, headers=headers, timeout=seconds
        ) as client:
            yield client
        return
    campaign = open_campaign(options.run_dir)
    metrics = Metrics()
    place = options.ledger or ledger_of(options.run_dir)
    service = Service(
        campaign=campaign,
        writer=WriterProcess(place, campaign.terms, on_commit=metrics.commit, progress=progress),
        watched=WatchedFindings(campaign, place).now,
        gate=Gate(keys=None, limits=Limits(rate=None)),
        hold=None if options.hold is None else round(options.hold * MICROS),
        metrics=metrics,
        log=Log(requests=False),
    )
    await service.writer.start()
    beside = await obeying(service)
    try:
        transport = httpx2.ASGITransport(app=application(service))
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://service", timeout=seconds
        ) as client:
            yield client
    finally:
        beside.cancel()
        await service.writer.stop()
