"""Which effects a trial or a holdout can detect, and what it costs to find out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from incentive_engine.knobs import Knobs, knob


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerParams(Knobs):
    """How surely an effect is to be found, and how rarely none is taken for one."""

    significance: float = knob(0.05, 1e-6, 0.5)
    """α of a two-sided test. Lower asks for more rows, and finds fewer effects that are none."""
    power: float = knob(0.8, 0.5, 0.9999)
    """1 − β, the probability to find an effect. Higher asks for more rows."""


POWER: Final = PowerParams()
"""What the program plans with."""


def detectable_effect(
    base: float, treated: float, control: float, *, power: float = POWER.power
) -> float:
    """Return the smallest rise of a conversion rate that a two-sided test at 5 % finds.

    Parameters
    ----------
    base
        Conversion rate without the offer, in [0, 1].
    treated, control
        Independent rows of either arm, > 0.
    power
        The probability to find it.

    Returns
    -------
    Added probability; infinite where no rise up to certainty is found that surely.

    Notes
    -----
    ``effect = z_{1-α/2} · √(p̄ (1 - p̄) (1/m + 1/n)) + z_power · √(p₁ (1 - p₁)/m + p₀ (1 - p₀)/n)``
    for ``p₁ = p₀ + effect`` and p̄ the pooled rate, solved by halving.

    References
    ----------
    Fleiss, Levin, Paik: Statistical methods for rates and proportions (2003), section 4.2.

    >>> round(detectable_effect(0.10, 3841, 3841), 4)
    0.02
    """
    if min(treated, control) <= 0:
        return float("inf")
    low, high = 0.0, 1.0 - base
    if _surplus(high, base, treated, control, power) < 0:
        return float("inf")
    # 60 halvings of at most 1 end below what float64 can tell apart
    for _ in range(60):
        middle = (low + high) / 2
        is_found = _surplus(middle, base, treated, control, power) >= 0
        low, high = (low, middle) if is_found else (middle, high)
    return high


def power_of(base: float, effect: float, treated: float, control: float) -> float:
    """Return the probability that a two-sided test at 5 % finds a rise of a conversion rate.

    Parameters and formula are those of `detectable_effect`, solved for the power.

    >>> round(power_of(0.10, 0.02, 3841, 3841), 2)
    0.8
    """
    if min(treated, control) <= 0:
        return 0.0
    without, with_effect = _errors(effect, base, treated, control)
    if with_effect <= 0:
        return 0.0
    normal = NormalDist()
    needed = normal.inv_cdf(1 - POWER.significance / 2) * without
    return normal.cdf((abs(effect) - needed) / with_effect)


def _surplus(effect: float, base: float, treated: float, control: float, power: float) -> float:
    """Return by how much an effect exceeds what is needed to find it."""
    normal = NormalDist()
    without, with_effect = _errors(effect, base, treated, control)
    needed = (
        normal.inv_cdf(1 - POWER.significance / 2) * without + normal.inv_cdf(power) * with_effect
    )
    return float(effect - needed)


def _errors(effect: float, base: float, treated: float, control: float) -> tuple[float, float]:
    """Return the standard error of the difference without the effect, and with it."""
    # a fall below 0 or a rise above 1 cannot be meant
    rate = min(max(base + effect, 0.0), 1.0)
    pooled = (treated * rate + control * base) / (treated + control)
    without = math.sqrt(pooled * (1 - pooled) * (1 / treated + 1 / control))
    return without, math.sqrt(rate * (1 - rate) / treated + base * (1 - base) / control)
