"""What other budgets would bring, as the report's slider shows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import numpy as np

from incentive_engine.allocation.budgets.curve import Curve, CurvePoint
from incentive_engine.allocation.budgets.efficient_steps import Breakdown
from incentive_engine.allocation.budgets.frontier import Frontier, frontier
from incentive_engine.allocation.budgets.other_budget import with_budget_of
from incentive_engine.allocation.budgets.sampled_curve import (
    SweptPoint,
    group_sums,
    sums_by_group,
    swept_points,
)
from incentive_engine.allocation.params import PAGE
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.sources.source import Source
from incentive_engine.data.step_cache import StepCache
from incentive_engine.domain import BUDGET, CONVERSION, COST, SPEND, Columns, FloatArray
from incentive_engine.insight.params import INSIGHT
from incentive_engine.insight.small_groups import ResponseGroups, large_groups
from incentive_engine.report.evidence import Response, ResponsePoint, ResponseRow

RESPONSE_SOURCES: Final = ("allocation", "insight")
"""What makes a response beyond the sources of every step."""


Keep = Callable[[Policy, Callable[[], Response]], Response]
"""Gives what other budgets bring under a policy: what it has kept, or what the function finds."""


def solve_anew(_policy: Policy, solved: Callable[[], Response]) -> Response:
    """Keep nothing."""
    return solved()


def kept_beside(scores: Source) -> Keep:
    """Keep what other budgets bring in the cache of steps, by the digest of the scores."""

    def keep(policy: Policy, solved: Callable[[], Response]) -> Response:
        inputs = {
            "scores": scores.digest(),
            "policy": policy.model_dump_json(exclude={"budget": {"amount"}, "data": True}),
        }
        step = StepCache().run(
            "response",
            inputs,
            lambda directory: _write(solved(), directory / "response.json"),
            sources=RESPONSE_SOURCES,
        )
        return _read(step.path / "response.json")

    return keep


def budget_response(
    policy: Policy, problem: Problem, table: ScoreTable, *, keep: Keep = solve_anew
) -> Response | None:
    """Return what any budget brings; nothing without a budget, or with too few users.

    With money as the only limit, every user's efficient steps tell it for all budgets. With
    further limits some budgets are solved, and kept for plans of the same campaign with another
    budget; limits in percent of the budget move with it.

    Parameters
    ----------
    keep
        Who remembers it for the campaign's next plan.
    """
    if policy.budget is None or policy.budget.amount == 0:
        return None
    if _money_alone(problem):
        split, groups = _split(policy, table)
        # budgets that the slider knows, where they cost nothing to know
        efficient = frontier(problem, split, rows=200, smallest=INSIGHT.smallest_group)
        return None if efficient is None else _exact(efficient, groups, table)
    if table.n_users < INSIGHT.smallest_group:
        return None
    response = keep(policy, lambda: _solved(policy, problem, table))
    return response if response.points else None


def with_own_budget(
    response: Response | None,
    plan: Allocation,
    problem: Problem,
    policy: Policy,
    table: ScoreTable,
) -> Response | None:
    """Return solved points with that of the plan among them."""
    if response is None or response.exact:
        return response
    split, _ = _split(policy, table)
    money = plan.certificate.budget
    spent = money.spent_face if money.basis == "face" and money.spent_face else money.spent
    mine = ResponsePoint(
        budget=money.amount or spent,
        spent=spent,
        value=plan.certificate.value,
        price=plan.prices.get(BUDGET, 0.0),
        groups=_rows(group_sums(problem, plan.choice, split), table),
    )
    below = [p for p in response.points if p.budget < mine.budget and _more(mine, p)]
    above = [p for p in response.points if p.budget > mine.budget and _more(p, mine)]
    return replace(response, points=(*below, mine, *above))


def _more(point: ResponsePoint, other: ResponsePoint) -> bool:
    """Return whether a point spends more than another.

    Where further limits hold spending below the budget, larger budgets are the same point.
    """
    # the relative difference within which two points of the curve count as one
    same = 1e-6
    return point.spent > other.spent * (1 + same)


def _solved(policy: Policy, problem: Problem, table: ScoreTable) -> Response:
    split, groups = _split(policy, table)
    curve = Curve(problem, params=PAGE)
    most = curve.most(problem)
    # budgets that are solved where several limits decide, as shares of what would be spent if
    # nothing had a price. They do not hang on the plan's own, so that they are solved once
    policies = [
        policy.with_budget(amount=most * share)
        for share in (0.03, 0.1, 0.22, 0.42, 0.7, 1.0)
        if most > 0
    ]
    problems = [with_budget_of(problem, each) for each in policies]
    at_risk = problem.pool is not None and problem.pool.basis == "at-risk"
    if problem.n_users > PAGE.curve.sampled_beyond and problems and not at_risk:
        points = [_swept(point, table) for point in swept_points(problems, split, PAGE.curve)]
    else:
        solved = [point for point in curve.points(problems) if point.feasible]
        points = [_point(point, curve, split, table) for point in solved]
    return Response(
        exact=False,
        groups=groups.names,
        column=groups.column,
        points=_distinct(points),
        smallest=INSIGHT.smallest_group,
    )


def _split(policy: Policy, table: ScoreTable) -> tuple[Breakdown, ResponseGroups]:
    groups = large_groups(policy, table.attributes)
    split = Breakdown(group=groups.code, groups=len(groups.names), amounts=_amounts(table))
    return split, groups


def _point(point: CurvePoint, curve: Curve, split: Breakdown, table: ScoreTable) -> ResponsePoint:
    return ResponsePoint(
        budget=point.budget,
        spent=point.used,
        value=point.value,
        price=point.price,
        groups=_rows(sums_by_group(curve.users, point.plan, split), table),
    )


def _swept(point: SweptPoint, table: ScoreTable) -> ResponsePoint:
    return ResponsePoint(
        budget=point.budget,
        spent=point.used,
        value=point.value,
        price=point.price,
        groups=_rows(point.sums, table),
    )


def _write(response: Response, file: Path) -> None:
    file.write_text(json.dumps(asdict(response)), encoding="utf-8")


def _read(file: Path) -> Response:
    content = json.loads(file.read_text(encoding="utf-8"))
    points = tuple(
        ResponsePoint(**{**point, "groups": tuple(ResponseRow(**row) for row in point["groups"])})
        for point in content["points"]
    )
    return Response(**{**content, "groups": tuple(content["groups"]), "points": points})


def _money_alone(problem: Problem) -> bool:
    at_risk = problem.pool is None or problem.pool.basis == "at-risk"
    return not at_risk and len(problem.enforced) == 1 and problem.explorers is None


def _distinct(points: list[ResponsePoint]) -> tuple[ResponsePoint, ...]:
    """Return the points by rising budget without those that use no more money than the others."""
    distinct: list[ResponsePoint] = []
    for point in sorted(points, key=lambda point: point.budget):
        if not distinct or _more(point, distinct[-1]):
            distinct.append(point)
    return tuple(distinct)


def _amounts(table: ScoreTable) -> tuple[Columns, ...]:
    return tuple(table.measures[name] for name in (CONVERSION, COST, SPEND) if table.has(name))


def _exact(found: Frontier, groups: ResponseGroups, table: ScoreTable) -> Response:
    return Response(
        exact=True,
        groups=tuple(", ".join(groups.names[code] for code in codes) for codes in found.members),
        column=groups.column,
        points=tuple(
            ResponsePoint(
                budget=float(money),
                spent=float(money),
                value=float(value),
                price=float(price),
                groups=_rows(np.delete(row, 1, axis=1), table),
            )
            for money, value, price, row in zip(
                found.money, found.value, found.price, found.sums, strict=True
            )
        ),
        width=found.width,
        error=found.error,
        smallest=INSIGHT.smallest_group,
    )


def _rows(sums: FloatArray, table: ScoreTable) -> tuple[ResponseRow, ...]:
    """Return the rows of (G, 2 + a) sums: value, users with an offer, and the amounts."""
    return tuple(
        ResponseRow(
            value=row[0],
            treated=row[1],
            conversions=row[2],
            cost=row[3],
            spend=row[4] if table.has(SPEND) else None,
        )
        for row in sums.tolist()
    )
