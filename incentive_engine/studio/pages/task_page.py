"""Pages of the tasks: how far each is, its end, and how to stop it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from incentive_engine.errors import DataError, Fault
from incentive_engine.language import Language, language, say
from incentive_engine.report.words import step as step_words
from incentive_engine.studio.tasks import Task
from incentive_engine.studio.visit import Studio, Visit, back, fault_of, spoken, wants_json


def tasks(visit: Visit) -> Response:
    """Show every task."""
    return visit.page("tasks.html.j2", tasks=[told(visit, task) for task in visit.studio.tasks])


def stop(visit: Visit) -> Response:
    """Ask a task to end."""
    name = visit.field("task")
    if visit.studio.tasks.find(name) is None:
        raise DataError(Fault(name, say("studio.no_task"), remedy=say("studio.begin_anew")))
    visit.studio.tasks.stop(name)
    return back(visit.field("back") or "/tasks")


def again(visit: Visit) -> Response:
    """Begin a task anew that warnings stopped, for somebody who answers for these."""
    name = visit.field("task")
    task = visit.studio.tasks.find(name)
    if task is None:
        raise DataError(Fault(name, say("studio.no_task"), remedy=say("studio.begin_anew")))
    accepted = (*task.order.accepted, *answerable(task))
    order = replace(task.order, accepted=accepted, by=visit.person.name)
    started = visit.studio.tasks.start(order, about=task.about)
    if wants_json(visit.request):
        return JSONResponse({"task": started.id})
    return back(visit.field("back") or "/tasks")


def answerable(task: Task) -> tuple[str, ...]:
    """Return the warnings that stopped a task, where answering for all of them lets it go on."""
    if task.order.kind not in {"allocate", "export"}:
        return ()
    names = [fault.waiver for fault in task.outcome.faults]
    return tuple(dict.fromkeys(names)) if all(names) else ()


def _shown(fault: Fault) -> Fault:
    """Return a fault of a task; where somebody may answer for it, a button says so."""
    return replace(fault, remedy="") if fault.waiver else fault


def told(visit: Visit, task: Task) -> dict[str, Any]:
    """Return a task as pages and scripts show it."""
    return _told(visit.studio, visit.t, task)


def _told(studio: Studio, t: Language, task: Task) -> dict[str, Any]:
    made, folder = task.outcome.made, studio.folder
    is_inside = made is not None and made.resolve().is_relative_to(folder.root)
    step = task.stage.step
    names = answerable(task) if studio.tasks.is_latest(task) else ()
    return {
        "id": task.id,
        "kind": task.order.kind,
        "title": t(f"studio.task_{task.order.kind}", about=task.about),
        "about": task.about,
        "by": task.order.by,
        "state": task.state,
        "state_words": t(f"studio.state_{task.state}"),
        "step": step_words(t, step) if step else "",
        "share": task.stage.share,
        "began": task.began,
        "ended": task.ended,
        "lines": [folder.inside(t.say(line)) for line in task.outcome.lines],
        "faults": [fault_of(folder, t, _shown(fault)) for fault in task.outcome.faults],
        "answerable": names,
        "answer_for": t("studio.answer_for", names=names) if names else "",
        "made": folder.name(made) if made is not None and is_inside else None,
    }


def state(visit: Visit) -> Response:
    """Return every task as JSON."""
    return JSONResponse(_plain(visit.studio, visit.t))


def _plain(studio: Studio, t: Language) -> list[dict[str, Any]]:
    return [
        {
            key: part
            for key, part in _told(studio, t, task).items()
            if key not in {"began", "ended"}
        }
        for task in studio.tasks
    ]


async def events(request: Request) -> Response:
    """Send the tasks whenever they change, as server-sent events."""
    studio: Studio = request.app.state.studio
    person = studio.door.person(request)
    if person is None or not person.may("read"):
        return Response(status_code=401)
    t = language(spoken(request))

    # seconds between two looks at the tasks for those who follow them
    looks = 0.25
    # seconds after which a line without meaning keeps a connection open
    breath = 15.0

    async def stream() -> AsyncIterator[str]:
        shown, waited = -1, 0.0
        while not studio.closing.is_set():
            if studio.tasks.version != shown:
                shown, waited = studio.tasks.version, 0.0
                yield f"data: {json.dumps(_plain(studio, t))}\n\n"
            await asyncio.sleep(looks)
            waited += looks
            if waited >= breath:
                waited = 0.0
                yield ": still here\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")
