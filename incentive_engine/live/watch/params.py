"""How the watch looks, and how often it may be wrong."""

from __future__ import annotations

from dataclasses import dataclass

from incentive_engine.domain import MICROS
from incentive_engine.knobs import Knobs, knob
from incentive_engine.stats.sequential import GAIN_TEST


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchParams(Knobs):
    """How the watch looks, and what is no news to it."""

    error: float = knob(0.05, 1e-12, 0.999)
    """The chance of any false alarm in a week in which every campaign goes to plan, however often
    one looks, all tests and campaigns together. A campaign of several weeks has it for all of its
    time."""
    campaigns: int = knob(1, 1, 10**6)
    """How many campaigns are watched in a week; they share the error."""
    of_shortfall: float = knob(0.3, 1e-6, 0.999)
    """The part of a campaign's error that is for a gain below what was stated: outcomes are slow
    to tell it, and it costs most."""
    traffic: float = knob(0.10, 0.0, 0.999)
    """Relative departure of the users who come that is no news: a forecast is never exact."""
    pool: float = knob(0.05, 0.0, 0.999)
    """The same of what a cap is used up by."""
    floor: float = knob(0.10, 0.0, 0.999)
    """The same of what a floor lacks."""
    redemption: float = knob(0.15, 0.0, 0.999)
    """The same of what is redeemed of an offer."""
    untaken: float = knob(0.25, 0.0, 0.999)
    """An offer counts as one that nobody takes below this share of its forecast."""
    overdrawn: float = knob(0.02, 0.0, 10.0)
    """By how much a budget of expected costs may be passed, relative, before that is an error:
    redemptions may cost a little more than was expected."""
    nearly: float = knob(0.95, 0.0, 1.0)
    """The share of a cap from which on it is said to be nearly used up."""
    as_planned: float = knob(0.95, 0.0, 1.0)
    """Share of decisions that gave an offer where the plan's prices do, for a comparison of those
    who get one at these prices."""
    visits: float = knob(5.0, 0.1, 1e9)
    """How often a user asks on average in a campaign; far more is too often. A key of the service
    asks too often where it asks more than that for each user who came."""
    steps: int = knob(96, 8, 10**6)
    """Into how many steps a week or less is cut for the tests."""
    patience: int = knob(6 * 3600 * MICROS, 0, 10**15)
    """Reservations that are open longer than this, microseconds, count as they were expected."""
    settled_after: int = knob(round(GAIN_TEST.settled_hours * 3600 * MICROS), 0, 10**15)
    """How long after his decision a user's outcome counts, microseconds."""
    users: int = knob(100_000, 1_000, 10**9)
    """At most so many users to come are solved for."""
    more: tuple[float, ...] = (1.1, 1.25, 1.6, 2.5, 5.0)
    """Times the amount that was planned that is bet on where there may be too much, above 1."""
    less: tuple[float, ...] = (0.9, 0.75, 0.5, 0.25, 0.02)
    """The same where there may be too little, below 1."""

    @property
    def of_campaign(self) -> float:
        """The error of one campaign."""
        return self.error / self.campaigns

    @property
    def of_gain(self) -> float:
        """The error of a gain that falls short."""
        return self.of_campaign * self.of_shortfall

    @property
    def of_test(self) -> float:
        """The error of one other kind of tests."""
        # kinds of tests that share what the stated gain's shortfall leaves of the error: traffic
        # short and above, pools, floors, redemption above and below, offers nobody takes, users
        # too often, keys too often, more gain than was stated
        tests = 10
        return self.of_campaign * (1 - self.of_shortfall) / tests
