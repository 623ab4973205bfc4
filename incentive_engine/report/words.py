"""Sentences of the page: what a reason, a limit's price, an interval mean."""

from __future__ import annotations

import math
from typing import Final

from incentive_engine.domain import Reason

from .content import Favoured, Headline, LimitRow, Proof
from .formats import money, number, percent, significant, tiny_percent

REASONS: Final = {
    Reason.OFFERED: ("Gets an offer", "An offer helps, and the limits leave room for it."),
    Reason.PRICED_OUT: (
        "Priced out",
        "An offer would help, but others gain more from the same money or stock.",
    ),
    Reason.NO_GAIN: ("No gain", "No offer that this user may get is expected to help."),
    Reason.INELIGIBLE: (
        "Not eligible",
        "The rules allow no offer, or the scores of all allowed offers are missing.",
    ),
    Reason.HOLDOUT: ("Holdout", "Kept without an offer, to measure the campaign afterwards."),
}

EXACT: Final = 1e-12
"""A smaller gap is float64's own rounding, and reads as none."""

BASES: Final = {
    "expected": "expected cost",
    "face": "face value handed out",
    "at-risk": "cost at risk",
}


def verdict(proof: Proof) -> str:
    """Return the sentence on feasibility and gap."""
    if not proof.feasible:
        return "This plan breaks at least one limit; do not use it."
    reached = f"this one reaches {{}} {proof.value_name}"
    room = proof.bound - proof.value
    if room <= 0 or proof.gap < EXACT:
        return f"Every limit holds, and no plan is better: {reached.format(number(proof.value))}."
    digits = min(9, max(0, 1 - math.floor(math.log10(room))))
    return (
        f"Every limit holds, and no plan within the same limits can be more than "
        f"{tiny_percent(proof.gap)} better: {reached.format(number(proof.value, digits))}, "
        f"and {number(proof.bound, digits)} is a proven upper bound."
    )


def evidence(headline: Headline) -> str:
    """Return what the headline's figures stand on."""
    if headline.conversions is None:
        return (
            "Sum of the scores only: scores were given without a trial. Sums of scores over the "
            "users that a plan picks tend to be too high."
        )
    rows = f" on {headline.trial_rows:,} trial rows" if headline.trial_rows else ""
    return (
        f"Estimated out of fold{rows}, by models that never saw the rows they are judged on, "
        f"with a 95 % interval. The plan's own scores sum to "
        f"{number(headline.conversions_by_scores)} conversions; such sums tend to be too high, "
        f"because a plan picks the users whose effects are overestimated."
    )


def favouring(favoured: Favoured) -> str:
    """Return what favouring a group costs the whole."""
    if favoured.conversions_unweighted is None:
        return ""
    lost = favoured.conversions_unweighted - favoured.conversions
    if lost <= 0:
        return (
            "Weighing every user alike would bring no more conversions by the scores, "
            "so favouring this group costs none."
        )
    share = lost / favoured.conversions_unweighted
    return (
        f"Weighing every user alike, under the same limits, would bring "
        f"{number(favoured.conversions_unweighted)} conversions by the scores, "
        f"this plan {number(favoured.conversions)}: favouring costs {number(lost)} "
        f"({percent(share)})."
    )


def bound(limit: LimitRow) -> str:
    """Return what a limit demands.

    >>> bound(LimitRow(name="x", unit="count", at_most=5.0, at_least=2.0, usage=3.0, slack=1.0))
    '2 to 5'
    """
    low = None if limit.at_least is None else amount(limit.at_least, limit)
    high = None if limit.at_most is None else amount(limit.at_most, limit)
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"≤ {high}" if high is not None else f"≥ {low}"


def amount(value: float | None, limit: LimitRow) -> str:
    """Return a figure of a limit in its unit."""
    if limit.unit == "money":
        return money(value)
    if limit.unit == "count" and value is not None and float(value).is_integer():
        return number(value, 0)
    return number(value, 3 if limit.unit == "ratio" else None)


def room(limit: LimitRow) -> str:
    """Return what is left to the nearer bound; of a ratio in the ratio's own terms.

    >>> room(LimitRow(name="x", unit="ratio", at_most=None, at_least=1.5, usage=2.0, slack=90.0))
    '0.500'
    """
    if limit.unit != "ratio":
        return amount(limit.slack, limit)
    if limit.usage is None:
        return amount(None, limit)
    rooms = [] if limit.at_most is None else [limit.at_most - limit.usage]
    rooms += [] if limit.at_least is None else [limit.usage - limit.at_least]
    return amount(min(rooms), limit)


def meaning(limit: LimitRow, *, currency: str, value_name: str) -> str:
    """Return what a limit's price says."""
    if limit.report_only:
        exceeded = limit.slack is not None and limit.slack < 0
        return "Measured, not enforced" + ("; exceeded" if exceeded else "")
    if not limit.price:
        return "Relaxing it would change nothing"
    step, unit = {
        "money": (1_000, f"1,000 {currency}"),
        "count": (100, "100 users"),
        "ratio": (1_000, "1,000 that the numerator may miss it by"),
        "number": (1, "unit"),
    }[limit.unit]
    gain = f"{significant(abs(limit.price) * step)} {value_name}"
    if limit.unit == "ratio":
        return f"Each {unit} would add about {gain}"
    if limit.price > 0:
        return f"Each further {unit} would add about {gain}"
    return f"Each {unit} of this floor costs about {gain}"
