"""What the policy and the certificate say of the users: limits, lots, weights, measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.config.amounts import Bound
from incentive_engine.config.policy import Budget, Limit, Policy
from incentive_engine.data.tables.arrow import whole
from incentive_engine.domain import (
    BUDGET,
    COST,
    FACE,
    ISSUED,
    MONEY_MEASURES,
    OFFER_MEASURES,
    SPEND,
    BoolArray,
    FloatArray,
    score_column,
)

from .arithmetic import exact
from .lots import Lots
from .users import grouped, matching


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LimitGroup:
    """One limit of the policy, or the budget, and the users whom each of its parts counts.

    Parameters
    ----------
    names
        One per part, as the certificate must call them.
    part
        (n,) integers, the part that counts the user, -1 for none; None for one with all users.
    measures
        The measure that is summed; for a ratio numerator and denominator.
    offers
        The offers that count.
    at_most, at_least
        Bounds of every part: of the sum in the measure's units, of the ratio as it stands.
    """

    names: tuple[str, ...]
    part: npt.NDArray[Any] | None
    measures: tuple[str, ...]
    offers: frozenset[str]
    at_most: Fraction | None
    at_least: Fraction | None
    report_only: bool
    of_plan: bool = False
    """Whether the denominator is summed over all users and offers."""

    @property
    def is_ratio(self) -> bool:
        """Whether a ratio of two sums is bounded, not one sum."""
        return len(self.measures) == 2

    @property
    def is_exact(self) -> bool:
        """Whether the sum is one of integers: money paid out in millionths, or users."""
        return not self.is_ratio and self.measures[0] in {COST, FACE, ISSUED}

    def linear_form(self, *amounts: Any) -> Any:  # noqa: ANN401 - arrays or sums
        """Return what a price is put on: the measure, or r·b - a (a - r·b) of a ratio a / b."""
        if not self.is_ratio:
            return amounts[0]
        top, bottom = amounts
        if self.at_least is not None:
            return float(self.at_least) * bottom - top
        return top - float(self.at_most or 0) * bottom

    def size_of_form(self, *amounts: FloatArray) -> FloatArray:
        """Return (b,) the sum of the absolute values of the terms of a linear form."""
        if not self.is_ratio:
            return np.abs(amounts[0])
        top, bottom = map(np.abs, amounts)
        bound = self.at_least if self.at_least is not None else self.at_most
        return np.asarray(top + abs(float(bound or 0)) * bottom)


def groups(
    policy: Policy, users: pa.Table, *, expected: float | None = None
) -> tuple[LimitGroup, ...]:
    """Return the budget, when there is one, and the policy's limits.

    Parameters
    ----------
    expected
        For a budget at risk, the bound on the expected cost that the certificate states.
    """
    everything = frozenset(policy.offer_ids)
    stated: list[LimitGroup] = []
    if policy.budget is not None:
        stated.append(
            LimitGroup(
                names=(BUDGET,),
                part=None,
                measures=(FACE if policy.budget.basis == "face" else COST,),
                offers=everything,
                at_most=exact(_amount(policy.budget, expected)),
                at_least=None,
                report_only=False,
            )
        )
    for limit in policy.limits:
        stated.extend(_of_limit(limit, policy, users))
    return tuple(stated)


def _amount(budget: Budget, expected: float | None) -> float:
    return budget.amount if budget.basis != "at-risk" or expected is None else expected


def _of_limit(limit: Limit, policy: Policy, users: pa.Table) -> Iterator[LimitGroup]:
    part, values = _parts(limit, users)
    bounds = {
        "at_most": _number(limit.at_most, limit, policy, len(users)),
        "at_least": _number(limit.at_least, limit, policy, len(users)),
    }
    ratio = (limit.sum or "",) * 2 if limit.is_part_of_plan else limit.ratio
    split = ratio is not None and None not in bounds.values()
    for sides in [("at_least",), ("at_most",)] if split else [("at_least", "at_most")]:
        suffix = f"[{sides[0]}]" if split else ""
        yield LimitGroup(
            names=tuple(f"{limit.name}{value}{suffix}" for value in values),
            part=part,
            measures=ratio or (limit.sum or "",),
            offers=frozenset(limit.offers or policy.offer_ids),
            at_most=bounds["at_most"] if "at_most" in sides else None,
            at_least=bounds["at_least"] if "at_least" in sides else None,
            report_only=limit.report_only,
            of_plan=limit.is_part_of_plan,
        )


def _parts(limit: Limit, users: pa.Table) -> tuple[npt.NDArray[Any] | None, tuple[str, ...]]:
    """Return the part of each user and how the limit's name goes on for each part."""
    counted = matching(users, limit.where)
    if limit.for_each is None:
        # None for everybody spares a byte per user and a look-up per pair
        part = None if counted.all() else np.where(counted, 0, -1).astype(np.int8)
        return part, ("",)
    codes, values = grouped(whole(users[limit.for_each]))
    small = np.int16 if len(values) < np.iinfo(np.int16).max else np.int32
    part = np.where(counted, codes, -1).astype(small)
    return part, tuple(f"[{value}]" for value in values)


def _number(bound: Bound | None, limit: Limit, policy: Policy, n_users: int) -> Fraction | None:
    if bound is None:
        return None
    if not bound.is_share or bound.of_plan:
        return exact(bound.value)
    if limit.sum in MONEY_MEASURES and policy.budget is not None:
        return exact(bound.value) * exact(policy.budget.amount)
    return exact(bound.value) * n_users


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rules:
    """What the policy and the certificate say of all users.

    Attributes
    ----------
    groups
        The limits, the budget first.
    prices
        Limit name to the price that the certificate states.
    holdout
        (n,) bool.
    held
        (n,) float64, which share of the user's stratum is held out.
    lots
        Who explores.
    weight
        (n,) float64.
    allowed
        Offer to (n,) bool; offers that every user may have are left out.
    measures
        The measures that the score table must have.
    with_spend
        The offers whose incremental spend is known.
    """

    policy: Policy
    groups: tuple[LimitGroup, ...]
    prices: Mapping[str, float]
    holdout: BoolArray
    held: FloatArray
    lots: Lots
    weight: FloatArray
    allowed: Mapping[str, BoolArray]
    measures: tuple[str, ...]
    with_spend: frozenset[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the score table that are looked at."""
        named = [
            score_column(name, offer)
            for offer in self.policy.offer_ids
            for name in self.measures_of(offer)
        ]
        return tuple(named)

    def measures_of(self, offer: str) -> tuple[str, ...]:
        """Return the measures that the score table has of an offer."""
        spend = (SPEND,) if offer in self.with_spend and SPEND not in self.measures else ()
        return (*self.measures, *spend)

    def empty_sums(self) -> tuple[list[list[npt.NDArray[Any]]], list[list[FloatArray]]]:
        """Return zeros per group of limits, measure and part: of sums and of absolute values."""
        totals = [
            [
                np.zeros((2, len(group.names)), np.int64) if group.is_exact
                else np.zeros(len(group.names))
                for _ in group.measures
            ]
            for group in self.groups
        ]  # fmt: skip
        return totals, [
            [np.zeros(len(group.names)) for _ in group.measures] for group in self.groups
        ]


def rules_of_rows(rules: Rules, rows: slice) -> Rules:
    """Return the rules of some users, who count from the first of them."""
    return replace(
        rules,
        groups=tuple(
            group if group.part is None else replace(group, part=group.part[rows])
            for group in rules.groups
        ),
        holdout=rules.holdout[rows],
        held=rules.held[rows],
        lots=replace(rules.lots, drawn=rules.lots.drawn[rows], word=rules.lots.word[rows]),
        weight=rules.weight[rows],
        allowed={offer: may[rows] for offer, may in rules.allowed.items()},
    )


def stored_measures(policy: Policy) -> tuple[str, ...]:
    """Return the measures that a policy needs from the score table."""
    return tuple(name for name in policy.measures if name not in OFFER_MEASURES)
