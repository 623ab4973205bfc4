"""Whether outcomes contradict the gain that was stated, as early as can be said."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from incentive_engine.domain import BoolArray, IntArray
from incentive_engine.language import say
from incentive_engine.live.watch.look import Found, Look
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.holdout_effect import difference_from_holdout
from incentive_engine.stats.sequential import (
    GAIN_TEST,
    Noticing,
    bet,
    log_evidence,
    noticing,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GainComparison:
    """Users who are compared with those of the holdout, until now.

    Attributes
    ----------
    rows : (r,) int64
        Their places in the run, each once.
    by_prices
        Whether they are those who get an offer at the plan's prices, held out or not.
    measured
        Conversions per user that offers added among them.
    stated
        The same as it was stated.
    """

    rows: IntArray
    by_prices: bool
    measured: Estimate
    stated: Estimate

    def alpha(self, error: float) -> float:
        """Return the error of this way to compare."""
        return error * (GAIN_TEST.by_prices if self.by_prices else 1 - GAIN_TEST.by_prices)


def gain(look: Look) -> Iterator[Found]:
    """Yield that the holdout says something else than was stated."""
    compared = comparison(look)
    if compared is None:
        return
    measured, stated = compared.measured, compared.stated
    error = measured.standard_error
    assert error is not None
    below = log_evidence(
        stated.low - measured.value, error=error, reach=bet(stated.value, stated.low)
    )
    above = log_evidence(
        measured.value - stated.high, error=error, reach=bet(stated.value, stated.low)
    )
    is_below = below >= -math.log(compared.alpha(look.params.of_gain))
    if not is_below and above < -math.log(compared.alpha(look.params.of_test)):
        return
    kind = "gain_below" if is_below else "gain_above"
    values = {
        "users": len(compared.rows),
        "measured": 1000 * measured.value,
        "low": 1000 * stated.low,
        "high": 1000 * stated.high,
    }
    yield Found(
        kind=kind,
        subject=None,
        severity="error" if is_below else "info",
        figures={**values, "error": 1000 * error},
        text=say(f"watch.{kind}", **values),
        ratio=measured.value / stated.value if stated.value else None,
    )


def comparison(look: Look) -> GainComparison | None:
    """Return who is compared; None while there are too few, or nobody says what users did."""
    did, seen = look.outcomes, look.observed
    if did is None:
        return None
    ripe = seen.is_first & (seen.row >= 0) & (seen.decided <= look.now - look.params.settled_after)
    ripe &= seen.decided >= max(look.begin("gain_below"), look.begin("gain_above"))
    rows, stated, yard = seen.row[ripe], look.expected.gain, look.yardstick
    holdout = look.expected.held
    by_prices = yard is not None and _as_planned(look, rows, seen.offer[ripe] >= 0)
    if yard is not None and by_prices:
        rows = rows[yard.offered[rows]]
        stated = stated.times(float((~holdout).sum() / max((yard.offered & ~holdout).sum(), 1)))
    held_out = holdout[rows]
    bought = did.conversion[rows]
    least = GAIN_TEST.least_held
    if held_out.sum() < least or len(rows) - held_out.sum() < least or bought.sum() < least / 10:
        return None
    nothing = np.zeros(len(rows), dtype=np.int64)
    measured = difference_from_holdout(
        bought,
        held=held_out,
        stratum=nothing if yard is None else yard.stratum[rows],
        covariates=None if yard is None else yard.covariates[rows].astype(np.float64),
    )
    return GainComparison(rows=rows, by_prices=by_prices, measured=measured, stated=stated)


def _as_planned(look: Look, rows: IntArray, got: BoolArray) -> bool:
    """Whether those who were not held out got an offer where the plan's prices give one.

    Nothing of it hangs on outcomes, nor on who was held out.
    """
    assert look.yardstick is not None
    free = ~look.expected.held[rows]
    planned = look.yardstick.offered[rows]
    return bool(free.any()) and float((planned == got)[free].mean()) >= look.params.as_planned


def noticed(look: Look) -> tuple[GainComparison, Noticing] | None:
    """Return what would be noticed by the end, as far as the outcomes until now can tell."""
    compared, forecast = comparison(look), look.expected.forecast
    if compared is None or forecast is None or compared.measured.standard_error is None:
        return None
    share = look.share(look.now - look.params.settled_after)
    if share <= 0:
        return None
    return compared, noticing(
        value=compared.stated.value,
        low=compared.stated.low,
        error=compared.measured.standard_error * math.sqrt(share),
        held=round(float(look.expected.held[compared.rows].sum()) / share),
        alpha=compared.alpha(look.params.of_gain),
    )
