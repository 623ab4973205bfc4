"""What other budgets would bring, as the report's slider shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from incentive_engine.allocation import (
    Curve,
    CurvePoint,
    Frontier,
    Problem,
    Split,
    frontier,
    sums_by_group,
    with_budget_of,
)
from incentive_engine.config import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import CONVERSION, COST, SPEND, FloatArray
from incentive_engine.report import Response, ResponsePoint, ResponseRow
from incentive_engine.workflow.policies import budget_of

SMALLEST: Final = 20
"""Figures of fewer users than this stay out of the report: nobody may be recognised in it."""

ROWS: Final = 200
"""Budgets that the slider knows, where they cost nothing to know."""

BELOW: Final = (0.25, 0.5, 0.75, 1.0)
TOP: Final = 2.0
"""Budgets that are solved where several limits decide, as multiples of the plan's own."""

ABOVE: Final = 1
"""Budgets that are solved between the plan's own and the largest that is used up."""

MOST_GROUPS: Final = 8
"""Groups of users that the slider shows; the smallest of more stand together."""

SAME: Final = 1e-6
"""The relative difference within which two points of the curve count as one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """Users in groups that are large enough to show.

    Attributes
    ----------
    code
        (n,) uint8.
    names
        One per code.
    """

    code: np.typing.NDArray[np.uint8]
    names: tuple[str, ...]


def budget_response(policy: Policy, problem: Problem, table: ScoreTable) -> Response | None:
    """Return what any budget brings; nothing without a budget, or with too few users.

    With money as the only limit, every user's efficient steps tell it for all budgets. With
    further limits some budgets are solved; limits in percent of the budget move with it.
    """
    if policy.budget is None or policy.budget.amount == 0:
        return None
    groups = large_groups(policy, table.attributes)
    split = Split(group=groups.code, groups=len(groups.names), amounts=_amounts(table))
    if _money_alone(problem):
        found = frontier(problem, split, rows=ROWS, smallest=SMALLEST)
        return None if found is None else _exact(found, groups, table)
    if table.n_users < SMALLEST:
        return None
    curve = Curve(problem)
    points = budget_curve(curve, problem, policy)
    if len(points) < 2:
        return None
    return Response(
        exact=False,
        groups=groups.names,
        points=tuple(
            ResponsePoint(
                budget=point.budget,
                spent=point.used,
                value=point.value,
                price=point.price,
                groups=_rows(sums_by_group(curve.users, point.plan, split), table),
            )
            for point in points
        ),
        smallest=SMALLEST,
    )


def budget_curve(curve: Curve, problem: Problem, policy: Policy) -> tuple[CurvePoint, ...]:
    """Return solved budgets around the plan's own, no two of them alike.

    Where twice the budget is not used up, the points end soon after what is.
    """
    amount = budget_of(policy).amount

    def solved(amounts: list[float]) -> tuple[CurvePoint, ...]:
        policies = [policy.with_budget(amount=each) for each in amounts]
        return curve.points([with_budget_of(problem, each) for each in policies])

    top = solved([amount * TOP])[0]
    end = max(top.used, amount) if top.feasible and top.price == 0 else top.budget
    above: list[float] = np.linspace(amount, end, ABOVE + 1)[1:].tolist()
    points = (*solved([amount * share for share in BELOW] + above), top)
    return _distinct([point for point in points if point.feasible])


def large_groups(policy: Policy, attributes: pd.DataFrame) -> Groups:
    """Return the users by the first column that the policy groups them by, all in one without."""
    columns = group_columns(policy)
    if not columns:
        return Groups(code=np.zeros(len(attributes), dtype=np.uint8), names=("",))
    codes, labels = pd.factorize(attributes[columns[0]], use_na_sentinel=True, sort=True)
    sizes = np.bincount(codes[codes >= 0], minlength=len(labels))
    large = np.argsort(-sizes, kind="stable")[: MOST_GROUPS - 1]
    kept = [int(code) for code in sorted(large) if sizes[code] >= SMALLEST]
    place = np.full(len(labels) + 1, len(kept), dtype=np.uint8)  # the last place: all others
    place[kept] = np.arange(len(kept))
    code = place[codes]
    names = [str(labels[at]) for at in kept]
    return Groups(code=code, names=(*names, "…") if (code == len(kept)).any() else tuple(names))


def group_columns(policy: Policy) -> tuple[str, ...]:
    """Return the columns that the policy groups users by, each once."""
    named = [factor.column for factor in policy.objective.weight if factor.power is None]
    named += policy.holdout_strata
    named += [limit.for_each for limit in policy.limits if limit.for_each]
    return tuple(dict.fromkeys(named))


def _money_alone(problem: Problem) -> bool:
    at_risk = problem.pool is None or problem.pool.basis == "at-risk"
    return not at_risk and len(problem.enforced) == 1


def _distinct(points: list[CurvePoint]) -> tuple[CurvePoint, ...]:
    """Return the points by rising budget without those that use no more money than the others."""
    kept: list[CurvePoint] = []
    for point in sorted(points, key=lambda point: point.budget):
        if not kept or point.used > kept[-1].used * (1 + SAME):
            kept.append(point)
    return tuple(kept)


def _amounts(table: ScoreTable) -> tuple[tuple[FloatArray, ...], ...]:
    measures = (CONVERSION, COST, SPEND) if table.has(SPEND) else (CONVERSION, COST)
    return tuple(tuple(table.measure(name, offer) for offer in table.offers) for name in measures)


def _exact(found: Frontier, groups: Groups, table: ScoreTable) -> Response:
    return Response(
        exact=True,
        groups=tuple(", ".join(groups.names[code] for code in codes) for codes in found.members),
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
        smallest=SMALLEST,
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
