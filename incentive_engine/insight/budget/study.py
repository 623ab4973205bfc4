"""One variant of a campaign under several budgets: points, limits and the price of safety."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from incentive_engine.allocation.budgets.curve import Curve, CurvePoint
from incentive_engine.allocation.budgets.other_budget import rule_of, with_budget_of
from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.certificate import LimitReport
from incentive_engine.allocation.problem import Problem
from incentive_engine.allocation.risk import SafetyPoint
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import BoolArray
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.insight.budget.chosen_pairs import measures_of
from incentive_engine.insight.budget.variants import CampaignVariant
from incentive_engine.parallel import Advance, unheard
from incentive_engine.pipeline.inputs import Inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCost:
    """One limit at one budget.

    Attributes
    ----------
    budget
        Currency units.
    rule
        How the policy calls it, without the value that `for_each` adds.
    report
        Usage, price and slack.
    gain
        Value gained when this limit alone is dropped; None where it was not asked for.
    rule_gain
        Value gained when the policy's rule is dropped with all its values; None likewise.
    """

    budget: float
    rule: str
    report: LimitReport
    gain: float | None
    rule_gain: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """What is known about a variant.

    Attributes
    ----------
    points
        One per budget, by rising budget; None where the bounds contradict each other there.
    refusals
        Budget to the contradiction.
    limits
        By budget, in the policy's order.
    safety
        At the budget that `focus` names.
    cost_factor
        What the costs of the table were multiplied by; None where no trial tells what plans cost.
    """

    variant: CampaignVariant
    inputs: Inputs
    table: ScoreTable
    holdout: BoolArray
    cost_factor: float | None
    curve: Curve
    points: Mapping[float, CurvePoint]
    refusals: Mapping[float, tuple[Fault, ...]]
    limits: tuple[LimitCost, ...]
    safety: tuple[SafetyPoint, ...]


def study(
    variant: CampaignVariant,
    budgets: Sequence[float],
    *,
    inputs: Inputs,
    table: ScoreTable,
    holdout: BoolArray,
    cost_factor: float | None = None,
    advance: Advance = unheard,
) -> Study:
    """Solve a variant for every budget, all from one problem.

    Parameters
    ----------
    cost_factor
        What the costs of the table were multiplied by.
    advance
        Is told of each budget that is solved, and of each whose limits are known.

    Raises
    ------
    ConfigError
        When a limit cannot be stated for any of the budgets.
    InfeasibleError
        When everybody must get an offer and some may not.
    """
    problem = _built(variant, budgets, table, holdout)
    problems, refusals = _under(problem, variant, budgets)
    curve = Curve(problem, measures_of(table))
    solved = curve.points(list(problems.values()), marginal=True, reasons=True, advance=advance)
    points = dict(zip(problems, solved, strict=True))
    focus = focus_of(budgets)
    # up to so many users times budgets the cost of each limit is found at every budget; beyond, at
    # one of them
    quick = 1_000_000
    everywhere = table.n_users * len(budgets) <= quick
    limits: list[LimitCost] = []
    for budget, point in points.items():
        if point.feasible:
            limits += _limits(curve, point, variant, asked=everywhere or budget == focus)
        advance(1)
    return Study(
        variant=variant,
        inputs=inputs,
        table=table,
        holdout=holdout,
        cost_factor=cost_factor,
        curve=curve,
        points=points,
        refusals=refusals,
        limits=tuple(limits),
        safety=curve.safety(problems[focus]) if focus in problems else (),
    )


def focus_of(budgets: Sequence[float]) -> float:
    """Return the budget that is looked at closely: the middle one."""
    return budgets[len(budgets) // 2]


def _built(
    variant: CampaignVariant, budgets: Sequence[float], table: ScoreTable, holdout: BoolArray
) -> Problem:
    """Return the problem under the largest budget at which no bounds contradict each other."""
    for amount in reversed(budgets):
        try:
            return build_problem(variant.policy.with_budget(amount=amount), table, holdout)
        except ConfigError:
            if amount == budgets[0]:
                raise
    raise ConfigError(Fault("--budgets", "there is none", "at least one amount"))


def _under(
    problem: Problem, variant: CampaignVariant, budgets: Sequence[float]
) -> tuple[dict[float, Problem], dict[float, tuple[Fault, ...]]]:
    problems: dict[float, Problem] = {}
    refusals: dict[float, tuple[Fault, ...]] = {}
    for amount in budgets:
        try:
            problems[amount] = with_budget_of(problem, variant.policy.with_budget(amount=amount))
        except ConfigError as error:
            refusals[amount] = error.faults
    return problems, refusals


def _limits(
    curve: Curve, point: CurvePoint, variant: CampaignVariant, *, asked: bool
) -> Iterator[LimitCost]:
    reports = point.plan.limits(curve.users)
    rules: dict[str, list[str]] = {}
    for report in reports:
        rules.setdefault(rule_of(report.name, variant.policy), []).append(report.name)
    for rule, names in rules.items():
        of_rule = curve.gain_without(point, names) if asked else None
        for report in (report for report in reports if report.name in names):
            if report.report_only:
                yield LimitCost(
                    budget=point.budget, rule=rule, report=report, gain=None, rule_gain=None
                )
                continue
            alone = of_rule
            if asked and len(names) > 1:
                alone = curve.gain_without(point, [report.name])
            yield LimitCost(
                budget=point.budget, rule=rule, report=report, gain=alone, rule_gain=of_rule
            )
