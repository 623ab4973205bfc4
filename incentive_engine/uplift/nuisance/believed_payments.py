"""What an offer's rows paid, less the luck of how many of them converted."""

from __future__ import annotations

import numpy as np

from incentive_engine.domain import FloatArray


def believed_payments(
    paid: FloatArray, conversion: FloatArray, chance: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return payments as if rows had converted as often as is believed, (m,), in sum.

    Those who got an offer converted more often or less by chance, and redeemed with it. How often
    they should have is known better: from all arms together, and from what offers have in common.

    Parameters
    ----------
    paid, conversion
        (m,) what rows that got one offer paid, and whether they converted.
    chance
        (m,) that they convert, by models that did not see them.
    weight
        (m,) how much each counts.

    Notes
    -----
    ``paid + b (chance - conversion)`` with b the slope of payments on conversions: the regression
    estimator, whose variance is that of payments less what conversions explain of it. Where
    payments have nothing to do with conversions, b is about 0.

    References
    ----------
    Cochran: Sampling techniques (1977), section 7.3.
    """
    centred = conversion - np.average(conversion, weights=weight)
    spread = float(weight @ centred**2)
    slope = float(weight @ (centred * paid)) / spread if spread > 0 else 0.0
    return np.asarray(paid + slope * (chance - conversion))
