"""The main job: from a campaign to a run directory that finance can check."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np

from incentive_engine.allocation import (
    Problem,
    gains_without,
    margins,
    reasons,
    smallest_budgets,
    solve,
)
from incentive_engine.config import Policy
from incentive_engine.data.scores import ScoreTable, read_scores
from incentive_engine.errors import DataError, Fault
from incentive_engine.insight.baselines import SimplerWays, beside_the_plan, simpler_ways
from incentive_engine.insight.budget_views import budget_view, conversions_without_favour
from incentive_engine.insight.chosen_pairs import chosen_pairs
from incentive_engine.insight.findings import Findings, RunSummary, holdout_of
from incentive_engine.insight.gain import ValuedTrial, gain_of_plan, read_valuation, trial_problem
from incentive_engine.insight.holdout_value import holdout_value
from incentive_engine.insight.mandate import mandate_of, under_mandate
from incentive_engine.insight.policy_options import BudgetOptions, default_policy, read_policy
from incentive_engine.insight.report_content import report_content
from incentive_engine.insight.response import budget_response, with_own_budget
from incentive_engine.parallel import side_threads
from incentive_engine.pipeline.campaign import campaign_inputs, given_inputs
from incentive_engine.pipeline.quality import model_cost_error, read_quality, total_error
from incentive_engine.pipeline.steps import Steps
from incentive_engine.report import Code, render_report
from incentive_engine.run.directory import default_run_directory, write_run
from incentive_engine.workflow.record import run_files, run_record


def allocate(
    policy_file: Path | None,
    *,
    options: BudgetOptions,
    scores: Path | None,
    out: Path | None,
    author: str | None = None,
    lang: Code = "en",
) -> RunSummary:
    """Decide one offer or none for each user and write the run directory.

    Raises
    ------
    ConfigError, DataError
        With every problem of the policy, or of a file.
    InfeasibleError
        When no plan meets all limits.
    """
    steps = Steps()
    file = policy_file or default_policy()
    policy = read_policy(file, options, with_scores=scores is not None)
    mandate = mandate_of(policy, options)
    directory = out or default_run_directory(Path("runs"), policy.name, mandate.cap)
    _refuse_existing(directory)
    inputs = given_inputs(scores) if scores else campaign_inputs(policy, steps)
    quality = read_quality(inputs.model, inputs.drift)
    error = model_cost_error(policy, quality)
    if error is not None:
        policy = policy.with_budget(cost_error=error)
        options = replace(options, cost_error=error)
    with side_threads() as side:  # solvers and readers let other threads work
        valued = inputs.valuation and side.submit(read_valuation, inputs.valuation, policy)
        with steps.step("read"):
            table = read_scores(inputs.scores, policy)
            holdout = holdout_of(policy, table)
        with steps.step("solve"):
            policy, problem, options = under_mandate(policy, table, holdout, options)
            error = total_error(policy, quality)
            response = side.submit(budget_response, policy, problem, table, scores=inputs.scores)
            tried = side.submit(_tried, valued, policy) if valued else None
            unfavoured = side.submit(conversions_without_favour, policy, table, holdout)
            simpler = side.submit(_simpler, policy, table, problem, tried)
            plan = solve(problem)
        with steps.step("value and compare"):
            view = side.submit(
                budget_view,
                policy,
                problem,
                table,
                holdout,
                plan=plan,
                cost_error=error,
            )
            dropped = side.submit(gains_without, problem, plan)
            users = int((~holdout).sum())
            trial, rows = tried.result() if tried else (None, None)
            gain = None
            if trial is not None and rows is not None:
                gain = gain_of_plan(trial, rows, policy, plan, users=users)
            held = side.submit(holdout_value, policy, table, holdout, plan, gain)
            ways = beside_the_plan(
                simpler.result(),
                policy,
                table,
                plan=plan.choice,
                gain=gain,
                valued=trial,
                trial=rows,
            )
        findings = Findings(
            policy=policy,
            table=table,
            holdout=holdout,
            plan=plan,
            weight=np.ones(table.n_users) if problem.weight is None else problem.weight,
            chosen=chosen_pairs(table, plan.choice, plan.cost_micros),
            reason=reasons(problem, plan.choice),
            margin=margins(problem, plan.choice, plan.prices),
            smallest_budget=smallest_budgets(problem),
            gain=gain,
            response=with_own_budget(response.result(), plan, problem, policy, table),
            mandate=mandate,
            view=view.result(),
            unfavoured=unfavoured.result(),
            quality=quality,
            ways=ways,
            dropped=dropped.result(),
            held=held.result(),
        )
    record = run_record(
        findings, file=file, options=options, inputs=inputs, steps=steps, author=author
    )
    report = render_report(report_content(findings, record), lang=lang)
    write_run(directory, run_files(findings, record, file=file, report=report))
    return RunSummary.of(findings, directory)


def _tried(valued: Future[ValuedTrial], policy: Policy) -> tuple[ValuedTrial, Problem]:
    """Return the trial and the problem about its rows; made while the plan is solved."""
    return valued.result(), trial_problem(valued.result(), policy)


def _simpler(
    policy: Policy,
    table: ScoreTable,
    problem: Problem,
    tried: Future[tuple[ValuedTrial, Problem]] | None,
) -> SimplerWays | None:
    """Return the simpler ways, which hang on no plan; made while it is solved."""
    valued, trial = tried.result() if tried else (None, None)
    return simpler_ways(policy, table, problem, valued=valued, trial=trial)


def _refuse_existing(directory: Path) -> None:
    """Refuse before the work, not after it."""
    if directory.exists():
        raise DataError(
            Fault(f"--out {directory}", "exists already", "a new directory", "name another one")
        )
