"""One user's choice: a pure function of the user, the frozen policy and the prices.

It takes every step in float64 and in the order in which the sweep over all users takes it, so
that both agree to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, Prices, User
from incentive_engine.allocation.decisions.user_rules import Cell, Pair, UserRules, rules_of
from incentive_engine.domain import COST, Reason
from incentive_engine.errors import DataError, Fault


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
