"""Whether outcomes contradict the gain that was stated, as early as can be said."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from incentive_engine.language import say
from incentive_engine.live.watch.evidence import of_difference
from incentive_engine.live.watch.look import Found, Look
from incentive_engine.stats.holdout_effect import difference_from_holdout

LEAST: Final = 200
"""Users of the holdout, with outcomes, from whom on a difference of means is nearly normal."""


def gain(look: Look) -> Iterator[Found]:
    """Yield that the holdout says something else than was stated."""
    did, seen = look.outcomes, look.observed
    if did is None:
        return
    ripe = seen.is_first & (seen.row >= 0) & (seen.decided <= look.now - look.params.settled_after)
    ripe &= seen.decided >= max(look.begin("gain_below"), look.begin("gain_above"))
    rows = seen.row[ripe]
    held = look.expected.held[rows]
    bought = did.conversion[rows]
    if held.sum() < LEAST or len(rows) - held.sum() < LEAST or bought.sum() < LEAST / 10:
        return
    measured = difference_from_holdout(
        bought, held=held, stratum=np.zeros(len(rows), dtype=np.int64)
    )
    stated = look.expected.gain
    distance = max(stated.low - measured.value, measured.value - stated.high, 0.0)
    reach = max(abs(stated.value) / 2, (stated.high - stated.low) / 4, 1e-6)
    log_e = of_difference(distance, error=measured.standard_error, reach=reach)
    if log_e < -math.log(look.params.of_test):
        return
    kind = "gain_below" if measured.value < stated.low else "gain_above"
    values = {
        "users": len(rows),
        "measured": 1000 * measured.value,
        "low": 1000 * stated.low,
        "high": 1000 * stated.high,
    }
    yield Found(
        kind=kind,
        subject=None,
        severity="error" if kind == "gain_below" else "info",
        figures={**values, "error": 1000 * measured.standard_error},
        text=say(f"watch.{kind}", **values),
        ratio=measured.value / stated.value if stated.value else None,
    )
