"""New prices beside the calls that are answered: solved at set times, or accepted by somebody."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from incentive_engine.domain import MICROS
from incentive_engine.errors import IncentiveError
from incentive_engine.live.actions import Change
from incentive_engine.live.clock import wall_micros
from incentive_engine.live.commands import Actions, Pool, ShowActions, ShowPool
from incentive_engine.live.records import Verb
from incentive_engine.service.app import Service

OBEYED: Final = 0.5
"""Seconds after which it is looked for what somebody accepted."""


async def keep_pace(service: Service) -> None:
    """Give the service new prices again and again, until it is cancelled.

    Solving takes a thread of its own. Where it fails the prices of now stay, and the log says
    why: decisions go on, and the ledger keeps every cap at any prices.
    """
    times, repricer = service.campaign.frozen.policy.campaign, service.repricer
    if times is None or repricer is None:
        return
    while True:
        await asyncio.sleep(times.reprice.micros / MICROS)
        pool = await service.writer.ask(ShowPool())
        if not isinstance(pool, Pool):  # the writer is being started again
            continue
        began = time.perf_counter()
        try:
            prices = await asyncio.to_thread(repricer.reprice, pool, wall_micros())
        except IncentiveError as error:
            service.log.event("repricing failed", why=str(error))
            continue
        if prices.version != service.campaign.prices.version:
            service.campaign.prices = prices
            seconds = round(time.perf_counter() - began, 3)
            service.log.event("repriced", version=prices.version, seconds=seconds)


async def obey_actions(service: Service, known: int) -> int:
    """Take over what was accepted since `known` actions; return how many are known now."""
    answer = await service.writer.ask(ShowActions(known))
    if not isinstance(answer, Actions):  # the writer is being started again
        return known
    for action in answer.actions:
        if action.verb == Verb.ACCEPTED:
            change = Change.from_json(action.change)
            service.campaign.obey(change)
            if service.repricer is not None:
                service.repricer.obey(change, service.campaign.prices)
        kind = action.key.partition(":")[0]  # the subject may be a user
        service.log.event(action.verb, finding=kind, by=action.name)
    return known + len(answer.actions)


async def keep_obeying(service: Service, known: int) -> None:
    """Take over what is accepted, again and again, until it is cancelled."""
    while True:
        await asyncio.sleep(OBEYED)
        known = await obey_actions(service, known)
