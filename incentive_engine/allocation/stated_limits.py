"""Limits as a policy states them, resolved into linear forms over cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from incentive_engine.allocation.limits import Cells, LinearLimit, ratio_limits, sum_limit
from incentive_engine.allocation.problem import BudgetPool
from incentive_engine.config.amounts import Bound
from incentive_engine.config.policy import Limit as LimitPolicy
from incentive_engine.config.policy import Policy
from incentive_engine.domain import (
    BUDGET,
    COST,
    FACE,
    ISSUED,
    OFFER_MEASURES,
    BoolArray,
)
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import say


def pool_of(policy: Policy) -> BudgetPool | None:
    """Return a policy's budget as the certificate reports it."""
    budget = policy.budget
    if budget is None:
        return None
    return BudgetPool(
        amount=budget.amount,
        basis=budget.basis,
        confidence=budget.confidence,
        cost_error=budget.forecast_error,
    )


def summed_measures(policy: Policy) -> list[str]:
    """Return the measures beside the cost that limits sum and that differ between users."""
    named = [
        measure
        for limit in policy.limits
        for measure in ([limit.sum] if limit.sum else limit.ratio or ())
        if measure != COST and measure not in OFFER_MEASURES
    ]
    return list(dict.fromkeys(named))


def limits_of(policy: Policy, cells: Cells, *, users: int) -> tuple[LinearLimit, ...]:
    """Return a policy's limits, the budget last, over the cells of so many users.

    Raises
    ------
    ConfigError
        With every limit that cannot be stated.
    """
    faults: list[Fault] = []
    limits: list[LinearLimit] = []
    for i, stated in enumerate(policy.limits):
        try:
            bounds = bounds_of(policy, stated, users, where=policy.locate(("limits", i)))
        except ConfigError as error:
            faults.extend(error.faults)
            continue
        offers = None
        if stated.offers is not None:
            offers = np.isin(np.array(policy.offer_ids), np.array(stated.offers))
        for name, members in cells.of_limit(i):
            limits.extend(_stated(stated, name, bounds, members, offers))
    if faults:
        raise ConfigError(*faults)
    limits.extend(_budget(policy))
    return tuple(limits)


def _stated(
    stated: LimitPolicy,
    name: str,
    bounds: tuple[float | None, float | None],
    members: BoolArray | None,
    offers: BoolArray | None,
) -> Iterator[LinearLimit]:
    low, high = bounds
    if stated.sum is None or stated.is_part_of_plan:
        yield from ratio_limits(
            name,
            stated.ratio or (stated.sum or "", stated.sum or ""),
            at_least=low,
            at_most=high,
            cells=members,
            offers=offers,
            report_only=stated.report_only,
            of_plan=stated.is_part_of_plan,
        )
        return
    yield sum_limit(
        name,
        stated.sum,
        at_least=low,
        at_most=high,
        cells=members,
        offers=offers,
        report_only=stated.report_only,
        shares=shares_of(stated),
    )


def shares_of(stated: LimitPolicy) -> tuple[float | None, float | None]:
    """Return the bounds that a limit states in percent, as shares; None for each other one."""
    least, most = (
        bound.value if bound is not None and bound.is_share else None
        for bound in (stated.at_least, stated.at_most)
    )
    return least, most


def linear_forms(policy: Policy) -> list[tuple[LimitPolicy | None, tuple[LinearLimit, ...]]]:
    """Return the enforced limits of a policy with their linear forms, and the budget's at last.

    A form is named by what a ratio with two bounds adds to its limit's name. It counts users of
    every cell, and bounds in percent stand as shares.
    """
    offers = np.array(policy.offer_ids)
    forms: list[tuple[LimitPolicy | None, tuple[LinearLimit, ...]]] = []
    for stated in policy.limits:
        bounds = tuple(None if b is None else b.value for b in (stated.at_least, stated.at_most))
        counted = None if stated.offers is None else np.isin(offers, np.array(stated.offers))
        # unnamed, so that only what a ratio adds to the name is left
        halves = tuple(_stated(stated, "", (bounds[0], bounds[1]), None, counted))
        forms.append((stated, () if stated.report_only else halves))
    return [*forms, *((None, (limit,)) for limit in _budget(policy))]


def bounds_of(
    policy: Policy, stated: LimitPolicy, users: int, *, where: str
) -> tuple[float | None, float | None]:
    """Return a limit's lower and upper bound, percentages resolved.

    Raises
    ------
    ConfigError
        When there is nothing to take a percentage of, or the bounds contradict each other.
    """
    low = _resolved(policy, stated, stated.at_least, users, where=f"{where}.at_least")
    high = _resolved(policy, stated, stated.at_most, users, where=f"{where}.at_most")
    if low is not None and high is not None and low > high:
        raise ConfigError(
            Fault(
                where,
                say(
                    "at_least comes to {low:,.10g}, above at_most {high:,.10g}", low=low, high=high
                ),
                remedy="lower at_least, or raise at_most",
            )
        )
    return low, high


def _resolved(
    policy: Policy, stated: LimitPolicy, bound: Bound | None, users: int, *, where: str
) -> float | None:
    if bound is None or not bound.is_share or bound.of_plan:
        return None if bound is None else bound.value
    if stated.sum == ISSUED:
        return bound.value * users
    if policy.budget is None:
        raise ConfigError(
            Fault(where, "a percentage of the budget, but there is none", "", "give --budget")
        )
    return bound.value * policy.budget.amount


def _budget(policy: Policy) -> Iterator[LinearLimit]:
    if policy.budget is None:
        return
    measure = FACE if policy.budget.basis == "face" else COST
    yield sum_limit(BUDGET, measure, at_most=policy.budget.amount)
