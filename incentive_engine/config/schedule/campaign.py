"""When a campaign runs and how users come: its waves, and campaigns one after another."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from incentive_engine.config.document.models import Model
from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.fields import Name, Share
from incentive_engine.config.schedule.durations import Window, parse_duration
from incentive_engine.config.schedule.moments import Moment
from incentive_engine.language import say

Traffic = Literal["even", "daily", "opening", "closing"]


class Wave(Model):
    """One stretch of the campaign."""

    name: Name
    """How it is called, such as opening hour."""
    start: Moment
    """Local time."""
    end: Moment
    """Local time, after `start`."""
    share: Share
    """Share of the users that come in this wave."""
    traffic: Traffic = "daily"
    """How they come: `even`; `daily` (with the hours of the day); `opening` (a rush at the start
    that halves every two hours, on top of the day); `closing` (rising towards the end)."""
    release: Share | None = None
    """Share of the budget that may have been committed by the end of this wave; left out: all."""
    valid_hours: float | None = Field(default=None, gt=0)
    """An offer that is not redeemed within this time lapses; left out: valid to the end."""
    redeem_from: Moment | None = None
    """Offers are redeemed from then on, as in a pre-sale where only a deposit is paid."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end <= self.start:
            reject(
                FieldProblem(
                    ("end",), say("{end} is not after {start}", end=self.end, start=self.start)
                )
            )
        lasts = timedelta(hours=self.valid_hours or 0)
        if self.valid_hours and self.redeem_from and self.redeem_from >= self.end + lasts:
            what = "every offer of this wave lapses before it can be redeemed"
            reject(FieldProblem(("valid_hours",), what, remedy="raise it, or redeem earlier"))
        return self


class Calendar(Model):
    """The waves of a campaign: users arrive, offers expire, redemption comes late."""

    waves: tuple[Wave, ...] = Field(min_length=1, strict=False)
    """In order of time; they must not overlap."""
    replan: bool = True
    """Plan again before each wave with the money that is left; issued offers stay. Otherwise once,
    before the first wave."""
    redemption_hours: float = Field(default=6.0, ge=0)
    """Mean time from getting an offer to redeeming it."""

    @model_validator(mode="after")
    def _one_after_another(self) -> Self:
        problems = []
        for index, (one, two) in enumerate(pairwise(self.waves), start=1):
            if two.start < one.end:
                what = say(
                    "the wave `{name}` begins before `{before}` ends at {end}",
                    name=two.name,
                    before=one.name,
                    end=one.end,
                )
                remedy = "waves stand in order of time and do not overlap"
                problems.append(FieldProblem(("waves", index, "start"), what, remedy=remedy))
            if two.release and one.release and two.release < one.release:
                what = say(
                    "{release:.0%} of the budget is less than in the wave before",
                    release=two.release,
                )
                problems.append(FieldProblem(("waves", index, "release"), what))
        # shares in percent such as 33.4, 33.3, 33.3 add up to 1 but for rounding
        if (total := sum(wave.share for wave in self.waves)) > 1 + 1e-9:
            what = say("the shares of the waves add up to {total:.0%}", total=total)
            problems.append(FieldProblem(("waves",), what, "at most 100 %"))
        names = [wave.name for wave in self.waves]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            problems.append(
                FieldProblem(("waves",), say("two waves are called `{twice}`", twice=twice[0]))
            )
        if problems:
            reject(*problems)
        return self


class Campaign(Model):
    """The time of a campaign that is decided live."""

    start: Moment
    """Local time."""
    end: Moment
    """Local time, after `start`."""
    traffic: Traffic = "daily"
    """How users come: `even`; `daily` (with the hours of the day); `opening` (a rush at the start
    that halves every two hours, on top of the day); `closing` (rising towards the end)."""
    share: Share = Field(default=1.0, gt=0)
    """Share of the planned users that is expected to come."""
    reprice: Window = Field(default_factory=lambda: parse_duration("5m"))
    """How often prices are solved anew for who is still expected and what is left."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        problems = []
        if self.end <= self.start:
            problems.append(
                FieldProblem(
                    ("end",), say("{end} is not after {start}", end=self.end, start=self.start)
                )
            )
        # prices that are never solved anew would be a plan that only looks live
        elif self.reprice.micros > (self.end - self.start).total_seconds() * 1e6:
            what = say("{reprice} is longer than the campaign", reprice=self.reprice)
            problems.append(FieldProblem(("reprice",), what, "a length of time such as 5m"))
        if problems:
            reject(*problems)
        return self

    @property
    def wave(self) -> Wave:
        """The whole campaign as one stretch of traffic."""
        return Wave(
            name="campaign", start=self.start, end=self.end, share=1.0, traffic=self.traffic
        )


class CampaignSeries(Model):
    """Campaigns one after another, each with users of its own, in a market that drifts."""

    campaigns: int = Field(default=12, ge=2, le=100)
    """How many; each has the whole budget."""
    drift: float = Field(default=0.01, ge=0, le=0.2)
    """How far what an offer changes walks from one campaign to the next, as a probability: the
    standard deviation of a step for users one standard deviation apart in how much they shop, in
    how much they look at prices, or in their baskets; half of it for all users alike."""
    seasons: float = Field(default=0.0, ge=0, le=1)
    """Standard deviation of everybody's log odds of converting without an offer, drawn anew for
    each campaign: some fall into better weeks than others."""
