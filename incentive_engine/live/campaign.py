"""A verified run as live decisions need it: its limits, its users, its prices, its dates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from incentive_engine.allocation.decisions.decision import OfferChoice, decide, micros_of, rules_of
from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, User
from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.config.policy import Policy
from incentive_engine.config.schedule.moments import in_zone
from incentive_engine.domain import MICROS, Reason
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.live.actions import Change
from incentive_engine.live.ledger.records import Claims
from incentive_engine.live.ledger.stores.store import Terms
from incentive_engine.live.population import Planned, RunPopulation
from incentive_engine.run.finished import FinishedRun


class Window(NamedTuple):
    """When an offer can be redeemed, microseconds since 1970; None for no end."""

    start: int | None
    end: int | None


class Choice(NamedTuple):
    """What one user is to get, and what it counts in each limit."""

    offer_id: str | None
    reason: str
    cost: int
    face: int
    claims: Claims
    propensity: float


@dataclass(kw_only=True)
class LiveCampaign:
    """What a server decides by; `prices` is replaced whole while it serves.

    Attributes
    ----------
    planned_version
        The version of the prices at which a user of the run gets what the plan gives him.
    windows
        Offer to the time in which it can be redeemed.
    hours
        When the campaign itself runs; None where the policy does not say.
    paused, blocked
        Offers that nobody gets any more, and users who get none.
    """

    run: FinishedRun
    frozen: FrozenPolicy
    prices: Prices
    planned_version: int
    population: RunPopulation
    terms: Terms
    places: Mapping[str, int]
    measures: Mapping[str, str | None]
    windows: Mapping[str, Window]
    hours: Window | None
    paused: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()

    @cached_property
    def open_time(self) -> Window:
        """When anything can be decided: in the campaign's hours, or while an offer can be used."""
        if self.hours is not None:
            return self.hours
        starts, ends = zip(*self.windows.values(), strict=True)
        return Window(None if None in starts else min(starts), None if None in ends else max(ends))

    def obey(self, change: Change) -> None:
        """Take over what somebody accepted while the campaign runs; caps are the ledger's."""
        self.paused |= frozenset(change.paused)
        self.blocked |= frozenset(change.blocked)
        if change.prices is not None:
            self.prices = self.prices.next(change.prices)

    def choose(self, user_id: int | str) -> Choice | None:
        """Return what a user of the run gets at the prices of now; None for an unknown one."""
        planned = self.population.find(user_id)
        if planned is None:
            return None
        if self.prices.version != self.planned_version or planned.offer_id in self.paused:
            return self.decide(planned.user)
        if str(user_id) in self.blocked:
            return Choice(None, Reason.INELIGIBLE, 0, 0, (), planned.propensity)
        return self._as_planned(planned)

    def planned(self, user_id: int | str) -> Choice:
        """Return what the plan gives a user of the run, whatever holds now."""
        planned = self.population.find(user_id)
        assert planned is not None
        return self._as_planned(planned)

    def _as_planned(self, planned: Planned) -> Choice:
        if planned.offer_id is None:
            return Choice(None, planned.reason, 0, 0, (), planned.propensity)
        chosen = as_planned(planned.user, self.frozen, planned.offer_id)
        return self.choice_of(chosen)._replace(propensity=planned.propensity)

    def decide(self, user: User) -> Choice:
        """Return what a user gets at the prices of now, without what is paused."""
        if str(user.user_id) in self.blocked:
            return Choice(None, Reason.INELIGIBLE, 0, 0, (), 1.0)
        return self.choice_of(decide(self._without_paused(user), self.frozen, self.prices))

    def _without_paused(self, user: User) -> User:
        """Return a user with nothing known of paused offers, which makes them ineligible."""
        if not self.paused:
            return user
        gone = [offer in self.paused for offer in self.frozen.policy.offer_ids]
        measures = {
            name: [math.nan if is_gone else x for x, is_gone in zip(values, gone, strict=True)]
            for name, values in user.measures.items()
        }
        return replace(user, measures=measures)

    def choice_of(self, chosen: OfferChoice) -> Choice:
        """Return a decision with what it claims of each limit."""
        claims = []
        for name, usage in chosen.usage.items():
            place = self.places.get(name)
            if place is not None:
                is_count = self.terms.limits[place].is_count
                claims.append((place, round(usage) if is_count else micros_of(usage)))
        claims.sort()
        return Choice(
            chosen.offer_id,
            chosen.reason,
            chosen.cost_micros,
            chosen.face_micros,
            tuple(claims),
            chosen.propensity,
        )


def as_planned(user: User, frozen: FrozenPolicy, offer_id: str) -> OfferChoice:
    """Return a given offer of a user as `decide` would, had it chosen that one.

    Raises
    ------
    DataError
        When the user may not get it.
    """
    rules = rules_of(frozen)
    attributes = rules.attributes_of(user.attributes)
    cell = rules.cell_of(attributes)
    for pair in rules.pairs_of(user.measures, attributes, rules.weight_of(attributes)):
        if rules.offers[pair.place] == offer_id:
            usage = rules.usage_of(pair, cell)
            face = rules.faces[pair.place]
            return OfferChoice(offer_id, Reason.OFFERED, pair.value, pair.cost_micros, face, usage)
    raise DataError(Fault("user", say("may not get {offer_id}", offer_id=offer_id)))


def windows_of(policy: Policy) -> dict[str, Window]:
    """Return when each offer can be redeemed."""

    def micros(moment: datetime | None, seconds: int) -> int | None:
        if moment is None:
            return None
        return round((in_zone(moment, policy.timezone).timestamp() + seconds) * MICROS)

    return {
        # the last second of `valid_to` belongs to the offer
        offer.id: Window(micros(offer.valid_from, 0), micros(offer.valid_to, 1))
        for offer in policy.offers
    }


def hours_of(policy: Policy) -> Window | None:
    """Return when a policy's campaign runs."""
    if policy.campaign is None:
        return None
    start, end = (
        round(in_zone(moment, policy.timezone).timestamp() * MICROS)
        for moment in (policy.campaign.start, policy.campaign.end)
    )
    return Window(start, end)
