"""The budget-response curve, and the same campaign under changed settings, side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from incentive_engine.config.access.location import Location
from incentive_engine.data.scores import read_scores
from incentive_engine.errors import Fault, InfeasibleError
from incentive_engine.insight.budget.policy_options import BudgetOptions, default_policy
from incentive_engine.insight.budget.study import Study, focus_of, study
from incentive_engine.insight.budget.variants import (
    BASE,
    CampaignVariant,
    read_budgets,
    read_variants,
)
from incentive_engine.insight.findings import holdout_of, warned_first
from incentive_engine.insight.pages.report_content import titles_of
from incentive_engine.insight.whatif.content import whatif_page
from incentive_engine.insight.whatif.movers import Move, comparable, moves
from incentive_engine.insight.whatif.summary import WhatIf
from incentive_engine.insight.whatif.tables import (
    limits_table,
    moves_table,
    points_table,
    safety_table,
)
from incentive_engine.language import (
    Code,
    Message,
    say,
)
from incentive_engine.pipeline.campaign import campaign_inputs, given_inputs
from incentive_engine.pipeline.quality import read_quality, total_error
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.report.whatif import render_whatif
from incentive_engine.run.directory import free_directory, refuse_existing
from incentive_engine.run.study import write_study
from incentive_engine.uplift.diagnosis.findings import check_acceptable
from incentive_engine.workflow.write_run import input_files


def whatif(
    policy_file: Path | None,
    *,
    budgets: str,
    settings: Sequence[str] = (),
    named: Sequence[str] = (),
    options: BudgetOptions,
    scores: Path | Location | None,
    out: Path | None,
    accepted: Collection[str] = (),
    lang: Code = "en",
    progress: Progress = quiet,
) -> WhatIf:
    """Solve a campaign under several budgets and settings and write a new directory.

    Parameters
    ----------
    budgets
        As `read_budgets`.
    settings, named
        As `read_variants`.
    options
        What else the command line changes, in every variant; its amount is not used.
    accepted
        Findings of the trial that the planner answers for.
    lang
        Of the page.

    Raises
    ------
    ConfigError, DataError
        With every problem of the policy, the options, or a file.
    InfeasibleError
        When no variant has a plan at any budget.
    """
    check_acceptable(accepted)
    steps = Steps(progress)
    file = policy_file or default_policy()
    amounts = read_budgets(budgets)
    variants = read_variants(
        file, amounts, settings=settings, named=named, options=options,
        with_scores=scores is not None,
    )  # fmt: skip
    directory = out or free_directory(Path("runs"), variants[0].policy.name, "whatif")
    refuse_existing(directory)
    studies = [_study(variant, amounts, scores, steps, accepted) for variant in variants]
    if not any(point.feasible for each in studies for point in each.points.values()):
        with warned_first(read_quality(studies[0].inputs.model), studies[0].table):
            raise _no_plan(studies[0], amounts)
    with steps.step("compare"):
        moved = _moved(studies)
    at_least = options.min_marginal_roi
    result = _result(directory, studies, amounts, moved, at_least=at_least)
    content = whatif_page(studies, amounts, moved, at_least=at_least, notes=result.notes)
    record = _record(studies, file, amounts, options, steps)
    page = render_whatif(content, lang=lang, titles=titles_of(studies[0].variant.policy))
    write_study(directory, tables=result.tables(), page=page, record=record)
    return result


def _study(
    variant: CampaignVariant,
    amounts: Sequence[float],
    scores: Path | Location | None,
    steps: Steps,
    accepted: Collection[str],
) -> Study:
    inputs = (
        given_inputs(scores, variant.policy)
        if scores
        else campaign_inputs(variant.policy, steps, accepted=accepted)
    )
    error = total_error(variant.policy, read_quality(inputs.model))
    policy = variant.policy.with_budget(cost_error=error)
    variant = replace(variant, policy=policy)
    with steps.step(f"read {variant.name}"):
        table = read_scores(inputs.scores, policy)
        holdout = holdout_of(policy, table)
    with steps.step(f"solve {variant.name}", 2 * len(amounts)) as advance:
        return study(
            variant, amounts, inputs=inputs, table=table, holdout=holdout, advance=advance
        )


def _moved(studies: Sequence[Study]) -> list[Move]:
    """Return who gets another offer in a variant than in the policy as written."""
    base, *others = studies
    return [move for other in others if comparable(base, other) for move in moves(base, other)]


def _result(
    directory: Path,
    studies: Sequence[Study],
    amounts: Sequence[float],
    moved: Sequence[Move],
    *,
    at_least: float | None,
) -> WhatIf:
    """Return the tables, and what a planner should know of them."""
    return WhatIf(
        directory=directory,
        currency=studies[0].variant.policy.currency,
        points=points_table(studies, amounts, at_least=at_least),
        moves=moves_table(moved),
        limits=limits_table(studies),
        safety=safety_table(studies, focus_of(amounts)),
        notes=_notes(studies[0], studies[1:]),
    )


def _no_plan(base: Study, amounts: Sequence[float]) -> InfeasibleError:
    largest = amounts[-1]
    point = base.points.get(largest)
    conflict = base.refusals.get(largest, ()) if point is None else point.conflict
    faults = [
        Fault("--budgets", say("no plan at any of them; at {largest:,.10g}", largest=largest))
    ]
    return InfeasibleError(*faults, *conflict)


def _notes(base: Study, others: Sequence[Study]) -> tuple[Message, ...]:
    notes = list(base.table.warnings)
    notes += [
        say("variants.other_users", variant=other.variant.name, base=BASE)
        for other in others
        if not comparable(base, other)
    ]
    return tuple(notes)


def _record(
    studies: Sequence[Study],
    file: Path,
    amounts: Sequence[float],
    options: BudgetOptions,
    steps: Steps,
) -> dict[str, Any]:
    return {
        "policy_file": str(file),
        "budgets": list(amounts),
        "overrides": options.to_dict(),
        "variants": [
            {
                "name": each.variant.name,
                "settings": list(each.variant.settings),
                "policy": each.variant.policy.model_dump(mode="json"),
                "inputs": input_files(file, each.inputs, users=each.table.n_users),
            }
            for each in studies
        ],
        "seconds": steps.seconds,
    }
