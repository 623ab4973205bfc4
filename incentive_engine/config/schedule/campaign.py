"""When a campaign runs and how users are expected to come, and campaigns one after another."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.fields import Model, Share
from incentive_engine.config.schedule.calendar import Traffic, Wave
from incentive_engine.config.schedule.durations import Window, parse_duration
from incentive_engine.config.schedule.moments import Moment
from incentive_engine.language import say


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
