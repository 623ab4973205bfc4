"""A run's prices while it is served: who has come, what is left, and new prices at set times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow.parquet as pq

from incentive_engine.allocation import Choosers, build_problem
from incentive_engine.allocation.frozen_policy import FrozenPolicy, Prices
from incentive_engine.config.campaign import Campaign as Times
from incentive_engine.config.moments import in_zone
from incentive_engine.data.scores import read_scores
from incentive_engine.domain import MICROS, BoolArray, FloatArray, IntArray, Reason
from incentive_engine.live.actions import Change
from incentive_engine.live.commands import Pool, Standing
from incentive_engine.live.pacing import Bounds, Moment, Pacer
from incentive_engine.simulation.traffic import traffic


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """How users were to come.

    Attributes
    ----------
    start, end
        Microseconds since 1970.
    come : (m + 1,) float64
        Share of the users who were to have come, at equal steps from start to end.
    """

    start: int
    end: int
    come: FloatArray

    @classmethod
    def of(cls, times: Times, zone: str) -> Self:
        """Return the forecast of a policy's campaign, whose times are of a zone."""
        _, density = traffic(times.wave)
        come = np.concatenate([[0.0], np.cumsum(density)])
        start, end = (
            round(in_zone(moment, zone).astimezone(UTC).timestamp() * MICROS)
            for moment in (times.start, times.end)
        )
        return cls(start=start, end=end, come=come / come[-1])

    def share(self, now: int) -> float:
        """Return the share of the users who were to have come by a time, 0 to 1."""
        return float(self.shares(np.array([now]))[0])

    def shares(self, at: IntArray) -> FloatArray:
        """Return the same for several times, (m,)."""
        part = (at - self.start) / (self.end - self.start)
        return np.interp(part, np.linspace(0.0, 1.0, len(self.come)), self.come)

    def moment(self, share: float) -> int:
        """Return by when a share of the users was to have come, microseconds since 1970."""
        part = np.interp(share, self.come, np.linspace(0.0, 1.0, len(self.come)))
        return self.start + round(float(part) * (self.end - self.start))


class Repricer:
    """Solves the prices of a served run anew, and numbers them.

    Parameters
    ----------
    pacer
        Over the users of the run, in its order.
    forecast
        How they were to come.
    prices
        Those that the run is served at now.
    offers
        The policy's, in its order.
    """

    def __init__(
        self, pacer: Pacer, forecast: Forecast, prices: Prices, *, offers: tuple[str, ...] = ()
    ) -> None:
        self._pacer, self._forecast, self._prices = pacer, forecast, prices
        self._offers = offers
        self._seen: BoolArray = np.zeros(pacer.choosers.users.n, dtype=np.bool_)
        self._strangers = 0

    @classmethod
    def of(cls, run: Path, frozen: FrozenPolicy, prices: Prices) -> Self | None:
        """Return the repricer of a run; None where its policy names no campaign."""
        policy = frozen.policy
        if policy.campaign is None:
            return None
        table = read_scores(run / "scores.parquet", policy)
        reason = pq.read_table(run / "allocation.parquet", columns=["reason"]).column("reason")
        held = np.asarray(reason.to_numpy(zero_copy_only=False) == Reason.HOLDOUT)
        choosers = Choosers.of(build_problem(policy, table, held))
        pacer = Pacer(choosers, forecast=policy.campaign.share * table.n_users)
        forecast = Forecast.of(policy.campaign, policy.timezone)
        return cls(pacer, forecast, prices, offers=policy.offer_ids)

    def obey(self, change: Change, prices: Prices) -> None:
        """Go on from accepted prices, and without offers that were paused.

        Parameters
        ----------
        prices
            Those that the run is served at now.
        """
        self._prices = prices
        if change.paused:
            offers = self._offers
            self._pacer.pause([offers.index(o) for o in change.paused if o in offers])

    def note(self, row: int | None) -> None:
        """Note that a user of the run has come, by the row in its tables; None is a stranger."""
        if row is None:
            self._strangers += 1
        else:
            self._seen[row] = True

    def reprice(self, pool: Pool, now: int) -> Prices:
        """Return new prices under the next number, or those of now outside the campaign.

        Parameters
        ----------
        pool
            What the ledger says of every limit.
        now
            Microseconds since 1970.
        """
        if not self._forecast.start < now < self._forecast.end:
            return self._prices
        seen = self._seen.copy()
        moment = Moment(
            seen=seen,
            came=int(np.count_nonzero(seen)) + self._strangers,
            share=self._forecast.share(now),
            left={
                standing.name: _left(standing)
                for standing in pool.limits
                if (standing.at_most, standing.at_least) != (None, None)
            },
        )
        self._prices = self._prices.next(self._pacer.reprice(moment, self._prices.by_limit))
        return self._prices


def _left(standing: Standing) -> Bounds:
    """Return what a limit has left, in its own unit."""
    unit = 1 if standing.is_count else MICROS
    used = standing.reserved + standing.margin + standing.settled
    most, least = standing.at_most, standing.at_least
    return Bounds(
        at_most=None if most is None else (most - used) / unit,
        at_least=None if least is None else max(least - used, 0) / unit,
    )
