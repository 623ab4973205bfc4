"""A run's prices while it is served: who has come, what is left, and new prices at set times."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow.parquet as pq

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy
from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.pacing.foresight import foresight
from incentive_engine.allocation.pacing.pacer import Moment, Pacer, WarmStart
from incentive_engine.allocation.plans.choosers import Choosers
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.config.schedule.campaign import Campaign as Times
from incentive_engine.data.scores import read_scores
from incentive_engine.data.sources import open_source
from incentive_engine.data.tables.arrow import equal
from incentive_engine.domain import BUDGET, COST, MICROS, Reason
from incentive_engine.live.arrivals import ArrivalReader
from incentive_engine.live.campaign import LiveCampaign
from incentive_engine.live.forecast import ArrivalForecast, HeldReturns
from incentive_engine.live.ledger.commands import Pool, Published


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """Prices as servers share them through their ledger.

    Attributes
    ----------
    memory
        What the solve leaves for the next one.
    solved
        When they were solved, microseconds since 1970; they may have given way since.
    foresight
        Share of perfect foresight that had been reached then; None where nobody knows.
    published
        When the ledger got them, microseconds since 1970; 0 before.
    """

    prices: Prices
    memory: WarmStart
    solved: int
    foresight: float | None
    published: int = 0

    def content(self) -> str:
        """Return them as JSON, as they are published."""
        return json.dumps(
            {
                "prices": self.prices.to_dict(),
                "memory": asdict(self.memory),
                "solved": self.solved,
                "foresight": self.foresight,
            }
        )

    @classmethod
    def of(cls, published: Published) -> Self:
        """Return what was published."""
        content: dict[str, Any] = json.loads(published.content)
        return cls(
            prices=Prices.from_dict(content["prices"]),
            memory=WarmStart(**content["memory"]),
            solved=int(content["solved"]),
            foresight=content["foresight"],
            published=published.at,
        )


class Repricer:
    """Solves the prices of a served run anew, out of what its ledger says.

    Everything that it needs stands in the ledger, so that a server that is started again goes on,
    and of several servers each would find the same prices.

    Parameters
    ----------
    load
        Makes the pacer over the users of the run, in its order; called when it is first needed.
    returns
        How what the campaign holds comes back.
    """

    def __init__(
        self, load: Callable[[], Pacer], arrivals: ArrivalReader, returns: HeldReturns
    ) -> None:
        self._load, self._arrivals, self.returns = load, arrivals, returns
        self._paused: tuple[int, ...] = ()

    @classmethod
    def of(cls, campaign: LiveCampaign, ledger: str, *, hold: int | None) -> Self | None:
        """Return the repricer of a run; None where its policy names no campaign.

        Parameters
        ----------
        hold
            As `HeldReturns` has it.
        """
        policy = campaign.frozen.policy
        if policy.campaign is None:
            return None
        run, frozen, times = campaign.run.directory, campaign.frozen, policy.campaign
        forecast = ArrivalForecast.of(times, policy.timezone)
        stretches = max(1, (forecast.end - forecast.start) // times.reprice.micros)
        edges = np.linspace(forecast.start, forecast.end, stretches + 1)
        arrivals = ArrivalReader(
            ledger, campaign.population, edges=edges, limits=len(campaign.terms.limits)
        )
        returns = HeldReturns(forecast=forecast, hold=hold, measures=campaign.measures)
        return cls(lambda: _pacer(run, frozen, times), arrivals, returns)

    @property
    def forecast(self) -> ArrivalForecast:
        """How users were to come."""
        return self.returns.forecast

    def pause(self, offers: Sequence[int]) -> None:
        """Solve without some offers from now on, by their places in the policy."""
        self._paused = (*self._paused, *offers)

    @property
    def pacer(self) -> Pacer:
        """The pacer over the users of the run, without what is paused."""
        pacer = self._loaded
        if self._paused:
            pacer.pause(self._paused)
        return pacer

    @cached_property
    def _loaded(self) -> Pacer:
        return self._load()

    def reprice(self, pool: Pool, now: int, prices: Prices, current: Current | None) -> Current:
        """Return new prices under the next number.

        Parameters
        ----------
        pool
            What the ledger says of every limit.
        now
            Microseconds since 1970, within the campaign.
        prices
            Those of now.
        current
            What was solved last; None: nothing.
        """
        self._arrivals.read()
        memory = None if current is None else current.memory
        moment = self._moment(pool, now, prices)
        repriced = self.pacer.reprice(moment, prices.by_name(), memory)
        came = np.flatnonzero(self._arrivals.seen)
        given = self._arrivals.offer[came]
        return Current(
            prices=prices.next(repriced.prices),
            memory=repriced.memory,
            solved=now,
            foresight=foresight(self._capped, came, given, prices.by_name()),
        )

    def give_way(self, pool: Pool, now: int, current: Current) -> Current | None:
        """Return prices between two solves, under the next number; None where they hold."""
        self._arrivals.read()
        prices, moment = current.prices, self._moment(pool, now, current.prices)
        moved = self.pacer.give_way(current.memory, moment=moment)
        # relative change of a price below which it is not worth a new number between two solves
        step = 0.005
        now_at = prices.by_name().items()
        if all(abs(moved.get(name, price) - price) <= step * price for name, price in now_at):
            return None
        return replace(current, prices=prices.next(moved))

    @property
    def faces_return(self) -> bool:
        """As `HeldReturns` has it."""
        return self.returns.faces_return

    @property
    def _capped(self) -> Choosers:
        """The users with what their offers are measured by, once all has come back that will."""
        planned = self._loaded.planned
        ends = BUDGET if self.faces_return else Prices.COSTS
        return replace(planned, rows=planned.rows.without(ends))

    def _chance(self, prices: Prices) -> float | None:
        """Return what offers are expected to cost of their face value; None while nobody knows."""
        given = self._arrivals
        if given.face:
            return min(given.cost / given.face, 1.0)
        if not self.faces_return:
            return None
        planned = self._loaded.planned
        usage = np.asarray(planned.rows.matrix @ planned.sums(prices.by_name())[1:].ravel())
        cost, face = (float(usage[planned.rows.names.index(n)]) for n in (Prices.COSTS, BUDGET))
        return cost / face if face > 0 else None

    def _moment(self, pool: Pool, now: int, prices: Prices) -> Moment:
        arrivals, forecast = self._arrivals, self.forecast
        edges = np.linspace(forecast.start, forecast.end, len(arrivals.counts) + 1)
        over = int(np.searchsorted(edges, now, side="right")) - 1
        came = np.concatenate([[0], np.cumsum(arrivals.counts[:over]), [arrivals.counts.sum()]])
        times = np.append(edges[: over + 1], now)
        return Moment(
            seen=arrivals.seen.copy(),
            came=came.tolist(),
            shares=forecast.shares(times).tolist(),
            left=self.returns.left(pool.limits, now, self._chance(prices)),
            taken={
                Prices.COSTS: arrivals.cost / MICROS,
                **{
                    limit.name: int(amount) / (1 if limit.is_count else MICROS)
                    for limit, amount in zip(pool.limits, arrivals.taken, strict=True)
                },
            },
        )


def _pacer(run: Path, frozen: FrozenPolicy, times: Times) -> Pacer:
    problem = planned_problem(run, frozen.policy)
    return Pacer(Choosers.of(problem), forecast=times.share * problem.n_users)


def planned_problem(run: Path, policy: Policy) -> Problem:
    """Return what a run decided on: its users in their order, without those held out.

    Explorers stand in as if prices decided on them: what they really use is in the pool.
    """
    table = read_scores(open_source(run / "scores.parquet"), policy)
    reason = pq.read_table(run / "allocation.parquet", columns=["reason"]).column("reason")
    problem = build_problem(policy.without_exploring(), table, equal(reason, Reason.HOLDOUT))
    if policy.budget is None or policy.budget.basis != "face":
        return problem
    # what face values come to in the end, which has a price of its own while they come back
    costs = sum_limit(Prices.COSTS, COST, at_most=policy.budget.amount)
    return replace(problem, limits=(*problem.limits, costs))
