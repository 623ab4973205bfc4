"""New prices beside the calls that are answered: solved at set times, or accepted by somebody.

Whoever of several servers is first publishes new prices in the ledger, and the others follow.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from incentive_engine.domain import MICROS
from incentive_engine.errors import IncentiveError
from incentive_engine.live.actions import Change
from incentive_engine.live.ledger.clock import wall_micros
from incentive_engine.live.ledger.commands import (
    Actions,
    Answer,
    Pool,
    Publish,
    Published,
    ShowActions,
    ShowPool,
    ShowPrices,
)
from incentive_engine.live.ledger.records import Verb
from incentive_engine.service.app import Service

if TYPE_CHECKING:
    from incentive_engine.live.repricing import Current, Repricer


async def keep_pace(service: Service) -> None:
    """Give the service new prices again and again, until it is cancelled.

    Solving takes a thread of its own. Where it fails the prices of now stay, and the log says
    why: decisions go on, and the ledger keeps every cap at any prices.
    """
    times, repricer = service.campaign.frozen.policy.campaign, service.repricer
    if times is None or repricer is None:
        return
    every = times.reprice.micros
    began = max(wall_micros(), repricer.forecast.start)
    # how often between two solves prices give way, and those of other servers are looked for
    looks = 10
    # seconds between two such looks, at most
    longest = 15.0
    while True:
        await asyncio.sleep(min(every / MICROS / looks, longest))
        current = await follow(service)
        now = wall_micros()
        if not repricer.forecast.start < now < repricer.forecast.end:
            continue
        # the plan's own prices are too high where face values come back
        is_first = current is None and repricer.faces_return
        is_due = is_first or now - (current.solved if current else began) >= every
        if not is_due and current is None:
            continue
        try:
            await _publish(service, repricer, current, now, is_due=is_due)
        except IncentiveError as error:
            service.log.event("repricing failed", why=str(error))


async def follow(service: Service) -> Current | None:
    """Take over the newest prices of the ledger, and return them; None where there are none."""
    answer = await service.writer.ask(ShowPrices())
    return _taken_over(service, answer)


def _taken_over(service: Service, answer: Answer) -> Current | None:
    if not isinstance(answer, Published):
        return None
    from incentive_engine.live.repricing import Current  # loads solvers

    current = Current.of(answer)
    if current.prices.version != service.campaign.prices.version:
        service.campaign.prices = current.prices
    service.foresight = current.foresight
    return current


async def _publish(
    service: Service, repricer: Repricer, current: Current | None, now: int, *, is_due: bool
) -> None:
    """Solve prices, or let them give way, and publish them."""
    pool = await service.writer.ask(ShowPool())
    if not isinstance(pool, Pool):  # the writer is being started again
        return
    began = time.perf_counter()
    if current is None or is_due:
        prices = service.campaign.prices
        fresh = await asyncio.to_thread(repricer.reprice, pool, now, prices, current)
    else:
        given_way = await asyncio.to_thread(repricer.give_way, pool, now, current)
        if given_way is None:
            return
        fresh = given_way
    version = fresh.prices.version
    _taken_over(service, await service.writer.ask(Publish(version, fresh.content())))
    if is_due:
        seconds = round(time.perf_counter() - began, 3)
        service.log.event("repriced", version=version, seconds=seconds)


async def obeying(service: Service) -> asyncio.Task[None]:
    """Take over all that was accepted and published, and return the task that goes on so."""
    known = await _obey_actions(service, 0)
    await follow(service)
    return asyncio.create_task(_keep_obeying(service, known))


async def _obey_actions(service: Service, known: int) -> int:
    """Take over what was accepted since `known` actions; return how many are known now."""
    answer = await service.writer.ask(ShowActions(known))
    if not isinstance(answer, Actions):  # the writer is being started again
        return known
    for action in answer.actions:
        if action.verb == Verb.ACCEPTED:
            await _obey(service, Change.from_json(action.change), at=action.at)
        kind = action.key.partition(":")[0]  # the subject may be a user
        service.log.event(action.verb, finding=kind, by=action.name)
    return known + len(answer.actions)


async def _obey(service: Service, change: Change, *, at: int) -> None:
    """Take over a change; its prices, unless newer ones were published since."""
    campaign = service.campaign
    offers = campaign.frozen.policy.offer_ids
    if service.repricer is not None:
        service.repricer.pause([offers.index(offer) for offer in change.paused if offer in offers])
    current = await follow(service)
    if change.prices is None or (current is not None and current.published >= at):
        campaign.obey(replace(change, prices=None))
        return
    from incentive_engine.allocation.pacing.pacer import WarmStart
    from incentive_engine.live.repricing import Current

    campaign.obey(change)
    accepted = Current(
        prices=campaign.prices,
        memory=replace(
            WarmStart() if current is None else current.memory, prices=campaign.prices.by_name()
        ),
        solved=at if current is None else current.solved,
        foresight=service.foresight,
    )
    answer = await service.writer.ask(Publish(accepted.prices.version, accepted.content()))
    _taken_over(service, answer)


async def _keep_obeying(service: Service, known: int) -> None:
    """Take over what is accepted, and new prices, again and again, until it is cancelled."""
    # seconds after which it is looked for what somebody accepted
    obeyed = 0.5
    while True:
        await asyncio.sleep(obeyed)
        known = await _obey_actions(service, known)
        await follow(service)
