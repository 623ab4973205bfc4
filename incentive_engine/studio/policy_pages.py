"""The page of one policy: move its limits, write it, save it, plan it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from incentive_engine.config.document.draft import PolicyDraft, read_draft
from incentive_engine.config.document.editing import Edit
from incentive_engine.errors import ConfigError, DataError, Fault
from incentive_engine.insight.pages.stated import titles_of
from incentive_engine.language import Code, say
from incentive_engine.report.titles import Named
from incentive_engine.report.words import aim
from incentive_engine.run.finished import is_run
from incentive_engine.studio.visit import Visit
from incentive_engine.studio.worker import Order
from incentive_engine.workflow.studio.form import field_words, policy_form
from incentive_engine.workflow.studio.levers import Lever, levers
from incentive_engine.workflow.studio.merging import merged
from incentive_engine.workflow.studio.policy_file import (
    ConflictError,
    read_policy_text,
    save_new_policy,
    save_policy_text,
)


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
        levers=lever_groups(found.draft, visit.t.code),
        scores=_score_files(visit),
        runs=runs[:5],
        **scenario_content(visit, name),
        task=visit.studio.tasks.running(name),
    )


def scenario_content(visit: Visit, name: str) -> dict[str, Any]:
    """Return a policy's scenarios, and how their figures are called."""
    found = visit.studio.scenarios.of(name)
    return {
        "scenarios": found,
        "aims": [aim(visit.t, scenario.outlook.proof.aim) for scenario in found],
        "has_profit": any(scenario.gain and scenario.gain.profit for scenario in found),
    }


def _is_of(inputs: Any, path: Path) -> bool:  # noqa: ANN401 - a mapping of input files
    return "policy" in inputs and inputs["policy"].path == str(path)


def edit(visit: Visit) -> Response:
    """Return a text with some values changed, and what is wrong with it."""
    draft = drafted(visit)
    return JSONResponse(
        {
            "text": draft.text,
            "faults": faults(visit, draft),
            "form": visit.part(
                "form.html.j2", form=policy_form(draft), words=field_words(visit.t.code)
            ),
            "levers": visit.part("levers.html.j2", levers=lever_groups(draft, visit.t.code)),
        }
    )


def drafted(visit: Visit) -> PolicyDraft:
    """Return the draft that a call holds, with its changes."""
    path = visit.studio.folder.policy(visit.field("path"))
    return read_draft(visit.field("text"), path).with_changes(changes_of(visit.form))


def changes_of(form: Any) -> Sequence[Edit]:  # noqa: ANN401 - whatever a call holds
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
                raise ConfigError(
                    Fault(
                        say("studio.page"),
                        say("studio.unreadable"),
                        remedy=say("studio.load_anew"),
                    )
                )
    return changes


def faults(visit: Visit, draft: PolicyDraft) -> list[dict[str, Any]]:
    """Return what is wrong with a draft, by field and line."""
    return [
        {"field": found.field, "line": found.line, **visit.fault(found.fault)}
        for found in draft.faults
    ]


def lever_groups(draft: PolicyDraft, code: Code) -> dict[str, list[Lever]]:
    """Return what can be moved, by group; nothing while the policy has faults."""
    groups: dict[str, list[Lever]] = {}
    policy = draft.policy
    for lever in levers(policy, Named(titles_of(policy), code)) if policy else ():
        groups.setdefault(lever.group, []).append(lever)
    return groups


def save(visit: Visit) -> Response:
    """Save a policy, unless somebody has been faster."""
    path = visit.studio.folder.policy(visit.field("path"))
    try:
        saved = save_policy_text(path, visit.field("text"), digest=visit.field("digest"))
    except ConflictError as error:
        found = error.current
        content = {
            "faults": [visit.fault(fault) for fault in error.faults],
            "theirs": {"text": found.text, "digest": found.digest},
        }
        return JSONResponse(content, status_code=409)
    return JSONResponse({"digest": saved.digest, "faults": faults(visit, saved.draft)})


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
        {"text": found.text, "both": list(found.both), "faults": faults(visit, draft)}
    )


def plan(visit: Visit) -> Response:
    """Begin to plan a saved policy."""
    name, folder = visit.field("path"), visit.studio.folder
    path = folder.policy(name)
    if visit.field("digest") and read_policy_text(path).digest != visit.field("digest"):
        raise DataError(Fault(name, say("studio.save_first")))
    order = Order(
        kind="allocate", file=path, folder=folder.root, by=visit.person.name,
        scores=scores_of(visit), accepted=tuple(visit.field("accept").split()),
        lang=visit.t.code,
    )  # fmt: skip
    task = visit.studio.tasks.start(order, about=name)
    return JSONResponse({"task": task.id})


def scores_of(visit: Visit) -> Path | None:
    """Return the given scores that a call names; None for those that the policy's data give."""
    name = visit.field("scores")
    if not name:
        return None
    path = visit.studio.folder.path(name)
    if not path.is_file() or path.suffix.lower() not in {".parquet", ".csv"}:
        raise DataError(Fault(name, say("studio.no_scores"), remedy=say("studio.choose_scores")))
    return path


def _score_files(visit: Visit) -> list[str]:
    """Return the names of files that may hold scores: those that say so."""
    folder = visit.studio.folder
    found = [
        path
        for suffix in ("parquet", "csv")
        for depth in ("", "*/")
        for path in folder.root.glob(f"{depth}*score*.{suffix}")
    ]
    inside = [
        path
        for path in found
        if path.resolve().is_relative_to(folder.root) and not is_run(path.parent)
    ]
    return sorted({folder.name(path) for path in inside})[:50]
