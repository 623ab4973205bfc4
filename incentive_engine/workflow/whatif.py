"""The budget-response curve, and the same campaign under changed settings, side by side."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from incentive_engine.allocation.build import build_problem
from incentive_engine.config.access.location import Location
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable, holdout_of, read_scores
from incentive_engine.domain import BoolArray
from incentive_engine.errors import ConfigError, Fault, InfeasibleError
from incentive_engine.insight.budget.policy_options import BudgetOptions, default_policy
from incentive_engine.insight.budget.study import Study, focus_of, study
from incentive_engine.insight.budget.variants import (
    CampaignVariant,
    read_budgets,
    read_variants,
)
from incentive_engine.insight.findings import warned_first
from incentive_engine.insight.pages.plan_content import titles_of
from incentive_engine.insight.stated_problem import trial_correction
from incentive_engine.insight.value.cost_correction import CostCorrection
from incentive_engine.insight.value.gain import read_valuation
from incentive_engine.insight.value.plan_gain import ValuedTrial
from incentive_engine.insight.whatif.content import whatif_page
from incentive_engine.insight.whatif.movers import Move, comparable, moves
from incentive_engine.insight.whatif.summary import WhatIf
from incentive_engine.insight.whatif.tables import (
    limits_table,
    moves_table,
    points_table,
    safety_table,
)
from incentive_engine.language import Code, Message, say
from incentive_engine.pipeline.campaign import inputs_of
from incentive_engine.pipeline.quality import read_quality, total_error
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.report.pages.whatif import render_whatif
from incentive_engine.run.directory import free_directory, refuse_existing
from incentive_engine.run.study import write_study
from incentive_engine.uplift.diagnosis.verdicts import check_acceptable
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
    inputs = inputs_of(variant.policy, scores, steps, accepted=accepted)
    with steps.step(f"read {variant.name}"):
        table = read_scores(inputs.scores, variant.policy)
        holdout = holdout_of(variant.policy, table)
    correction = None
    if inputs.valuation is not None:
        with steps.step(f"ask the trial for the cost of {variant.name}"):
            valued = read_valuation(inputs.valuation, variant.policy)
            correction = _correction(variant.policy, amounts, table, holdout, valued)
            table = table.with_costs(correction.factor)
    error = total_error(variant.policy, read_quality(inputs.model))
    if correction is not None and _forecast(variant.policy):
        error = math.hypot(error, correction.error)
    variant = replace(variant, policy=variant.policy.with_budget(cost_error=error))
    with steps.step(f"solve {variant.name}", 2 * len(amounts)) as advance:
        return study(
            variant, amounts, inputs=inputs, table=table, holdout=holdout,
            cost_factor=None if correction is None else correction.factor,
            advance=advance,
        )  # fmt: skip


def _correction(
    policy: Policy,
    amounts: Sequence[float],
    table: ScoreTable,
    holdout: BoolArray,
    valued: ValuedTrial,
) -> CostCorrection:
    """Return the correction that the trial asks for at the middle budget that has a plan.

    All budgets share it, so that their plans differ by their money alone.
    """
    middle = focus_of(amounts)
    for amount in sorted(amounts, key=lambda each: abs(each - middle)):
        asked = policy.with_budget(amount=amount)
        with suppress(ConfigError, InfeasibleError):  # told of that budget's point
            problem = build_problem(asked, table, holdout)
            return trial_correction(asked, problem, valued, users=int((~holdout).sum()))[0]
    return CostCorrection()


def _forecast(policy: Policy) -> bool:
    """Return whether the planner leaves the error of the total cost to the program."""
    return policy.budget is None or policy.budget.cost_error is None


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
        say(
            "variants.costs_by_trial",
            variant=each.variant.name, factor=each.cost_factor - 1,
        )
        for each in (base, *others)
        if each.cost_factor is not None and each.cost_factor != 1
    ]  # fmt: skip
    if base.cost_factor is None:
        notes.append(say("variants.costs_as_forecast"))
    notes += [
        say("variants.other_users", variant=other.variant.name, base=CampaignVariant.BASE)
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
