"""Campaigns one after another, in a market that drifts."""

from __future__ import annotations

from pydantic import Field

from incentive_engine.config.fields import Model


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
