"""Which change would help against a finding, and what it would bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from incentive_engine.domain import BUDGET, MICROS
from incentive_engine.language import Message, say
from incentive_engine.live.actions import Change
from incentive_engine.live.ledger.records import Verb
from incentive_engine.live.watch.finding import Outlook, Proposal
from incentive_engine.live.watch.look import Found, Look
from incentive_engine.live.watch.planner import RemainderPlanner


def propose(
    look: Look, found: Found, prices: Mapping[str, float], planner: Callable[[], RemainderPlanner]
) -> Proposal | None:
    """Return what would help against a finding; None where the planner has nothing to propose.

    Parameters
    ----------
    prices
        At which users are decided on now.
    planner
        Makes the run's problem, which takes a moment, so only where it is needed.
    """
    subject = found.subject or ""
    if found.kind == "asks_too_often":
        return _note("block", Change(blocked=(subject,)), "watch.propose.block", user=subject)
    if found.kind == "key_asks_too_often":
        return _note("note", Change(), "watch.propose.key", asks=subject)
    if found.kind == "holdout_leaking":
        return _note("note", Change(), "watch.propose.leak")
    forecast = look.expected.forecast
    if forecast is None or look.now >= forecast.end:
        return None
    proposal = None
    paused = paused_offers(look)
    # the least that an offer is taken to cost, relative to its forecast
    barely = 0.05
    # what new prices help against
    priced = frozenset(
        {"runs_dry", "floor_behind", "traffic_short", "traffic_above", "nearly_used_up"}
    )
    if found.kind in priced:
        proposal = _new_prices(look, planner(), prices, paused, {})
    # what new prices help against once the offer's cost is what it turned out to be
    elif found.kind in {"redemption_above", "redemption_below"}:
        costs = {subject: max(found.ratio or 0.0, barely)}
        proposal = _new_prices(look, planner(), prices, paused, costs)
    elif found.kind == "untaken":
        proposal = _pause(look, planner(), prices, paused, subject)
    elif found.kind == "gain_below":
        proposal = _stop(look, planner(), prices, paused, found.ratio or 0.0)
    return proposal


def paused_offers(look: Look) -> tuple[str, ...]:
    """Return the offers that somebody paused."""
    changes = (
        Change.from_json(action.change)
        for action in look.observed.actions
        if action.verb == Verb.ACCEPTED
    )
    return tuple(dict.fromkeys(offer for change in changes for offer in change.paused))


def _new_prices(
    look: Look,
    planner: RemainderPlanner,
    prices: Mapping[str, float],
    paused: tuple[str, ...],
    dearer: Mapping[str, float],
) -> Proposal | None:
    """Return new prices; None where they would change nothing."""
    remainder = planner.rest(look, without=paused, dearer=dearer)
    better = remainder.prices(prices)
    now, then = remainder.outlook(prices), remainder.outlook(better)
    if now.is_like(then):
        return None
    return Proposal(
        change=Change(prices=better),
        kind="prices",
        now=now,
        then=then,
        text=_effect(look, "watch.propose.prices", now, then),
    )


def _pause(
    look: Look,
    planner: RemainderPlanner,
    prices: Mapping[str, float],
    paused: tuple[str, ...],
    offer: str,
) -> Proposal:
    """Return that an offer be paused, with prices for the others."""
    now = planner.rest(look, without=paused).outlook(prices, worthless=offer)
    remainder = planner.rest(look, without=(*paused, offer))
    better = remainder.prices(prices)
    then = remainder.outlook(better)
    return Proposal(
        change=Change(prices=better, paused=(offer,)),
        kind="pause",
        now=now,
        then=then,
        text=_effect(look, "watch.propose.pause", now, then, offer=offer),
    )


def _stop(
    look: Look,
    planner: RemainderPlanner,
    prices: Mapping[str, float],
    paused: tuple[str, ...],
    ratio: float,
) -> Proposal | None:
    """Return that the budget end where it is: nothing more is given out."""
    budget = next((limit for limit in look.observed.pool if limit.name == BUDGET), None)
    if budget is None or budget.at_most is None:
        return None
    now = planner.rest(look, without=paused).outlook(prices)
    now = replace(now, value=now.value * ratio)  # as it was measured, not as it was stated
    used = min(look.kept(budget), budget.at_most)
    then = Outlook(value=0.0, spent=0.0, runs_dry=None)
    return Proposal(
        change=Change(at_most={BUDGET: used}),
        kind="limit",
        now=now,
        then=then,
        text=_effect(look, "watch.propose.stop", now, then, amount=used / MICROS),
    )


def _effect(look: Look, key: str, now: Outlook, then: Outlook, **values: str | float) -> Message:
    return say(
        key,
        value_now=now.value,
        value_then=then.value,
        gain=then.value - now.value,
        spent_now=now.spent,
        spent_then=then.spent,
        currency=look.expected.currency,
        **values,
    )


def _note(kind: str, change: Change, key: str, **values: str) -> Proposal:
    return Proposal(change=change, kind=kind, text=say(key, **values))
