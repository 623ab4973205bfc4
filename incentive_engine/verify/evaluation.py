"""Check of evaluation.json: what can be known of it without the trial."""

from __future__ import annotations

from collections.abc import Iterator

from .files import Run
from .result import Check, Findings


def check_evaluation(run: Run) -> Iterator[Check]:
    """Check a plan's gain by the trial against itself and the plan; nothing where none is stated.

    The gain itself cannot be had from a run's files: only the manifest, and its signature, vouch
    for it.
    """
    if run.evaluation is None:
        return
    found = Findings("evaluation", "evaluation.json is about this plan, without contradiction")
    gain = run.evaluation.plan
    if gain is None:
        if "trial" in run.manifest.inputs:
            found.add("the manifest names a trial, and no gain by it is stated")
        yield found.check()
        return
    decided = run.certificate.users - run.manifest.holdout.users
    if gain.users != decided:
        found.add(f"it is about {gain.users:,} users, the plan about {decided:,}")
    if gain.rows < 1:
        found.add(f"it comes from {gain.rows:,} rows")
    for name, total in (
        ("conversions", gain.conversions),
        ("spend", gain.spend),
        ("cost", gain.cost),
    ):
        if not total.low <= total.estimate <= total.high:
            found.add(f"{name}: {total.estimate} is outside {total.low} to {total.high}")
    if "trial" in run.manifest.inputs or "scores" not in run.manifest.inputs:
        yield found.check()
        return
    found.add("a gain is stated, and the manifest names no trial that it could come from")
    yield found.check()
