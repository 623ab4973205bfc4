"""How many users come of those that were forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def volume(
    came: Sequence[int],
    shares: Sequence[float],
    *,
    forecast: float,
    least: float = 0.2,
    most: float = 5.0,
) -> float:
    """Return how many users come of those that were forecast, as far as one can tell by now.

    Parameters
    ----------
    came, shares
        Users who had come, and the share that was forecast, at each moment until now; 0 first.
    forecast
        Users who were to come in all.
    least, most
        Range of the answer.

    Notes
    -----
    Each stretch of time says how many came of those that were to come in it; the median over
    stretches, each counted by its forecast, is not moved by a rush of some minutes. It counts by
    the root of the share that is over: early it says little about the day, late nearly all.

    >>> volume([0, 13, 26], [0.0, 0.5, 1.0], forecast=20)
    1.3
    """
    users, parts = np.diff(came), np.diff(shares)
    had_traffic = parts > 0
    if not had_traffic.any() or forecast <= 0:
        return 1.0
    ratio, weight = users[had_traffic] / (parts[had_traffic] * forecast), parts[had_traffic]
    order = np.argsort(ratio)
    half = np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)
    middle = ratio[order][min(half, len(order) - 1)]
    damped = max(middle, 1e-9) ** np.sqrt(min(shares[-1], 1.0))
    return float(np.clip(damped, least, most))
