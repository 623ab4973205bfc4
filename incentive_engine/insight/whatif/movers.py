"""Who gets another offer under changed settings, at the same budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.data.tables.arrow import levels
from incentive_engine.domain import CONVERSION, COST, ChoiceArray, FloatArray
from incentive_engine.insight.budget.study import Study
from incentive_engine.insight.groups import grouping_columns
from incentive_engine.report.pages.whatif import MoveRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(MoveRow):
    """Users of one group who go from one offer to another.

    Attributes
    ----------
    variant, budget
        Where they go; they come from the policy as written at the same budget.
    column
        The attribute whose value is their group.
    """

    variant: str
    budget: float
    column: str


def comparable(base: Study, other: Study) -> bool:
    """Whether two variants decide on the same users, row by row."""
    return bool(base.table.user_id.equals(other.table.user_id))


def moves(base: Study, other: Study) -> Iterator[Move]:
    """Yield the moves at each budget at which both have a plan; users must be comparable."""
    column, codes, groups = _groups(base)
    for budget, point in other.points.items():
        before = base.points.get(budget)
        if before is None or not (before.feasible and point.feasible):
            continue
        first = before.plan.whole(base.curve.users)
        second = point.plan.whole(other.curve.users)
        origin, origins = _places(base, first)
        target, targets = _places(other, second)
        same = np.array(origins)[origin] == np.array(targets)[target]
        moved = np.flatnonzero(~same)
        shape = (len(groups), len(origins), len(targets))
        kind = np.ravel_multi_index((codes[moved], origin[moved], target[moved]), shape)
        gains = [
            _amounts(other, second, moved, measure) - _amounts(base, first, moved, measure)
            for measure in (CONVERSION, COST)
        ]
        size = int(np.prod(shape))
        counts = np.bincount(kind, minlength=size)
        sums = [np.bincount(kind, weights=gain, minlength=size) for gain in gains]
        for position in np.flatnonzero(counts).tolist():
            group, start, end = np.unravel_index(position, shape)
            yield Move(
                variant=other.variant.name,
                budget=budget,
                column=column,
                group=groups[int(group)],
                origin=origins[int(start)],
                target=targets[int(end)],
                users=int(counts[position]),
                conversions=float(sums[0][position]),
                cost=float(sums[1][position]),
            )


def _groups(base: Study) -> tuple[str, npt.NDArray[Any], list[str]]:
    """Return the column that moves are counted by, each user's group and the groups' names."""
    columns = grouping_columns(base.variant.policy, base.table)
    everybody = "(all)"
    if not columns:
        return everybody, np.zeros(base.table.n_users, dtype=np.int64), [everybody]
    values = levels(base.table.attributes.column(columns[0]))
    missing = "(missing)"
    names = [*map(str, values.labels), missing]
    return columns[0], np.where(values.code < 0, len(values.labels), values.code), names


def _places(study: Study, choice: ChoiceArray) -> tuple[npt.NDArray[Any], list[str]]:
    """Return where each user is, and the names of the places."""
    offers = study.table.offers
    place = np.where(choice >= 0, choice, len(offers)).astype(np.int64)
    place[study.holdout] = len(offers) + 1
    none = "none"
    holdout = "holdout"
    return place, [*offers, none, holdout]


def _amounts(
    study: Study, choice: ChoiceArray, users: npt.NDArray[Any], measure: str
) -> FloatArray:
    amounts = np.zeros(len(users))
    if not study.table.has(measure):
        return amounts
    for index, offer in enumerate(study.table.offers):
        mine = choice[users] == index
        amounts[mine] = study.table.measure(measure, offer)[users[mine]]
    return amounts
