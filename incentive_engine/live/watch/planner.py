"""The rest of a campaign, solved as the plan was: for who is still to come and what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.allocation.pacing.pacer import (
    bounds_left,
    lowest_within,
    systematic_sample,
)
from incentive_engine.allocation.pacing.volume import volume
from incentive_engine.allocation.plans.choosers import Choosers
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import BUDGET, COST, BoolArray, FloatArray, IntArray
from incentive_engine.live.campaign import LiveCampaign
from incentive_engine.live.forecast import HeldReturns
from incentive_engine.live.ledger.records import State
from incentive_engine.live.repricing import planned_problem
from incentive_engine.live.watch.finding import Outlook
from incentive_engine.live.watch.look import Look


@dataclass(kw_only=True, eq=False)
class RemainderPlanner:
    """The run's problem, ready to be solved for the rest of the campaign."""

    problem: Problem

    @classmethod
    def of(cls, run_dir: Path, campaign: LiveCampaign) -> Self:
        """Return the planner of a run."""
        return cls(problem=planned_problem(run_dir, campaign.frozen.policy))

    def rest(
        self,
        look: Look,
        *,
        without: tuple[str, ...] = (),
        dearer: Mapping[str, float] | None = None,
    ) -> Rest:
        """Return what is left of a campaign.

        Parameters
        ----------
        without
            Offers that nobody gets any more.
        dearer
            Offer to how many times its forecast it really costs.
        """
        problem = self._dearer(dearer or {})
        choosers = Choosers.of(problem).without([problem.offers.index(o) for o in without])
        coming = np.ones(problem.n_users, dtype=np.bool_)
        coming[look.observed.row[look.observed.row >= 0]] = False
        return Rest(look=look, choosers=choosers, coming=coming, offers=problem.offers)

    def _dearer(self, ratios: Mapping[str, float]) -> Problem:
        problem = self.problem
        if not ratios or COST not in problem.measures:
            return problem
        columns = np.array(problem.columns)
        for offer, ratio in ratios.items():
            columns[problem.measures.index(COST), problem.offers.index(offer)] *= ratio
        return replace(problem, columns=columns)


@dataclass(kw_only=True, eq=False)
class Rest:
    """The users still to come to a campaign whose times are known, and what is left for them.

    Attributes
    ----------
    coming : (n,) bool
        Who of the plan's users has not come yet.
    offers
        The problem's, whose sums stand sorted by name.
    """

    look: Look
    choosers: Choosers
    coming: BoolArray
    offers: tuple[str, ...]

    @property
    def _returns(self) -> HeldReturns:
        """How what is held comes back."""
        returns = self.look.returns
        assert returns is not None  # without a campaign there is nothing to plan for
        return returns

    @cached_property
    def users(self) -> float:
        """How many users are still expected."""
        look, forecast = self.look, self._returns.forecast
        time = look.timeline(forecast.start, look.now)
        if time is None:
            return look.expected.users
        came = np.concatenate([[0.0], np.cumsum(time.sums(look.came))]).astype(int).tolist()
        scale = volume(came, time.share.tolist(), forecast=look.expected.users)
        return look.expected.users * scale * (1 - min(look.share(look.now), 1.0))

    def prices(self, start: Mapping[str, float]) -> dict[str, float]:
        """Return the prices at which the users to come make the most of what is left."""
        rows = self.choosers.rows
        lower, upper = self._left
        if not len(self._some) or self.users < 1 or not len(rows.names):
            return dict(start)
        now = np.array([start.get(name, 0.0) for name in rows.names])
        each = len(self._some) / self.users
        # relative gap of the dual at which prices are good enough
        tight = 1e-6
        bounded = rows.with_bounds(lower * each, upper * each)
        lowest = lowest_within(self._crowd.users, bounded, now, gap=tight).prices
        named = dict(zip(rows.names, lowest.tolist(), strict=True))
        if not self._returns.faces_return:
            # what face values cost in the end is below what they hold, and has no price here
            named.pop(Prices.COSTS, None)
        return named

    def outlook(self, prices: Mapping[str, float], *, worthless: str | None = None) -> Outlook:
        """Return what the rest of the campaign brings at some prices.

        Parameters
        ----------
        worthless
            An offer that is given out and brings, and costs, nothing.

        Notes
        -----
        Users come evenly mixed, so each cap is used up at a steady pace. When the first is used
        up, the offers that it counts are gone, the others go on, and so forth to the end. A budget
        that is full of faces which come back is not used up: offers go on, to as many as fit.
        """
        rows = self.choosers.rows
        amounts = self._crowd.sums(prices) * (self.users / max(len(self._some), 1))
        if worthless is not None:
            amounts[:, :, sorted(self.offers).index(worthless)] = 0.0
        left = self._left[1].copy()
        self._fit_faces(amounts, left)
        pairs = amounts.shape[1] * amounts.shape[2]
        value = spent = gone = 0.0
        first: float | None = None
        for _ in range(len(left) + 1):
            usage = rows.matrix @ amounts[1:].ravel()
            with np.errstate(divide="ignore", invalid="ignore"):
                lasts = np.where((usage > 0) & np.isfinite(left), left / usage, np.inf)
            stretch = float(min(lasts.min(initial=np.inf), 1 - gone))
            value += stretch * float(amounts[0].sum())
            spent += stretch * self._cost(amounts)
            left, gone = np.maximum(left - stretch * usage, 0.0), gone + stretch
            if gone >= 1 - 1e-9:
                break
            first = gone if first is None else first
            for row in np.flatnonzero(lasts <= stretch * (1 + 1e-12)):
                counted = np.unique(rows.matrix[[int(row)]].indices % pairs)
                amounts.reshape(len(amounts), pairs)[:, counted] = 0.0
        return Outlook(value=value, spent=spent, runs_dry=self._moment(first))

    def _fit_faces(self, amounts: FloatArray, left: FloatArray) -> None:
        """Take off amounts what does not fit meanwhile, and with it the cap on what faces hold."""
        returns, rows = self._returns, self.choosers.rows
        if returns.hold is None or self.look.now + returns.hold >= returns.forecast.end:
            return
        budget = rows.names.index(BUDGET)
        held = float((rows.matrix @ amounts[1:].ravel())[budget])
        if held > left[budget]:
            amounts *= left[budget] / held
        left[budget] = np.inf

    def _cost(self, amounts: FloatArray) -> float:
        place = self._crowd.users.cost
        return float("nan") if place < 0 else float(amounts[2 + place].sum())

    def _moment(self, share: float | None) -> int | None:
        """Return when a share of the users to come has come."""
        if share is None:
            return None
        here = self.look.share(self.look.now)
        return self._returns.forecast.moment(here + share * (1 - here))

    @cached_property
    def _some(self) -> IntArray:
        return systematic_sample(np.flatnonzero(self.coming), self.look.params.users)

    @cached_property
    def _crowd(self) -> Choosers:
        return self.choosers.take(self._some)

    @cached_property
    def _left(self) -> tuple[FloatArray, FloatArray]:
        """(L,) lower and upper bounds of what those to come may have."""
        look, over = self.look, _over(self.look)
        limits = [
            limit._replace(reserved=limit.reserved - over.get(limit.name, 0))
            for limit in look.observed.pool
        ]
        left = self._returns.left(limits, look.now, look.chance)
        return bounds_left(self.choosers.rows, left)


def _over(look: Look) -> dict[str, int]:
    """Return by limit what counts as reserved though its hold is over."""
    seen = look.observed
    over = seen.is_state(State.RESERVED) & (seen.expires <= look.now)
    mine = over[seen.claim_of]
    returned = np.bincount(
        seen.claim_limit[mine], seen.claim[mine], minlength=len(look.expected.limits)
    )
    return {
        limit.name: int(amount)
        for limit, amount in zip(look.expected.limits, returned, strict=True)
    }
