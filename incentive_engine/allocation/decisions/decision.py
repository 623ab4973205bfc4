"""One user's choice: a pure function of the user, the frozen policy and the prices.

It takes every step in float64 and in the order in which the sweep over all users takes it, so
that both agree to the last bit: conditions, weights and limits read one user's attributes here as
`data.conditions`, `weights`, `cells` and `build` read columns of many. What a frozen policy says
is looked up in `UserRules`, in microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, User
from incentive_engine.allocation.decisions.limit_rules import (
    Cell,
    Form,
    FormMaker,
    LimitRule,
    Pair,
)
from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.allocation.decisions.user_attributes import (
    Attributes,
    attribute_value,
    comparable,
    conditions_of,
    meets_all,
)
from incentive_engine.allocation.stated_limits import linear_forms, summed_measures
from incentive_engine.allocation.weights import power_of
from incentive_engine.config.policy import WeightFactor
from incentive_engine.data.hashing import hash_id
from incentive_engine.data.trials.exploring import arm_key, explorer_key, place_drawn
from incentive_engine.data.trials.holdout import holdout_key
from incentive_engine.domain import (
    COST,
    FACE,
    ISSUED,
    MICROS,
    ROUNDING,
    AttributeKind,
    Reason,
    to_micros,
)
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say


class OfferChoice(NamedTuple):
    """What one user gets, and why.

    Attributes
    ----------
    offer_id
        None where no offer is the best.
    reason
        As in allocation.parquet.
    value
        What the choice adds to the plan's value, 0 for none.
    cost_micros, face_micros
        What it is expected to cost, and at most, in millionths of the currency unit.
    usage
        Limit name to what the choice uses of each enforced limit that counts it.
    propensity
        How likely it was where chance decided: for explorers among the arms that they may get,
        for the holdout which share of the stratum is held out; 1 where nothing was random.
    """

    offer_id: str | None
    reason: Reason
    value: float = 0.0
    cost_micros: int = 0
    face_micros: int = 0
    usage: Mapping[str, float] = {}
    propensity: float = 1.0


def decide(user: User, frozen: FrozenPolicy, prices: Prices) -> OfferChoice:
    """Return the offer that is worth most to the plan for one user at the prices, or none.

    Raises
    ------
    DataError
        When the prices belong to another policy, or the user lacks what the policy needs.
    """
    # prices of other limits would decide silently wrong
    if prices.policy != frozen.digest:
        remedy = "read both files from one run"
        raise DataError(Fault("prices", "they belong to another policy", frozen.digest, remedy))
    rules = rules_of(frozen)
    attributes = rules.attributes_of(user.attributes)
    if (share := rules.held_share(user.user_id, attributes)) is not None:
        return OfferChoice(None, Reason.HOLDOUT, propensity=share)
    weight, cell = rules.weight_of(attributes), rules.cell_of(attributes)
    pairs = [*rules.pairs_of(user.measures, attributes, weight)]
    if rules.explores(user.user_id):
        drawn, propensity = rules.draw(user.user_id, pairs)
        if propensity < 1.0:
            return _choice(rules, drawn, cell, Reason.EXPLORED, propensity)
    paid = prices_of_pairs(frozen, prices, cell)
    best: Pair | None = None
    top, helped, eligible = -math.inf if rules.forced else 0.0, False, False
    # by name, and the first of equal ones wins, as in the sweep over all users
    for pair in pairs:
        score = pair.value - paid[pair.place].issued
        for measure, price in paid[pair.place].measures:
            score -= price * pair.amounts[measure]
        eligible, helped = True, helped or pair.value > 0
        if score > top:
            best, top = pair, score
    without_gain = Reason.NO_GAIN if eligible else Reason.INELIGIBLE
    return _choice(rules, best, cell, Reason.PRICED_OUT if helped else without_gain)


def _choice(
    rules: UserRules, pair: Pair | None, cell: Cell, without: Reason, propensity: float = 1.0
) -> OfferChoice:
    """Return a pair as the choice, or none, for a reason."""
    if pair is None:
        return OfferChoice(None, without, propensity=propensity)
    return OfferChoice(
        rules.offers[pair.place],
        Reason.OFFERED,
        pair.value,
        pair.cost_micros,
        rules.faces[pair.place],
        rules.usage_of(pair, cell),
        propensity,
    )


class PairPrice(NamedTuple):
    """What one offer costs a user at the prices: if issued, and per unit of measures."""

    issued: float
    measures: tuple[tuple[str, float], ...]


# cells times versions of prices whose pair prices are kept
@lru_cache(maxsize=1 << 16)
def prices_of_pairs(frozen: FrozenPolicy, prices: Prices, cell: Cell) -> tuple[PairPrice, ...]:
    """Return what each offer of the policy costs the users of a cell.

    Prices of limits are added in the order of the limits' names, as the sweep over all users adds
    them.
    """
    rules = rules_of(frozen)
    named = sorted(rules.forms_for(cell), key=lambda item: item[0])
    issued = [0.0] * len(rules.faces)
    per_unit = [{**dict.fromkeys(rules.priced, 0.0), COST: prices.per_cost} for _ in rules.faces]
    for name, form in named:
        price = prices.by_limit.get(name, 0.0)
        for place in form.places:
            issued[place] += form.per_issue[place] * price
            for measure, coefficient in form.per_unit.items():
                per_unit[place][measure] += coefficient * price
    return tuple(
        PairPrice(count, tuple((m, price) for m, price in units.items() if price))
        for count, units in zip(issued, per_unit, strict=True)
    )


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
            (factor.column, _factor_of(factor, median, kinds[factor.column]))
            for factor, median in zip(policy.objective.weight, frozen.medians, strict=True)
        ]
        self.strata = policy.holdout_strata
        self.cutoffs, self.share_cutoff = frozen.cutoffs, frozen.share_cutoff
        self.key = holdout_key(policy.seed)
        self.held, self.held_elsewhere = frozen.held, policy.holdout or 0.0
        self.explored = frozen.explored
        self.explorer_key, self.arm_key = explorer_key(policy.seed), arm_key(policy.seed)

    def _limit_rules(self, frozen: FrozenPolicy) -> Iterator[LimitRule]:
        policy, forms = frozen.policy, FormMaker(faces=self.faces, priced=self.priced)
        groups = [*frozen.groups, None]  # the budget's limit comes last
        for (stated, limits), values in zip(linear_forms(policy), groups, strict=False):
            yield LimitRule(
                name=limits[0].name if stated is None else stated.name,
                conditions=() if stated is None else conditions_of(stated.where, frozen.kinds),
                for_each=None if stated is None else stated.for_each,
                groups=frozenset(values or ()),
                forms=tuple(forms.counted(limits)),
                elsewhere=tuple(forms.elsewhere(limits)),
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


def _factor_of(
    factor: WeightFactor, median: float | None, kind: AttributeKind
) -> Callable[[Any], float]:
    """Return a function from an attribute's value to a factor of the user's weight."""
    if median is not None:
        return lambda value: 1.0 if value is None else power_of(value, factor, median)
    table: dict[Any, float] = {}
    for value, times in factor.model_dump()["values"].items():
        for same in comparable((value,), kind):
            table[same] = times
    return lambda value: table.get(value, 1.0)


def micros_of(amount: float) -> int:
    """Return an amount of money in millionths, rounded up, as `domain.to_micros`.

    >>> micros_of(4.03), micros_of(0.0000001)
    (4030000, 1)
    """
    scaled = amount * MICROS
    nearest = round(scaled)
    return nearest if abs(scaled - nearest) <= ROUNDING * abs(scaled) else math.ceil(scaled)
