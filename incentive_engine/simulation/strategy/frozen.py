"""What is left of a policy's limits when offers are out already."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from incentive_engine.allocation import Choice
from incentive_engine.config.policy import Bound, Limit, Policy
from incentive_engine.data.columns.conditions import matches
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.tables.arrow import levels
from incentive_engine.domain import ISSUED


def remaining_limits(policy: Policy, scores: ScoreTable, issued: Choice) -> tuple[Limit, ...]:
    """Return the limits for the offers to come.

    Bounds of sums shrink by what the issued offers use; percentages are of the money, or of the
    users, of the whole campaign. Ratios hold for the offers to come alone.

    Parameters
    ----------
    policy
        With a budget whose amount is the whole campaign's.
    scores
        Measures of all n users.
    issued
        (n,) int16, -1 for none.
    """
    whole = policy.budget.amount if policy.budget else 0.0
    return tuple(
        _shrunk(single, scores, issued, whole=whole)
        for limit in policy.limits
        for single in _singles(limit, scores)
    )


def _singles(limit: Limit, scores: ScoreTable) -> Iterator[Limit]:
    """Yield one limit per value of `for_each`, or the limit itself."""
    if limit.for_each is None or limit.ratio is not None:
        yield limit
        return
    for value in levels(scores.attributes.column(limit.for_each)).labels:
        where = {**limit.where, limit.for_each: (value,)}
        name = f"{limit.name}[{value}]"
        yield limit.model_copy(update={"name": name, "for_each": None, "where": where})


def _shrunk(limit: Limit, scores: ScoreTable, issued: Choice, *, whole: float) -> Limit:
    if limit.sum is None or limit.is_part_of_plan:
        return limit
    base = float(scores.n_users) if limit.sum == ISSUED else whole
    used = _usage(limit, scores, issued)

    def left(bound: Bound | None) -> Bound | None:
        if bound is None:
            return None
        amount = bound.value * base if bound.is_share else bound.value
        return Bound(max(0.0, amount - used))

    return limit.model_copy(
        update={"at_most": left(limit.at_most), "at_least": left(limit.at_least)}
    )


def _usage(limit: Limit, scores: ScoreTable, issued: Choice) -> float:
    counts = (issued >= 0) & matches(scores.attributes, limit.where)
    used = 0.0
    for j, offer in enumerate(scores.offers):
        if limit.offers is None or offer in limit.offers:
            rows = np.flatnonzero(counts & (issued == j))
            used += float(np.sum(scores.measure(str(limit.sum), offer)[rows]))
    return used
