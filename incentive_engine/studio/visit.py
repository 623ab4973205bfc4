"""One request as the pages see it: who asks, in which language, with what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from incentive_engine.config.access.keys import Role
from incentive_engine.config.document.draft import PolicyDraft, read_draft
from incentive_engine.config.document.editing import Edit
from incentive_engine.errors import ConfigError, DataError, Fault, IncentiveError
from incentive_engine.language import LANGUAGES, Code, Language, language, say
from incentive_engine.report.words import aim
from incentive_engine.studio.door import Door, Person, RequestRefused, content_of, unreadable
from incentive_engine.studio.frame import render
from incentive_engine.studio.scenarios import Scenarios
from incentive_engine.studio.tasks import TaskBook
from incentive_engine.workflow.studio.folder import Folder


@dataclass(kw_only=True)
class Studio:
    """All that the pages share."""

    folder: Folder
    door: Door
    tasks: TaskBook
    scenarios: Scenarios = field(default_factory=Scenarios)
    closing: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(kw_only=True)
class Visit:
    """One request of a person who may make it.

    Attributes
    ----------
    form
        Fields of a form, or of a call's JSON; empty for what only looks.
    """

    LANGUAGE_COOKIE: ClassVar = "incentive-studio-lang"

    request: Request
    studio: Studio
    person: Person
    t: Language
    form: Mapping[str, Any] = field(default_factory=dict)

    def asked(self, name: str) -> str:
        """Return a parameter of the address; empty where it is not given."""
        return self.request.query_params.get(name, "")

    def field(self, name: str) -> str:
        """Return a field of the form as text; empty where it is not given."""
        value = self.form.get(name, "")
        return value if isinstance(value, str) else ""

    def run(self, name: str | None = None) -> Path:
        """Return the directory of the run that the address, or a field, names."""
        return self.studio.folder.run(self.asked("path") if name is None else name)

    def inside(self, text: str) -> str:
        """Return a text with the folder's files named from it."""
        return self.studio.folder.inside(text)

    def fault(self, fault: Fault) -> dict[str, str]:
        """Return a fault's parts in the language of the page."""
        return fault_of(self.studio.folder, self.t, fault)

    def draft(self) -> PolicyDraft:
        """Return the draft that a call holds, with its changes."""
        path = self.studio.folder.policy(self.field("path"))
        return read_draft(self.field("text"), path).with_changes(_changes_of(self.form))

    def scores(self) -> Path | None:
        """Return the given scores that a call names; None: those that the policy's data give."""
        name = self.field("scores")
        if not name:
            return None
        path = self.studio.folder.path(name)
        if not path.is_file() or path.suffix.lower() not in {".parquet", ".csv"}:
            remedy = say("studio.choose_scores")
            raise DataError(Fault(name, say("studio.no_scores"), remedy=remedy))
        return path

    def scenarios(self, name: str) -> dict[str, Any]:
        """Return a policy's scenarios, and how their figures are called."""
        scenarios = self.studio.scenarios.of(name)
        return {
            "scenarios": scenarios,
            "aims": [aim(self.t, scenario.outlook.proof.aim) for scenario in scenarios],
            "has_profit": any(scenario.gain and scenario.gain.profit for scenario in scenarios),
        }

    def faults(self, draft: PolicyDraft) -> list[dict[str, Any]]:
        """Return what is wrong with a draft, by field and line."""
        return [
            {"field": placed.field, "line": placed.line, **self.fault(placed.fault)}
            for placed in draft.faults
        ]

    def part(self, template: str, **content: object) -> str:
        """Return a part of a page as HTML."""
        return render(template, self.t, person=self.person, visit=self, **content)

    def page(self, template: str, **content: object) -> HTMLResponse:
        """Return a page."""
        return HTMLResponse(self.part(template, **content))


def _changes_of(form: Any) -> Sequence[Edit]:  # noqa: ANN401 - whatever a call holds
    """Return the changes of a call, each a way and a value as YAML, or null to remove it.

    Raises
    ------
    ConfigError
        When they are none.
    """
    pairs, changes = form.get("changes", []), []
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        match pair:
            case [[*loc], str() | None as value] if loc and all(
                isinstance(part, str | int) for part in loc
            ):
                changes.append(Edit(loc=tuple(loc), value=value))
            case _:
                raise ConfigError(unreadable())
    return changes


Page = Callable[[Visit], Awaitable[Response]]


def shown(page: Callable[[Visit], Response], role: Role = "read") -> Callable[..., Any]:
    """Return a route's endpoint for what a person looks at; a page is made on a thread."""

    async def endpoint(request: Request) -> Response:
        return await _answered(request, role, lambda visit: run_in_threadpool(page, visit))

    return endpoint


def done(change: Callable[[Visit], Response], role: Role) -> Callable[..., Any]:
    """Return a route's endpoint for what a person changes: it wants the token of our pages."""

    async def endpoint(request: Request) -> Response:
        async def changed(visit: Visit) -> Response:
            visit.form = await content_of(request)
            token = visit.request.headers.get("x-token") or visit.field("token")
            if not visit.studio.door.opens(token, visit.person):
                raise RequestRefused(403, Fault(say("studio.page"), say("studio.stale_page")))
            return await run_in_threadpool(change, visit)

        return await _answered(request, role, changed)

    return endpoint


async def _answered(request: Request, role: Role, page: Page) -> Response:
    studio: Studio = request.app.state.studio
    person = studio.door.person(request)
    if person is None:
        if wants_json(request):
            what, remedy = say("studio.logged_out"), say("studio.log_in")
            fault = Fault(say("studio.page"), what, remedy=remedy)
            logged_out = fault_of(studio.folder, language(spoken(request)), fault)
            return JSONResponse({"faults": [logged_out]}, status_code=401)
        return RedirectResponse(f"/login?to={quote(_local(request))}", status_code=303)
    visit = Visit(request=request, studio=studio, person=person, t=language(spoken(request)))
    if not person.may(role):
        return failed(
            visit,
            403,
            Fault(person.name, say("studio.may_not", role=role), remedy=say("studio.other_key")),
        )
    try:
        return await page(visit)
    except RequestRefused as refused:
        return failed(visit, refused.status, refused.fault)
    except IncentiveError as error:
        return failed(visit, _status(error, request.method), *error.faults)


def _status(error: IncentiveError, method: str) -> int:
    """Return what an error is for who asked: not there, not valid, or not possible now."""
    if isinstance(error, DataError) and method == "GET":
        return 404
    return 422 if isinstance(error, ConfigError) else 409


def failed(visit: Visit, status: int, *faults: Fault) -> Response:
    """Return what is wrong, as a page or as JSON."""
    if wants_json(visit.request):
        content = {"faults": [visit.fault(fault) for fault in faults]}
        return JSONResponse(content, status_code=status, media_type="application/problem+json")
    return HTMLResponse(visit.part("failed.html.j2", faults=faults), status_code=status)


def fault_of(folder: Folder, t: Language, fault: Fault) -> dict[str, str]:
    """Return a fault's parts in a language, with files named from a folder."""
    parts = {
        "where": t.say(fault.where),
        "what": t.phrase(fault.what),
        "expected": t.phrase(fault.expected),
        "remedy": t.phrase(fault.remedy),
        "text": fault.text(t.code),
    }
    return {name: folder.inside(part) for name, part in parts.items()}


def wants_json(request: Request) -> bool:
    """Whether a script asks, and no person."""
    return "application/json" in request.headers.get("accept", "")


def spoken(request: Request) -> Code:
    """Return the language of a person's choice, or else of the browser."""
    chosen = request.cookies.get(Visit.LANGUAGE_COOKIE)
    for code in LANGUAGES:
        if chosen == code:
            return code
    return "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"


def _local(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.url.path}{query}" if request.method == "GET" else "/"


def back(to: str) -> RedirectResponse:
    """Return to a page of ours after a change."""
    return RedirectResponse(safe(to), status_code=303)


def safe(to: str) -> str:
    """Return an address of ours; the first page in place of any other.

    >>> safe("/run?path=a"), safe("//evil.example"), safe("https://evil.example")
    ('/run?path=a', '/', '/')
    """
    inside = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return to if inside else "/"
