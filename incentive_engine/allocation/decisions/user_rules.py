"""A frozen policy as look-ups that decide on one user in microseconds.

Conditions, weights and limits read one user's attributes here as `data.conditions`, `weights`,
`cells` and `build` read columns of many; both give the same to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy
from incentive_engine.allocation.decisions.user_attributes import (
    Attributes,
    Conditions,
    attribute_value,
    conditions_of,
    factor_of,
    meets_all,
)
from incentive_engine.allocation.limits import LinearLimit, Terms
from incentive_engine.allocation.stated_limits import linear_forms, summed_measures
from incentive_engine.data.hashing import hash_id
from incentive_engine.data.trials.exploring import arm_key, explorer_key, place_drawn
from incentive_engine.data.trials.holdout import holdout_key
from incentive_engine.domain import (
    BUDGET,
    COST,
    FACE,
    ISSUED,
    MICROS,
    ROUNDING,
    BoolArray,
    to_micros,
)
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say

Cell = tuple[str | None, ...]
"""Per limit the name under which it counts a user, before what a ratio adds; None for not."""


class Pair(NamedTuple):
    """One offer that a user may get: its place in the policy, its value, and its amounts."""

    place: int
    value: float
    amounts: Mapping[str, float]
    cost_micros: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Form:
    """A limit's linear form: what each of its offers adds per issue and per unit of a measure."""

    suffix: str
    """What a ratio with two bounds adds to the limit's name."""
    places: tuple[int, ...]
    per_issue: tuple[float, ...]
    per_unit: Mapping[str, float]

    def usage(self, pair: Pair) -> float:
        """Return what a pair uses of the limit."""
        amounts = pair.amounts
        return self.per_issue[pair.place] + sum(c * amounts[m] for m, c in self.per_unit.items())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LimitRule:
    """A limit of the policy as it meets one user."""

    name: str
    conditions: Conditions
    for_each: str | None
    groups: frozenset[str]
    forms: tuple[Form, ...]
    elsewhere: tuple[Form, ...]
    """What pairs add that the limit does not count, where it is a share of the whole plan."""

    def name_for(self, attributes: Attributes) -> str | None:
        """Return the name under which the limit counts a user, None where it does not."""
        if not meets_all(self.conditions, attributes):
            return None
        if self.for_each is None:
            return self.name
        value = attributes[self.for_each]
        return f"{self.name}[{value}]" if str(value) in self.groups else None

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which the limit counts anybody."""
        if self.for_each is None:
            return (self.name,)
        return tuple(f"{self.name}[{value}]" for value in sorted(self.groups))

    def forms_for(self, counted: str | None) -> Iterator[tuple[str, Form]]:
        """Yield the names and the forms that meet a user whom the limit counts under a name."""
        for name in self.names if self.elsewhere else (counted,):
            if name is not None:
                for form in self.forms if name == counted else self.elsewhere:
                    yield name + form.suffix, form


class UserRules:
    """Answers what a frozen policy says about one user.

    Parameters
    ----------
    frozen
        The policy.
    """

    def __init__(self, frozen: FrozenPolicy) -> None:
        policy, kinds = frozen.policy, frozen.kinds
        self.kinds = kinds
        self.forced = policy.assignment == "exactly_one"
        self.offers = policy.offer_ids
        self.faces = tuple(int(to_micros(offer.face_value)) for offer in policy.offers)
        self.canonical = sorted(range(len(self.offers)), key=self.offers.__getitem__)
        self.priced = (COST, *summed_measures(policy))
        self.needed = frozen.needed
        self.aim = tuple(policy.objective.maximise.items())
        self.eligibility = [
            (conditions_of(rule.where, kinds), frozenset(map(self.offers.index, rule.offers)))
            for rule in policy.eligibility
        ]
        self.limits = tuple(self._limit_rules(frozen))
        self.factors = [
            (factor.column, factor_of(factor, median, kinds[factor.column]))
            for factor, median in zip(policy.objective.weight, frozen.medians, strict=True)
        ]
        self.strata = policy.holdout_strata
        self.cutoffs, self.share_cutoff = frozen.cutoffs, frozen.share_cutoff
        self.key = holdout_key(policy.seed)
        self.held, self.held_elsewhere = frozen.held, policy.holdout or 0.0
        self.explored = frozen.explored
        self.explorer_key, self.arm_key = explorer_key(policy.seed), arm_key(policy.seed)

    def _limit_rules(self, frozen: FrozenPolicy) -> Iterator[LimitRule]:
        policy = frozen.policy
        groups = [*frozen.groups, None]  # the budget's limit comes last
        for (stated, forms), values in zip(linear_forms(policy), groups, strict=False):
            yield LimitRule(
                name=forms[0].name if stated is None else stated.name,
                conditions=() if stated is None else conditions_of(stated.where, frozen.kinds),
                for_each=None if stated is None else stated.for_each,
                groups=frozenset(values or ()),
                forms=tuple(self._forms(forms)),
                elsewhere=tuple(
                    self._form(form, form.everywhere) for form in forms if form.everywhere
                ),
            )

    def _forms(self, forms: tuple[LinearLimit, ...]) -> Iterator[Form]:
        """Yield how limits count the users whom they name."""
        for form in forms:
            yield self._form(form, form.all_terms, form.offers)
            if form.everywhere and form.offers is not None:
                yield self._form(form, form.everywhere, ~form.offers)

    def _form(self, limit: LinearLimit, terms: Terms, offers: BoolArray | None = None) -> Form:
        counted = np.ones(len(self.offers), dtype=bool) if offers is None else offers
        per_issue = [0.0] * len(self.offers)
        per_unit: dict[str, float] = {}
        for measure, coefficient in terms:
            if measure in self.priced:
                per_unit[measure] = per_unit.get(measure, 0.0) + coefficient
                continue
            for place, face in enumerate(self.faces):
                times = face / MICROS if measure == FACE else 1.0
                per_issue[place] += coefficient * times
        return Form(
            suffix="" if limit.name == BUDGET else limit.name,
            places=tuple(np.flatnonzero(counted).tolist()),
            per_issue=tuple(per_issue),
            per_unit=per_unit,
        )

    def attributes_of(self, given: Mapping[str, Any]) -> Attributes:
        """Return a user's attributes, each as one value of its column's kind.

        Raises
        ------
        DataError
            When one is missing, or of another kind.
        """
        try:
            return {
                name: attribute_value(name, kind, given[name]) for name, kind in self.kinds.items()
            }
        except KeyError as error:
            fault = Fault(f"user: {error.args[0]}", "the attribute is missing", "a value, or None")
            raise DataError(fault) from None

    def held_share(self, user_id: int | str, attributes: Attributes) -> float | None:
        """Return which share of the user's stratum is held out; None for who is not."""
        if not self.cutoffs:
            return None
        stratum = tuple(None if attributes[c] is None else str(attributes[c]) for c in self.strata)
        # the holdout is a quota by rank; among known users its last rank says the same
        if hash_id(user_id, self.key) > self.cutoffs.get(stratum, self.share_cutoff):
            return None
        return self.held.get(stratum, self.held_elsewhere)

    def explores(self, user_id: int | str) -> bool:
        """Whether a user outside the holdout gets an arm by lot."""
        return self.explored >= 0 and hash_id(user_id, self.explorer_key) <= self.explored

    def draw(self, user_id: int | str, pairs: Sequence[Pair]) -> tuple[Pair | None, float]:
        """Return which of the pairs that an explorer may get is drawn, and how likely it was.

        None is control, the first arm unless everybody gets an offer.
        """
        arms = [*([] if self.forced else [None]), *pairs]
        if len(arms) < 2:
            return (arms[0] if arms else None), 1.0
        drawn = place_drawn(hash_id(user_id, self.arm_key), len(arms))
        return arms[drawn], 1.0 / len(arms)

    def weight_of(self, attributes: Attributes) -> float:
        """Return how much the user's outcome counts."""
        weight = 1.0
        for column, factor in self.factors:
            weight *= factor(attributes[column])
        return weight

    def cell_of(self, attributes: Attributes) -> Cell:
        """Return which limits count the user."""
        return tuple(limit.name_for(attributes) for limit in self.limits)

    def forms_for(self, cell: Cell) -> Iterator[tuple[str, Form]]:
        """Yield the names and the forms of the limits that count the users of a cell."""
        for limit, name in zip(self.limits, cell, strict=True):
            yield from limit.forms_for(name)

    def pairs_of(
        self, measures: Mapping[str, Any], attributes: Attributes, weight: float
    ) -> Iterator[Pair]:
        """Yield the pairs that the user may get, by the offers' names.

        Raises
        ------
        DataError
            When a measure is missing, infinite, or a cost negative.
        """
        if lacking := [m for m in self.needed if m not in measures]:
            raise DataError(
                Fault(
                    "user",
                    say("measures are missing: {lacking}", lacking=tuple(lacking)),
                    remedy="give every measure that the policy names",
                )
            )
        columns = [(m, measures[m]) for m in self.needed]
        refused: set[int] = set()
        for conditions, places in self.eligibility:
            if not meets_all(conditions, attributes):
                refused |= places
        for place in self.canonical:
            if place not in refused and (amounts := self._amounts(columns, place)):
                micros = micros_of(amounts[COST])
                amounts[COST] = micros / MICROS
                worth = 0.0
                for measure, coefficient in self.aim:
                    worth += coefficient * amounts[measure]
                yield Pair(place, worth * weight, amounts, micros)

    def _amounts(self, columns: list[tuple[str, Any]], place: int) -> dict[str, float] | None:
        """Return a pair's amounts; None where one is not attributes, so that nobody may get it."""
        amounts = {FACE: self.faces[place] / MICROS, ISSUED: 1.0}
        for measure, column in columns:
            amount = float(column[place])
            if not -math.inf < amount < math.inf or (amount < 0 and measure == COST):
                if math.isnan(amount):
                    return None
                raise DataError(
                    Fault(
                        f"user: {measure}",
                        say("{amount:g} is no valid amount", amount=amount),
                        remedy="give a number; costs are 0 or more",
                    )
                )
            amounts[measure] = amount
        return amounts

    def usage_of(self, pair: Pair, cell: Cell) -> dict[str, float]:
        """Return what a pair uses of the limits that count it."""
        return {
            name: form.usage(pair)
            for name, form in self.forms_for(cell)
            if pair.place in form.places
        }


# frozen policies whose look-ups are kept
@lru_cache(maxsize=64)
def rules_of(frozen: FrozenPolicy) -> UserRules:
    """Return a frozen policy's look-ups."""
    return UserRules(frozen)


def micros_of(amount: float) -> int:
    """Return an amount of money in millionths, rounded up, as `domain.to_micros`.

    >>> micros_of(4.03), micros_of(0.0000001)
    (4030000, 1)
    """
    scaled = amount * MICROS
    nearest = round(scaled)
    return nearest if abs(scaled - nearest) <= ROUNDING * abs(scaled) else math.ceil(scaled)
