"""Solves the prices of a served run anew at set times, beside the calls that are answered."""

from __future__ import annotations

import asyncio
import time

from incentive_engine.domain import MICROS
from incentive_engine.errors import IncentiveError
from incentive_engine.live.clock import wall_micros
from incentive_engine.live.commands import Pool, ShowPool
from incentive_engine.service.app import Service


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
