"""What those to come may take of a limit, when a part of what is held comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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
        Share of what a reservation holds that is settled in the end, on average, above 0.
    chance
        Share of the reservations that are redeemed, at any moment of the hold, 0 to 1; the others
        run out at its end.
    ages : (g,) float64
        Shares of the longest time for which something is reserved, 0 to 1, rising.
    coming : (g,) float64
        Share of the users still to come who will have come by each age, rising.
    late
        Share of the users still to come whose reservation does not end within the campaign.
    """

    stays: float
    chance: float
    ages: FloatArray
    coming: FloatArray
    late: float


class Room(NamedTuple):
    """What all who are to come may reserve of a limit, in its own unit.

    `meanwhile` is what fits beside what is held before it comes back, `in_the_end` what fits once
    all has come back that will.
    """

    meanwhile: float
    in_the_end: float


def room(at_most: float, *, settled: float, reserved: float, hold: Hold) -> Room:
    """Return what all who are to come may reserve of a limit.

    Two things keep them. In the end, what stays of all that is and will be reserved, and the
    whole of what is reserved late, must fit. And before anything that is reserved from now on
    comes back, it must fit beside what is held until then.

    Notes
    -----
    What is late holds and has settled 1 − p/2 + s/2 of what it began with, on average, when the
    campaign ends; p and s as in `stays_of_open`.

    Examples
    --------
    Of 100, 70 are held, and 3/4 redeem a third of it each, in the end: 1/4 stays, 1/5 of what is
    open. So 86 are left for the end. Of those to come a fifth is late, and each of them counts
    1/4 · 4/5 + 3/4 · 1/5 = 0.35.

    >>> ages, coming = np.array([0.0, 1.0]), np.array([0.0, 0.01])
    >>> never = Hold(stays=0.25, chance=0.75, ages=ages, coming=coming, late=0.2)
    >>> round(min(room(100.0, settled=0.0, reserved=70.0, hold=never)), 6)
    245.714286

    Were half of them to come before what is held comes back, 30 would have to do for these.

    >>> soon = Hold(
    ...     stays=0.25, chance=0.75, ages=ages[:1], coming=np.array([0.5]), late=0.2
    ... )
    >>> room(100.0, settled=0.0, reserved=70.0, hold=soon).meanwhile
    60.0
    """
    # early in a campaign nothing is redeemed yet, and a share of 0 would divide
    settles, chance = max(hold.stays, 1e-6), min(max(hold.chance, 0.0), 1.0)
    of_open = stays_of_open(settles, chance)
    of_late = 1 - chance / 2 + settles / 2
    each = settles * (1 - hold.late) + of_late * hold.late
    in_the_end = max(0.0, (at_most - settled - of_open * reserved) / each)
    if not len(hold.coming):  # nothing comes back within the campaign
        return Room(in_the_end, np.inf)
    # what is open now comes back evenly over the hold, since it was reserved evenly before
    still_held = reserved * (of_open + (1 - of_open) * (1 - hold.ages))
    meanwhile = (at_most - settled - still_held) / np.maximum(hold.coming, 1e-9)
    return Room(max(0.0, float(meanwhile.min())), in_the_end)


def stays_of_open(stays: float, chance: float) -> float:
    """Return the share of what is open that is settled in the end, 0 to 1.

    Parameters
    ----------
    stays, chance
        As `Hold` has them.

    Notes
    -----
    With chance p, what is still open at a part u of its hold was redeemed by u·p of its like, so
    that it holds 1 − p·u of what it began with, and the share s(1 − u) of that is settled later:
    on average over u, s / (2 − p) of what is open.

    >>> stays_of_open(0.25, 0.75)
    0.2
    """
    return stays / (2 - chance)
