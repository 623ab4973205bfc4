"""Limits of a policy as they meet one user, and what pairs use of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from incentive_engine.allocation.decisions.user_attributes import Attributes, Conditions, meets_all
from incentive_engine.allocation.limits import LinearLimit, Terms
from incentive_engine.domain import BUDGET, FACE, MICROS, BoolArray

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


@dataclass(frozen=True, slots=True, kw_only=True)
class FormMaker:
    """Makes forms of linear limits.

    Attributes
    ----------
    faces
        Face value of each offer, millionths.
    priced
        The measures that differ between users.
    """

    faces: Sequence[int]
    priced: Collection[str]

    def counted(self, limits: Sequence[LinearLimit]) -> Iterator[Form]:
        """Yield how limits count the users whom they name."""
        for limit in limits:
            yield self._form(limit, limit.all_terms, limit.offers)
            if limit.everywhere and limit.offers is not None:
                yield self._form(limit, limit.everywhere, ~limit.offers)

    def elsewhere(self, limits: Sequence[LinearLimit]) -> Iterator[Form]:
        """Yield what limits add of all other users, where they are a share of the whole plan."""
        for limit in limits:
            if limit.everywhere:
                yield self._form(limit, limit.everywhere)

    def _form(self, limit: LinearLimit, terms: Terms, offers: BoolArray | None = None) -> Form:
        counted = np.ones(len(self.faces), dtype=bool) if offers is None else offers
        per_issue = [0.0] * len(self.faces)
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
