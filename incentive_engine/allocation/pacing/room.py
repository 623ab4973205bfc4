"""What those to come may take of a limit, when a part of what is held comes back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is left of one limit; None where it has no such bound."""

    at_least: float | None
    at_most: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hold:
    """How what is reserved comes back.

    Attributes
    ----------
    stays
        Share of what a reservation holds that is settled in the end, 0 to 1; 1 where a
        reservation holds what it is expected to cost.
    ages : (g,) float64
        Shares of the longest time for which something is reserved, 0 to 1, rising.
    coming : (g,) float64
        Share of the users still to come who will have come by each age, rising.
    late
        Share of the users still to come whose reservation does not end within the campaign.
    """

    stays: float
    ages: FloatArray
    coming: FloatArray
    late: float


def room(at_most: float, *, settled: float, reserved: float, hold: Hold) -> float:
    """Return what all who are to come may reserve of a limit, in its own unit.

    Two things keep them. In the end, what stays of all that is and will be reserved, and the
    whole of what is reserved late, must fit. And before anything that is reserved from now on
    comes back, it must fit beside what is held until then.

    Examples
    --------
    Of 100, 40 are held and a quarter of it stays: 90 are left for the end. Of those to come a
    fifth is late; each of them counts 1/4 · 4/5 + 1/5 = 0.4, so that they may reserve 225. Were
    half of them to come before what is held comes back, they would have no more than 60 then.

    >>> never = Hold(stays=0.25, ages=np.array([0.0, 1.0]), coming=np.array([0.0, 0.01]), late=0.2)
    >>> room(100.0, settled=0.0, reserved=40.0, hold=never)
    225.0
    >>> soon = Hold(stays=0.25, ages=np.array([0.0]), coming=np.array([0.5]), late=0.2)
    >>> room(100.0, settled=0.0, reserved=40.0, hold=soon)
    120.0
    """
    stays = min(max(hold.stays, 1e-6), 1.0)
    in_the_end = (at_most - settled - stays * reserved) / (stays * (1 - hold.late) + hold.late)
    # what is open now comes back evenly over the hold, since it was reserved evenly before
    held = reserved * (stays + (1 - stays) * (1 - hold.ages))
    meanwhile = (at_most - settled - held) / np.maximum(hold.coming, 1e-9)
    return max(0.0, float(min(in_the_end, meanwhile.min(initial=np.inf))))
