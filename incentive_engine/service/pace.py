"""Solves the prices of a served run anew at set times, beside the calls that are answered.

Whoever of several servers is first publishes new prices in the ledger, and the others follow.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from incentive_engine.domain import MICROS
from incentive_engine.errors import IncentiveError
from incentive_engine.live.clock import wall_micros
from incentive_engine.live.commands import Answer, Pool, Publish, Published, ShowPool, ShowPrices
from incentive_engine.live.repricing import Current, Repricer
from incentive_engine.service.app import Service

LOOKS: Final = 10
"""How often between two solves prices give way, and those of other servers are looked for."""

LONGEST: Final = 15.0
"""Seconds between two such looks, at most."""


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
    while True:
        await asyncio.sleep(min(every / MICROS / LOOKS, LONGEST))
        current = await follow(service)
        now = wall_micros()
        if not repricer.forecast.start < now < repricer.forecast.end:
            continue
        is_due = now - (current.solved if current else began) >= every
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
