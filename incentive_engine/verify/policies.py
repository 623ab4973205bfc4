"""Checks that the policy of the manifest is that of the file, as the command line changed it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from posixpath import normpath
from typing import Any

from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.document.tree import parse_tree
from incentive_engine.config.overridable import apply_overrides
from incentive_engine.config.policy import Budget, Policy
from incentive_engine.errors import ConfigError
from incentive_engine.language import Text, say
from incentive_engine.run.format import RunFile

from .files import StatedRun
from .result import Check, CheckFindings


def check_policy(run: StatedRun) -> Check:
    """Check that policy.yaml under the recorded overrides is the policy used, value by value."""
    findings = CheckFindings("policy", "policy.yaml, manifest.json and certificate.json agree")
    for problem in (*_certificate_problems(run), *_file_problems(run), *_cost_error_problems(run)):
        findings.add(problem)
    return findings.check()


def _certificate_problems(run: StatedRun) -> Iterator[Text]:
    budget, stated = run.policy.budget, run.certificate.budget
    amount, basis = (None, "expected") if budget is None else (budget.amount, budget.basis)
    if stated.amount != amount:
        yield say(
            "the certificate's budget is {amount}, the manifest's {stated}",
            amount=stated.amount,
            stated=amount,
        )
    if stated.basis != basis:
        yield say(
            "the certificate's basis is {basis}, the manifest's {stated}",
            basis=stated.basis,
            stated=basis,
        )


def _file_problems(run: StatedRun) -> Iterator[Text]:
    path = run.directory / RunFile.POLICY
    if not path.exists():
        return  # the check `files` says so
    try:
        load_policy(path, require_data=False)
        tree = parse_tree(path.read_text(encoding="utf-8-sig"), origin=RunFile.POLICY)
        # without a folder, paths stay as they are written
        written = Policy.model_validate(tree.root.plain() if tree.root else None)
        expected = apply_overrides(written, run.manifest.overrides)
    except ConfigError as error:
        yield from (f"policy.yaml with its overrides: {fault}" for fault in error.faults)
        return
    yield from _departures(expected, run.policy)


def _departures(expected: Policy, used: Policy) -> Iterator[Text]:
    before = dict(_flat(expected.model_dump(mode="json"), ""))
    after = dict(_flat(used.model_dump(mode="json"), ""))
    for field in sorted(before.keys() | after.keys()):
        old, new = before.get(field), after.get(field)
        # fields that name tables; the manifest has their full paths
        if not _is_same(old, new) and not (
            re.fullmatch(r"data\.(users|trial(\.\d+)?)|history\.events\.\d+\.source", field)
            and _is_place(old, new)
        ):
            yield say(
                "{field} is {old} in policy.yaml with its overrides, {new} in the manifest",
                field=field,
                old=old,
                new=new,
            )


def _flat(value: Any, field: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        yield field, value
        return
    for key, inner in items:
        yield from _flat(inner, f"{field}.{key}" if field else str(key))


def _is_same(old: object, new: object) -> bool:
    # 1 equals True and 1.0, and a policy that says one for the other is another policy
    return type(old) is type(new) and old == new


def _is_place(written: object, full: object) -> bool:
    """Return whether a full path may be that of a path as a policy writes it.

    A database's file stands between `:///` and what is asked of it.
    """
    if not isinstance(written, str) or not isinstance(full, str):
        return False
    (kind, short, asked), (other, long, asked_there) = map(_split, (written, full))
    # of `../x/../users.csv` the full path has `users.csv` alone
    named = [*PurePath(normpath(short)).parts]
    while named and (named[0] in {".", ".."} or named[0].startswith("~")):
        del named[0]
    parts = PurePath(long).parts
    tail = [*parts[len(parts) - len(named) :]]
    return (kind, asked) == (other, asked_there) and PurePath(long).is_absolute() and tail == named


def _split(place: str) -> tuple[str, str, str]:
    """Return a location's kind, its path, and what is asked of it."""
    kind, scheme, address = place.partition(":///")
    if not scheme:
        return "", place, ""
    path, _, asked = address.partition("?")
    return kind, path, asked


def _cost_error_problems(run: StatedRun) -> Iterator[Text]:
    """Yield what is off with the one override that the program makes by itself.

    A model's own error is added to that of the season, where the policy states none.
    """
    cost_error = "budget.cost_error"
    stated = run.manifest.overrides.get(cost_error)
    if stated is None:
        return
    budget = run.policy.budget
    if budget is None or budget.basis != "at-risk":
        yield say("{cost_error} is overridden, and no budget is at risk", cost_error=cost_error)
    elif "scores" in run.manifest.inputs and "trial" not in run.manifest.inputs:
        yield say(
            "{cost_error} is overridden, and no model was at hand to tell it",
            cost_error=cost_error,
        )
    elif not isinstance(stated, float) or stated <= Budget.SEASON_ERROR:
        yield say(
            "{cost_error} is {stated}, less than the {season_error} of every season",
            cost_error=cost_error,
            stated=stated,
            season_error=Budget.SEASON_ERROR,
        )
