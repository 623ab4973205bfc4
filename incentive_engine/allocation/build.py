"""From a policy and a score table to a problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from incentive_engine.allocation.cells import Cells, draw_cells
from incentive_engine.allocation.limits import Limit, ratio_limits, sum_limit
from incentive_engine.allocation.problem import BUDGET, Pool, Problem
from incentive_engine.allocation.weights import weights_of
from incentive_engine.config import locate
from incentive_engine.config.amounts import Bound
from incentive_engine.config.schema import Limit as LimitPolicy
from incentive_engine.config.schema import Policy
from incentive_engine.data.conditions import matches
from incentive_engine.data.hashing import hash_ids
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import (
    CONVERSION,
    COST,
    FACE,
    ISSUED,
    MICROS,
    OFFER_MEASURES,
    SPEND,
    BoolArray,
    FloatArray,
    to_micros,
)
from incentive_engine.errors import ConfigError, Fault

KEY: Final = b"0123456789123456"
"""Ties are broken by a hash with this key; another one would change plans."""


def build_problem(policy: Policy, scores: ScoreTable, holdout: BoolArray) -> Problem:
    """Return the problem that a policy states about scored users.

    Parameters
    ----------
    holdout
        (n,) bool, users that never get an offer.

    Raises
    ------
    ConfigError
        With every limit that cannot be stated: a percentage of a budget that is not given, or
        bounds that contradict each other once percentages are resolved.
    """
    cells = draw_cells(policy, scores.attributes)
    limits = _limits(policy, scores, cells)
    columns = (COST, *_summed(policy))
    measured = np.stack([_columns(scores, name) for name in columns])
    weight = weights_of(scores.attributes, policy.objective.weight)
    return Problem(
        offers=scores.offers,
        value=_values(policy, scores, weight, _eligible(policy, scores) & ~holdout),
        measures=columns,
        columns=measured,
        face=np.array([offer.face_value for offer in policy.offers], dtype=np.float64),
        cell=cells.label,
        n_cells=cells.number,
        limits=limits,
        exactly_one=policy.assignment == "exactly_one",
        holdout=np.asarray(holdout, dtype=bool),
        weight=weight,
        key=hash_ids(scores.user_id, KEY),
        pool=pool_of(policy),
    )


def pool_of(policy: Policy) -> Pool | None:
    """Return a policy's budget as the certificate reports it."""
    budget = policy.budget
    if budget is None:
        return None
    return Pool(
        amount=budget.amount,
        basis=budget.basis,
        confidence=budget.confidence,
        cost_error=budget.forecast_error,
    )


def _summed(policy: Policy) -> list[str]:
    named = [
        measure
        for limit in policy.limits
        for measure in ([limit.sum] if limit.sum else limit.ratio or ())
        if measure != COST and measure not in OFFER_MEASURES
    ]
    return list(dict.fromkeys(named))


def _columns(scores: ScoreTable, measure: str) -> FloatArray:
    return np.stack([scores.measure(measure, offer) for offer in scores.offers], dtype=np.float64)


def _values(
    policy: Policy, scores: ScoreTable, weight: FloatArray, eligible: BoolArray
) -> FloatArray:
    value = np.zeros(eligible.shape)
    for j, offer in enumerate(scores.offers):
        for measure, coefficient in policy.objective.maximise.items():
            column = scores.measure(measure, offer)
            if measure == COST:
                column = _rounded(column)
            value[j] += coefficient * column
        value[j] *= weight
    value[~eligible] = -np.inf
    return value


def _rounded(cost: FloatArray) -> FloatArray:
    known = np.isfinite(cost)
    return np.where(known, to_micros(np.where(known, cost, 0.0)) / MICROS, np.nan)


def _eligible(policy: Policy, scores: ScoreTable) -> BoolArray:
    """Return (k, n) bool: allowed by the rules, and every measure is known."""
    eligible = np.ones((len(scores.offers), scores.n_users), dtype=bool)
    needed = dict.fromkeys((CONVERSION, COST, SPEND, *policy.measures))
    for j, offer in enumerate(scores.offers):
        for measure in needed:
            if scores.has(measure):
                eligible[j] &= ~np.isnan(scores.measure(measure, offer))
    for rule in policy.eligibility:
        allowed = matches(scores.attributes, rule.where)
        for offer in rule.offers:
            eligible[scores.offers.index(offer)] &= allowed
    return eligible


def _limits(policy: Policy, scores: ScoreTable, cells: Cells) -> tuple[Limit, ...]:
    faults: list[Fault] = []
    limits: list[Limit] = []
    for i, stated in enumerate(policy.limits):
        try:
            bounds = bounds_of(policy, stated, scores.n_users, where=locate(policy, ("limits", i)))
        except ConfigError as error:
            faults.extend(error.faults)
            continue
        offers = None
        if stated.offers is not None:
            offers = np.isin(np.array(scores.offers), np.array(stated.offers))
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
    members: BoolArray,
    offers: BoolArray | None,
) -> Iterator[Limit]:
    low, high = bounds
    make = (
        sum_limit(name, stated.sum, at_least=low, at_most=high, cells=members, offers=offers,
                  report_only=stated.report_only),
    ) if stated.sum else ratio_limits(
        name, stated.ratio or ("", ""), at_least=low, at_most=high, cells=members, offers=offers,
        report_only=stated.report_only)  # fmt: skip
    yield from make


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
            Fault(where, f"at_least comes to {low:,.10g}, above at_most {high:,.10g}")
        )
    return low, high


def _resolved(
    policy: Policy, stated: LimitPolicy, bound: Bound | None, users: int, *, where: str
) -> float | None:
    if bound is None or not bound.is_share:
        return None if bound is None else bound.value
    if stated.sum == ISSUED:
        return bound.value * users
    if policy.budget is None:
        raise ConfigError(
            Fault(where, "a percentage of the budget, but there is none", "", "give --budget")
        )
    return bound.value * policy.budget.amount


def _budget(policy: Policy) -> Iterator[Limit]:
    if policy.budget is None:
        return
    measure = FACE if policy.budget.basis == "face" else COST
    yield sum_limit(BUDGET, measure, at_most=policy.budget.amount)
