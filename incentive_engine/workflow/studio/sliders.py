"""What of a policy can be moved by hand: budget, limits, weights, holdout."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from incentive_engine.config.amounts import Bound
from incentive_engine.config.document.places import Loc
from incentive_engine.config.policy import Limit, Policy
from incentive_engine.domain import ISSUED
from incentive_engine.language import Text, say
from incentive_engine.language.wording import named as measure_named
from incentive_engine.report.titles import Named

Group = Literal["money", "limits", "weights", "holdout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySlider:
    """One number of a policy that a slider moves.

    Attributes
    ----------
    loc
        Where it stands in the policy.
    value, low, high, step
        In the unit in which planners write it: percent, currency, users.
    suffix
        What stands behind the number in the policy, such as ``%``.
    unit
        A currency, or in words what is counted, or what a percentage is taken of.
    """

    group: Group
    loc: Loc
    label: Text
    value: float
    low: float
    high: float
    step: float
    suffix: str = ""
    unit: Text = ""


def policy_sliders(policy: Policy, named: Named) -> Iterator[PolicySlider]:
    """Yield what can be moved, in the order of the page.

    Parameters
    ----------
    named
        What columns and their values are called.
    """
    if policy.budget is not None:
        yield _amount(
            "money", ("budget", "amount"), say("studio.slider_budget"), policy.budget.amount,
            unit=policy.currency,
        )  # fmt: skip
        if policy.budget.basis == "at-risk":
            yield PolicySlider(
                group="money", loc=("budget", "confidence"), label=say("studio.slider_confidence"),
                value=policy.budget.confidence, low=0.5, high=0.999, step=0.001,
            )  # fmt: skip
    for index, limit in enumerate(policy.limits):
        if not limit.report_only:
            yield from _of_limit(policy, index, limit)
    for index, factor in enumerate(policy.objective.weight):
        place: Loc = ("objective", "weight", index)
        for value, times in (factor.values or {}).items():
            label = say(
                "studio.slider_weight",
                column=named.column(factor.column),
                value=named.value(factor.column, str(value)),
            )
            yield _factor((*place, "values", value), label, times)
        if factor.power is not None:
            label = say("studio.slider_power", column=named.column(factor.column))
            yield PolicySlider(
                group="weights", loc=(*place, "power"), label=label, value=factor.power,
                low=min(0.0, factor.power), high=max(1.0, factor.power), step=0.05,
            )  # fmt: skip
    yield _share(("holdout",), say("studio.slider_holdout"), policy.holdout or 0.0)
    if policy.explore is not None:
        yield _share(("explore",), say("studio.slider_explore"), policy.explore)


def _share(loc: Loc, label: Text, share: float) -> PolicySlider:
    percent = round(share * 100, 10)
    return PolicySlider(
        group="holdout", loc=loc, label=label, value=percent, low=0.0, high=max(50.0, percent),
        step=0.5, suffix="%", unit=say("studio.unit_users"),
    )  # fmt: skip


def _of_limit(policy: Policy, index: int, limit: Limit) -> Iterator[PolicySlider]:
    bounds: Mapping[str, Bound | None] = {"at_least": limit.at_least, "at_most": limit.at_most}
    for name, bound in bounds.items():
        if bound is None:
            continue
        label = say(f"studio.slider_{name}", limit=limit.name)
        loc: Loc = ("limits", index, name)
        if bound.is_share:
            suffix = "% of spent" if bound.of_plan else "%"
            percent = round(bound.value * 100, 10)
            yield PolicySlider(
                group="limits", loc=loc, label=label, value=percent, low=0.0,
                high=max(100.0, percent), step=0.5, suffix=suffix, unit=_whole(limit, bound),
            )  # fmt: skip
        elif limit.ratio is not None:
            high = _further(bound.value, least=1.0)
            yield PolicySlider(
                group="limits", loc=loc, label=label, value=bound.value, low=0.0, high=high,
                step=_step(high), unit=_per(limit.ratio),
            )  # fmt: skip
        else:
            unit = say("studio.unit_offers") if limit.sum == ISSUED else policy.currency
            yield _amount("limits", loc, label, bound.value, unit=unit)


def _per(ratio: Sequence[str]) -> Text:
    """Return what a ratio is a ratio of."""
    above, below = (measure_named("measure", name) for name in ratio)
    return say("measure.ratio", numerator=above, denominator=below)


def _whole(limit: Limit, bound: Bound) -> Text:
    """Return what a bound is a share of."""
    if bound.of_plan:
        return say("studio.unit_spent")
    return say("studio.unit_users" if limit.sum == ISSUED else "studio.unit_budget")


def _amount(group: Group, loc: Loc, label: Text, value: float, *, unit: Text = "") -> PolicySlider:
    high = _further(value, least=100.0)
    return PolicySlider(
        group=group, loc=loc, label=label, value=value, low=0.0, high=high,
        step=max(_step(high), 1.0), unit=unit,
    )  # fmt: skip


def _factor(loc: Loc, label: Text, value: float) -> PolicySlider:
    high = max(10.0, _further(value))
    return PolicySlider(
        group="weights", loc=loc, label=label, value=value, low=0.0, high=high, step=0.1,
        unit=say("studio.unit_times"),
    )  # fmt: skip


def _further(value: float, *, least: float = 0.0) -> float:
    """Return how far an amount can be moved, as a round number."""
    return _nice(max(2.5 * value, least))


def _nice(value: float) -> float:
    """Return the next of 1, 2, 2.5, 5, 10, … times a power of ten.

    >>> _nice(500_000.0), _nice(3.7)
    (500000.0, 5.0)
    """
    unit = 10.0 ** math.floor(math.log10(value))
    return next(unit * times for times in (1, 2, 2.5, 5, 10) if unit * times >= value * 0.999)


def _step(high: float) -> float:
    """Return a step of a slider up to a number.

    >>> _step(500_000.0)
    1000.0
    """
    # steps of a slider, at least
    steps = 200
    return 10.0 ** math.floor(math.log10(high / steps))
