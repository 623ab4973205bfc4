"""The addresses of the studio."""

from __future__ import annotations

import traceback

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from incentive_engine.language import LANGUAGES, language, say
from incentive_engine.studio.door import Guarded, RequestRefused, content_of
from incentive_engine.studio.frame import asset, render
from incentive_engine.studio.pages import campaign_page, moves, policy_page, run_page, task_page
from incentive_engine.studio.visit import (
    SPOKEN,
    Studio,
    Visit,
    back,
    done,
    safe,
    shown,
    spoken,
)


def application(studio: Studio) -> ASGIApp:
    """Return the studio as an ASGI application behind its door."""
    app = Starlette(
        routes=[
            Route("/", shown(run_page.home)),
            Route("/samples", done(run_page.samples, "plan"), methods=["POST"]),
            Route("/run", shown(run_page.run)),
            Route("/run/report", shown(run_page.report)),
            Route("/run/checks", shown(run_page.checks)),
            Route("/run/approve", done(run_page.approve, "approve"), methods=["POST"]),
            Route("/run/export", done(run_page.export, "plan"), methods=["POST"]),
            Route("/compare", shown(run_page.compare)),
            Route("/policy", shown(policy_page.policy)),
            Route("/policy/edit", done(policy_page.edit, "read"), methods=["POST"]),
            Route("/policy/save", done(policy_page.save, "plan"), methods=["POST"]),
            Route("/policy/save-as", done(policy_page.save_as, "plan"), methods=["POST"]),
            Route("/policy/merge", done(policy_page.merge, "read"), methods=["POST"]),
            Route("/policy/plan", done(policy_page.plan, "plan"), methods=["POST"]),
            Route("/policy/prepare", done(moves.prepare, "plan"), methods=["POST"]),
            Route("/policy/move", done(moves.move, "read"), methods=["POST"]),
            Route("/policy/deeper", done(moves.deeper, "read"), methods=["POST"]),
            Route("/policy/scenario", done(moves.keep_scenario, "plan"), methods=["POST"]),
            Route("/policy/drop", done(moves.drop_scenario, "plan"), methods=["POST"]),
            Route("/campaign", shown(campaign_page.campaign)),
            Route("/campaign/state", shown(campaign_page.state)),
            Route("/campaign/answer", done(campaign_page.answer, "approve"), methods=["POST"]),
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
            SPOKEN, visit.field("lang"), max_age=10**8, httponly=True, samesite="strict"
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
