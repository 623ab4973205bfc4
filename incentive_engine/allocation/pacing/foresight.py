"""How near a campaign has come to what perfect foresight would have reached."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from incentive_engine.allocation.dual.prices import find_prices
from incentive_engine.allocation.params import SolveParams
from incentive_engine.allocation.plans.choosers import Choosers
from incentive_engine.allocation.population.sweep import tally
from incentive_engine.domain import ChoiceArray, IntArray


def foresight(
    choosers: Choosers,
    came: IntArray,
    given: ChoiceArray,
    prices: Mapping[str, float],
) -> float | None:
    """Return the share of the best that the users who came could have been given, 0 to 1.

    The best takes no more of any capped limit than what was given takes, and no less of any
    floor, and knows everybody beforehand; it is bounded by its dual, so that the true share is
    no lower. None where nothing could be given.

    Parameters
    ----------
    came
        (m,) int64, the users who came, by their place.
    given
        (m,) int16, what each got, index into the problem's offers, −1 for nothing.
    prices
        From which the search for the bound starts.
    """
    if not len(came):
        return None
    users = choosers.users.take(came)
    rows = choosers.rows
    position = np.full(users.k + 1, -1, dtype=np.int16)
    position[choosers.users.order] = np.arange(users.k)
    table = tally(users, position[given])
    used = rows.usage(table)
    bounded = rows.with_bounds(
        np.where(np.isfinite(rows.lower), used, -np.inf),
        np.where(np.isfinite(rows.upper), used, np.inf),
    )
    start = np.array([prices.get(name, 0.0) for name in rows.names])
    # relative gap of the bound; it is one at any prices, only not the lowest
    close = 1e-5
    best = find_prices(users, bounded, start=start, params=SolveParams(price_gap=close))
    return table.value / best.point.dual if best.point.dual > 0 else None
