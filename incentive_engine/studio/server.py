"""The studio, opened on a folder until it is asked to stop, and its addresses."""

from __future__ import annotations

import asyncio
import socket
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from incentive_engine.errors import Fault, SetupError
from incentive_engine.language import LANGUAGES, language, say

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, RedirectResponse, Response
    from starlette.routing import Route
    from starlette.types import ASGIApp
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] not in {"uvicorn", "starlette"}:
        raise
    missing = Fault(
        error.name or "",
        say("studio.missing"),
        remedy="pip install 'incentive-engine[studio]'",
    )
    raise SetupError(missing) from error

from incentive_engine.config.access.keys import Keys
from incentive_engine.studio.door import (
    Door,
    Guarded,
    RequestRefused,
    content_of,
    loopback_hosts,
)
from incentive_engine.studio.frame import asset, render
from incentive_engine.studio.pages import policy_page, run_page, task_page
from incentive_engine.studio.pages.campaign_page import CampaignPages
from incentive_engine.studio.pages.moves import Sliders
from incentive_engine.studio.tasks import TaskBook
from incentive_engine.studio.visit import (
    Studio,
    Visit,
    back,
    done,
    safe,
    shown,
    spoken,
)
from incentive_engine.studio.worker import work
from incentive_engine.web import Server, address_of, listening, refuse_open_door
from incentive_engine.workflow.results.watch_campaign import RunningCampaigns
from incentive_engine.workflow.studio.folder import Folder
from incentive_engine.workflow.studio.run_view import Verifier
from incentive_engine.workflow.studio.warm_plans import WarmPlans


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioOptions:
    """How a folder is opened."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 8090
    keys: Path | None = None


def open_studio(options: StudioOptions, *, say: Callable[[str], None]) -> None:
    """Show a folder's pages until SIGTERM or Ctrl-C.

    Raises
    ------
    IncentiveError
        When there is no such folder, the port is taken, or anybody could come in.
    """
    folder = Folder(options.folder)
    if options.keys is None:
        refuse_open_door(options.host)
    keys = None if options.keys is None else Keys(options.keys)
    # connections that wait to be taken
    waiting = 128
    with listening(options.host, options.port, waiting=waiting) as listener:
        port = listener.getsockname()[1]
        door = Door(
            keys=keys,
            hosts=loopback_hosts(options.host) if keys is None else frozenset(),
            cookie=f"incentive-studio-{port}",
        )
        studio = Studio(folder=folder, door=door, tasks=TaskBook(work))
        begun = f"{folder.root}: {address_of(listener)}"
        try:
            asyncio.run(_serve(studio, listener, lambda: say(begun)))
        finally:
            studio.tasks.stop_all()


async def _serve(studio: Studio, listener: socket.socket, on_start: Callable[[], None]) -> None:
    # seconds that requests have to end once the studio is asked to stop
    stopping = 3
    server = Server(
        uvicorn.Config(
            application(studio),
            log_level="critical",  # what goes wrong is told by our own handler
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=stopping,
            lifespan="off",
        )
    )

    server.stop_on_signals(studio.closing.set)
    server.on_start = on_start
    await server.serve(sockets=[listener])


def application(studio: Studio) -> ASGIApp:
    """Return the studio as an ASGI application behind its door."""
    plans, running = WarmPlans(), RunningCampaigns()
    sliders = Sliders(plans)
    campaigns = CampaignPages(look=running.look, settle=running.answer)
    app = Starlette(
        routes=[
            Route("/", shown(run_page.home)),
            Route("/samples", done(run_page.samples, "plan"), methods=["POST"]),
            Route("/run", shown(run_page.run)),
            Route("/run/report", shown(run_page.report)),
            Route("/run/checks", shown(run_page.checks(Verifier()))),
            Route("/run/approve", done(run_page.approve, "approve"), methods=["POST"]),
            Route("/run/export", done(run_page.export, "plan"), methods=["POST"]),
            Route("/compare", shown(run_page.compare(plans.trial_of))),
            Route("/policy", shown(policy_page.policy)),
            Route("/policy/edit", done(policy_page.edit, "read"), methods=["POST"]),
            Route("/policy/save", done(policy_page.save, "plan"), methods=["POST"]),
            Route("/policy/save-as", done(policy_page.save_as, "plan"), methods=["POST"]),
            Route("/policy/merge", done(policy_page.merge, "read"), methods=["POST"]),
            Route("/policy/plan", done(policy_page.plan, "plan"), methods=["POST"]),
            Route("/policy/prepare", done(sliders.prepare, "plan"), methods=["POST"]),
            Route("/policy/move", done(sliders.move, "read"), methods=["POST"]),
            Route("/policy/deeper", done(sliders.deeper, "read"), methods=["POST"]),
            Route("/policy/scenario", done(sliders.keep_scenario, "plan"), methods=["POST"]),
            Route("/policy/drop", done(sliders.drop_scenario, "plan"), methods=["POST"]),
            Route("/campaign", shown(campaigns.campaign)),
            Route("/campaign/state", shown(campaigns.state)),
            Route("/campaign/answer", done(campaigns.answer, "approve"), methods=["POST"]),
            Route("/tasks", shown(task_page.tasks)),
            Route("/tasks/state", shown(task_page.state)),
            Route("/tasks/events", task_page.events),
            Route("/tasks/stop", done(task_page.stop, "plan"), methods=["POST"]),
            Route("/tasks/again", done(task_page.again, "plan"), methods=["POST"]),
            Route("/language", done(speak, "read"), methods=["POST"]),
            Route("/login", login_page),
            Route("/login", login, methods=["POST"]),
            Route("/logout", done(logout, "read"), methods=["POST"]),
            Route("/assets/{name}", assets),
            Route("/favicon.ico", lambda _request: Response(status_code=204)),
        ],
        exception_handlers={404: _nowhere, 500: _broken},
    )
    app.state.studio = studio
    return Guarded(app, studio.door)


def speak(visit: Visit) -> Response:
    """Take a language for the next pages."""
    answer = back(visit.field("back"))
    if visit.field("lang") in LANGUAGES:
        answer.set_cookie(
            Visit.LANGUAGE_COOKIE,
            visit.field("lang"),
            max_age=10**8,
            httponly=True,
            samesite="strict",
        )
    return answer


async def login_page(request: Request) -> Response:
    """Ask for a key."""
    return _asked_for_key(request, wrong=False)


def _asked_for_key(request: Request, *, wrong: bool) -> Response:
    studio: Studio = request.app.state.studio
    if studio.door.keys is None:
        return RedirectResponse("/", status_code=303)
    t = language(spoken(request))
    text = render(
        "login.html.j2", t, person=None, visit=None, wrong=wrong,
        token=studio.door.first_token, to=safe(request.query_params.get("to", "/")),
    )  # fmt: skip
    return Response(text, status_code=403 if wrong else 200, media_type="text/html")


async def login(request: Request) -> Response:
    """Let somebody in who has a key."""
    studio: Studio = request.app.state.studio
    try:
        form = await content_of(request)
    except RequestRefused as refused:
        text = refused.fault.text(spoken(request))
        return PlainTextResponse(f"{text}\n", status_code=refused.status)
    session = None
    if studio.door.opens(str(form.get("token", "")), None):
        session = studio.door.login(str(form.get("key", "")).strip())
    if session is None:
        return _asked_for_key(request, wrong=True)
    answer = RedirectResponse(safe(str(form.get("to", "/"))), status_code=303)
    answer.set_cookie(
        studio.door.cookie, session, httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


def logout(visit: Visit) -> Response:
    """Forget who is here."""
    visit.studio.door.logout(visit.request)
    return back("/login")


async def assets(request: Request) -> Response:
    """Return a script or a style that pages load."""
    name = request.path_params["name"]
    # what pages load beside themselves, all of it from here
    assets = {
        "studio.js": "text/javascript; charset=utf-8",
        "policy.js": "text/javascript; charset=utf-8",
        "studio.css": "text/css; charset=utf-8",
    }
    if name not in assets:
        return PlainTextResponse("not found\n", status_code=404)
    return Response(
        asset(name), headers={"Content-Type": assets[name], "Cache-Control": "no-cache"}
    )


async def _nowhere(request: Request, _error: Exception) -> Response:
    t = language(spoken(request))
    return PlainTextResponse(f"{t.say(say('studio.nowhere'))}\n", status_code=404)


async def _broken(request: Request, error: Exception) -> Response:
    """Say that the studio itself is wrong; the terminal has the traceback."""
    traceback.print_exception(error)
    t = language(spoken(request))
    text = t.say(say("studio.internal", kind=type(error).__name__))
    return PlainTextResponse(f"{text}\n", status_code=500)
