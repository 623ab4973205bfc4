"""Whether a mean falls short of what was stated, told at any moment and as early as can be.

References
----------
Robbins: Statistical methods related to the law of the iterated logarithm, Annals of Mathematical
Statistics 41 (1970), section 2: mixtures over one side.
Johari, Koomen, Pekelis, Walsh: Always valid inference, Operations Research 70 (2022), section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from incentive_engine.knobs import Knobs, knob
from incentive_engine.stats.power import POWER


@dataclass(frozen=True, slots=True, kw_only=True)
class GainTest(Knobs):
    """How a running campaign's gain is tested."""

    error: float = knob(0.015, 1e-6, 0.5)
    """The chance that a campaign that goes to plan ever looks as if it fell short of its gain."""
    by_prices: float = knob(2 / 3, 0.0, 1.0)
    """Part of it for comparisons of those who get an offer at the plan's prices; the rest is for
    comparisons of all users, where other prices decided."""
    least_held: int = knob(200, 2, 10**9)
    """Users of the holdout, with outcomes, from whom on a difference of means is nearly normal."""
    settled_hours: float = knob(2.0, 0.0, 8_760.0)
    """After a decision, from which on the user's outcome counts, on both sides alike."""

    @property
    def error_by_prices(self) -> float:
        """The chance of a false alarm where the plan's prices decide."""
        return self.error * self.by_prices


GAIN_TEST: Final = GainTest()
"""What a plan is judged by before it runs, and while it does."""


def log_evidence(shortfall: float, *, error: float, reach: float) -> float:
    """Return the logarithm of the evidence that a mean is below what was stated.

    Parameters
    ----------
    shortfall
        By how much the estimate is below the lowest value that was stated; negative above it.
    error
        The estimate's standard error of now; it shrinks as users come.
    reach
        Scale of the shortfalls that are bet on, in the same unit, above 0.

    Notes
    -----
    The likelihood ratio x δ/V − δ²/(2V) of a shortfall δ, mixed over δ > 0 with a half normal of
    variance τ²: Λ = 2 √(V / (V + τ²)) exp(x² τ² / (2 V (V + τ²))) Φ(x τ / √(V (V + τ²))). Where
    the mean is what was stated or above, Λ does not grow on average, so it ever reaches 1/α with
    a chance of at most α. It holds for estimates that are nearly normal, so not for the first few
    users.
    """
    if not 0 < error < math.inf:
        return 0.0
    variance, spread = error**2, reach**2
    both = variance + spread
    place = shortfall * reach / math.sqrt(variance * both)
    # below that the tail underflows, and its logarithm would be an error
    tail = NormalDist().cdf(place) if place > -30 else 0.0
    if tail <= 0:
        return -math.inf
    # in logarithms, as the exponential of a clear shortfall overflows
    return math.log(2 * tail) + 0.5 * math.log(variance / both) + place**2 / 2


def needed(error: float, *, reach: float, alpha: float) -> float:
    """Return the least shortfall of an estimate that is evidence enough.

    >>> round(needed(1.0, reach=4.0, alpha=0.015), 2)
    3.23
    """
    low, high = 0.0, error
    # doubled until it suffices, which brackets the least shortfall
    while log_evidence(high, error=error, reach=reach) < -math.log(alpha):
        low, high = high, 2 * high
    return _smallest(
        low, high, lambda x: log_evidence(x, error=error, reach=reach) >= -math.log(alpha)
    )


def _smallest(low: float, high: float, holds: Callable[[float], bool]) -> float:
    """Return the smallest number at which something holds that holds at `high`."""
    # more halvings than a float64 has digits
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticing:
    """What a running campaign's outcomes would tell of a gain that falls short, and when.

    Attributes
    ----------
    nothing, half
        After which share of the users no gain at all, and half of what was stated, is noticed
        with a chance of 80 %; None: not within the campaign.
    least
        The largest part of the stated gain whose absence is still noticed then by the end: 0.4
        where a gain that is 40 % short of it is; None where not even no gain at all is.
    """

    nothing: float | None
    half: float | None
    least: float | None


def noticing(
    *, value: float, low: float, error: float, held: int, alpha: float = GAIN_TEST.error_by_prices
) -> Noticing:
    """Return what would be noticed of a gain that falls short.

    Parameters
    ----------
    value, low
        What was stated, and the lower end of its interval; in the same unit as `error`.
    error
        Standard error of the difference from the holdout when all users have come.
    held
        Users of the holdout among those compared, when all have come.
    alpha
        The chance of a false alarm.

    Notes
    -----
    After a share s of the users the error is `error` / √s. A gain g is noticed with 80 % where
    low − g is above the least shortfall that is evidence enough by z₀.₈ errors: that takes one
    look, and many looks find it no later.
    """
    reach, first = bet(value, low), GAIN_TEST.least_held / max(held, 1)
    if first > 1:
        return Noticing(nothing=None, half=None, least=None)

    def noticed_after(gain: float) -> float | None:
        if not _is_noticed(low - gain, error, reach, alpha):
            return None
        return _smallest(
            first, 1.0, lambda x: _is_noticed(low - gain, error / math.sqrt(x), reach, alpha)
        )

    short = needed(error, reach=reach, alpha=alpha) + NormalDist().inv_cdf(POWER.power) * error
    least = (value - low + short) / value if value > 0 else math.inf
    return Noticing(
        nothing=noticed_after(0.0),
        half=noticed_after(value / 2),
        least=least if least <= 1 else None,
    )


def difference_error(base: float, rate: float, others: int, held: int) -> float:
    """Return the standard error of a difference in conversion rate from a holdout.

    Parameters
    ----------
    base, rate
        Of the holdout and of the others, 0 to 1.
    others, held
        How many users there are of either kind, at least 1.

    Notes
    -----
    The holdout's variance counts at least as much as that of the others, as it does where it is
    measured.
    """
    rate = min(max(rate, 0.0), 1.0)
    of_rate, of_base = rate * (1 - rate), base * (1 - base)
    return math.sqrt(of_rate / others + max(of_base, of_rate) / held)


def bet(value: float, low: float) -> float:
    """Return the scale of the shortfalls that are bet on: half of the gain."""
    return max(abs(value) / 2, (value - low) / 2, 1e-9)


def _is_noticed(shortfall: float, error: float, reach: float, alpha: float) -> bool:
    surely = shortfall - NormalDist().inv_cdf(POWER.power) * error
    return surely > 0 and log_evidence(surely, error=error, reach=reach) >= -math.log(alpha)
