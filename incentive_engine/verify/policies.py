"""Checks that the policy of the manifest is the one of the file, and of the certificate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incentive_engine.config import load_policy
from incentive_engine.config.amounts import parse_amount
from incentive_engine.errors import ConfigError

from .files import Run
from .result import Check, Findings

BESIDE = ("data",)
"""Fields whose values depend on where the policy file lay, and decide nothing here."""


def check_policy(run: Run) -> Check:
    """Check the policy of the manifest against policy.yaml and the certificate's budget."""
    found = Findings("policy", "policy.yaml, manifest.json and certificate.json agree")
    budget = run.policy.budget
    amount, basis = (None, "expected") if budget is None else (budget.amount, budget.basis)
    stated = run.certificate.budget
    if stated.amount != amount:
        found.add(f"the certificate's budget is {stated.amount}, the manifest's {amount}")
    if stated.basis != basis:
        found.add(f"the certificate's basis is {stated.basis}, the manifest's {basis}")
    asked = run.manifest.overrides.get("budget.amount", amount)
    if not _is_amount(asked, amount):
        found.add(f"the manifest's budget is {amount}, its override says {asked}")
    for problem in _file_problems(run):
        found.add(problem)
    return found.check()


def _is_amount(asked: object, amount: float | None) -> bool:
    try:
        return asked == amount or parse_amount(asked) == amount
    except ValueError:
        return False


def _file_problems(run: Run) -> Iterator[str]:
    path = run.directory / "policy.yaml"
    if not path.exists():
        return
    try:
        written = load_policy(path, require_data=False)
    except ConfigError as error:
        yield f"policy.yaml cannot be read: {error.faults[0]}"
        return
    # an override of `limits` adds one behind those of the file, and changes none of them
    added = {"limits": f"limits.{len(written.limits)}"}
    overrides = tuple(added.get(name, name) for name in run.manifest.overrides)
    if written.budget is None and run.policy.budget is not None and "budget.amount" in overrides:
        written = written.with_budget(amount=run.policy.budget.amount)
    before = dict(_flat(written.model_dump(mode="json"), ""))
    after = dict(_flat(run.policy.model_dump(mode="json"), ""))
    for field in sorted(before.keys() | after.keys()):
        old, new = before.get(field), after.get(field)
        if old != new and not _covered(field, (*overrides, *BESIDE)):
            yield f"{field} is {old} in policy.yaml, {new} in the manifest"


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


def _covered(field: str, overrides: tuple[str, ...]) -> bool:
    """Whether an override of this field, of a part of it, or of what holds it, is recorded."""
    return any(
        f"{field}.".startswith(f"{name}.") or f"{name}.".startswith(f"{field}.")
        for name in overrides
    )
