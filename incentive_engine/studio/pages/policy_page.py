"""The page of one policy: move its limits, write it, save it, plan it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from incentive_engine.config.document.draft import PolicyDraft, read_draft
from incentive_engine.errors import DataError, Fault
from incentive_engine.insight.pages.plan_content import titles_of
from incentive_engine.language import Code, say
from incentive_engine.report.titles import Named
from incentive_engine.run.finished import is_run
from incentive_engine.studio.tasks import Order
from incentive_engine.studio.visit import Visit
from incentive_engine.workflow.studio.form import field_words, policy_form
from incentive_engine.workflow.studio.policy_file import (
    ConflictError,
    merged,
    read_policy_text,
    save_new_policy,
    save_policy_text,
)
from incentive_engine.workflow.studio.sliders import PolicySlider, policy_sliders


def policy(visit: Visit) -> Response:
    """Show a policy."""
    folder = visit.studio.folder
    path = folder.policy(visit.asked("path"))
    found = read_policy_text(path)
    name = folder.name(path)
    runs = [e for e in folder.listing().runs if e.run and _is_of(e.run.manifest.inputs, path)]
    return visit.page(
        "policy.html.j2",
        path=name,
        found=found,
        draft=found.draft,
        form=policy_form(found.draft),
        words=field_words(visit.t.code),
        sliders=slider_groups(found.draft, visit.t.code),
        scores=_score_files(visit),
        runs=runs[:5],
        **visit.scenarios(name),
        task=visit.studio.tasks.running(name),
    )


def _is_of(inputs: Any, path: Path) -> bool:  # noqa: ANN401 - a mapping of input files
    return "policy" in inputs and inputs["policy"].path == str(path)


def edit(visit: Visit) -> Response:
    """Return a text with some values changed, and what is wrong with it."""
    draft = visit.draft()
    return JSONResponse(
        {
            "text": draft.text,
            "faults": visit.faults(draft),
            "form": visit.part(
                "form.html.j2", form=policy_form(draft), words=field_words(visit.t.code)
            ),
            "sliders": visit.part("sliders.html.j2", sliders=slider_groups(draft, visit.t.code)),
        }
    )


def slider_groups(draft: PolicyDraft, code: Code) -> dict[str, list[PolicySlider]]:
    """Return what can be moved, by group; nothing while the policy has faults."""
    groups: dict[str, list[PolicySlider]] = {}
    policy = draft.policy
    for slider in policy_sliders(policy, Named(titles_of(policy), code)) if policy else ():
        groups.setdefault(slider.group, []).append(slider)
    return groups


def save(visit: Visit) -> Response:
    """Save a policy, unless somebody has been faster."""
    path = visit.studio.folder.policy(visit.field("path"))
    try:
        saved = save_policy_text(path, visit.field("text"), digest=visit.field("digest"))
    except ConflictError as error:
        current = error.current
        content = {
            "faults": [visit.fault(fault) for fault in error.faults],
            "theirs": {"text": current.text, "digest": current.digest},
        }
        return JSONResponse(content, status_code=409)
    return JSONResponse({"digest": saved.digest, "faults": visit.faults(saved.draft)})


def save_as(visit: Visit) -> Response:
    """Save a policy under another name, which must be free."""
    folder = visit.studio.folder
    name = visit.field("name").strip()
    if not name.endswith((".yaml", ".yml")):
        name += ".yaml"
    # a file's name without folders, and with nothing that a shell would mind
    if re.fullmatch(r"\w[\w .()-]*", name) is None:
        raise DataError(Fault(name, say("studio.plain_name"), remedy=say("studio.name_it_so")))
    beside = folder.policy(visit.field("path")).parent
    path = folder.path(f"{folder.name(beside)}/{name}" if beside != folder.root else name)
    save_new_policy(path, visit.field("text"))
    return JSONResponse({"path": folder.name(path)})


def merge(visit: Visit) -> Response:
    """Put a person's changes on top of what somebody else has saved."""
    path = visit.studio.folder.policy(visit.field("path"))
    base, mine, theirs = (visit.field(name) for name in ("base", "mine", "theirs"))
    found = merged(base, mine, theirs)
    draft = read_draft(found.text, path)
    return JSONResponse(
        {"text": found.text, "both": list(found.both), "faults": visit.faults(draft)}
    )


def plan(visit: Visit) -> Response:
    """Begin to plan a saved policy."""
    name, folder = visit.field("path"), visit.studio.folder
    path = folder.policy(name)
    if visit.field("digest") and read_policy_text(path).digest != visit.field("digest"):
        raise DataError(Fault(name, say("studio.save_first")))
    order = Order(
        kind="allocate", file=path, folder=folder.root, by=visit.person.name,
        scores=visit.scores(), accepted=tuple(visit.field("accept").split()),
        lang=visit.t.code,
    )  # fmt: skip
    task = visit.studio.tasks.start(order, about=name)
    return JSONResponse({"task": task.id})


def _score_files(visit: Visit) -> list[str]:
    """Return the names of files that may hold scores: those that say so."""
    folder = visit.studio.folder
    files = [
        path
        for suffix in ("parquet", "csv")
        for depth in ("", "*/")
        for path in folder.root.glob(f"{depth}*score*.{suffix}")
    ]
    inside = [
        path
        for path in files
        if path.resolve().is_relative_to(folder.root) and not is_run(path.parent)
    ]
    return sorted({folder.name(path) for path in inside})[:50]
