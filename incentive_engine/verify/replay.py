"""Goes through the users once more, offer by offer, and sums up what a run should state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from incentive_engine.domain import (
    COST,
    FACE,
    ISSUED,
    MICROS,
    OFFER_MEASURES,
    SPEND,
    BoolArray,
    FloatArray,
    IntArray,
)

from .files import Run
from .limits import BUDGET, Group, exact, groups
from .users import allowed, drawn_holdout, weights


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Usage:
    """The sums behind one group of limits, per part.

    Parameters
    ----------
    group
        The limits.
    totals
        One (parts,) array per measure of the group: int64 millionths for cost and face, int64
        users for issued, otherwise float64.
    scales
        Likewise the sums of absolute values, float64: what rounding errors grow with.
    """

    group: Group
    totals: list[npt.NDArray[Any]]
    scales: list[FloatArray]


@dataclass(slots=True, kw_only=True, eq=False)
class Replay:
    """What the run's own inputs say about its choices; filled offer by offer.

    Attributes
    ----------
    holdout, has_eligible, has_gain
        (n,) bool: drawn for the holdout; some pair is eligible; some eligible pair has value.
    weight
        (n,) float64.
    refused, missing
        (n,) bool: the chosen pair breaks an eligibility rule; a measure of it is missing.
    conversion, spend
        (n,) float64 of the chosen pairs, 0 for none; spend is None when it is unknown.
    cost_micros, face_micros
        (n,) int64 of the chosen pairs, 0 for none.
    bad_costs
        How many scores have a negative or infinite cost.
    value, value_scale
        Sum of the chosen pairs' values, and of their absolute values.
    dual, dual_scale
        (n,) float64, each user's term of the bound; the sum of the terms' absolute values.
    usages
        In the order of `limits.groups`.
    """

    holdout: BoolArray
    weight: FloatArray
    has_eligible: BoolArray
    has_gain: BoolArray
    refused: BoolArray
    missing: BoolArray
    conversion: FloatArray
    spend: FloatArray | None
    cost_micros: IntArray
    face_micros: IntArray
    dual: FloatArray
    usages: tuple[Usage, ...]
    bad_costs: int = 0
    value: float = 0.0
    value_scale: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """One offer for every user.

    Parameters
    ----------
    measures
        Measure to (n,) float64; cost is rounded up to a millionth.
    cost_micros
        (n,) int64.
    allowed, missing, eligible
        (n,) bool.
    value
        (n,) float64, weight x measure.
    """

    offer: str
    face_micros: int
    measures: Mapping[str, FloatArray] = field(repr=False)
    cost_micros: IntArray
    bad_costs: int
    allowed: BoolArray
    missing: BoolArray
    eligible: BoolArray
    value: FloatArray


def replay(run: Run) -> Replay:
    """Recompute a run from its score table, its policy and its stated prices."""
    result = _start(run)
    prices = {limit.name: limit.price or 0.0 for limit in run.certificate.limits}
    for index, offer in enumerate(run.policy.offer_ids):
        pairs = _pairs(run, offer, weight=result.weight, holdout=result.holdout)
        result.bad_costs += pairs.bad_costs
        result.has_eligible |= pairs.eligible
        result.has_gain |= pairs.eligible & (pairs.value > 0)
        _add_dual(result, pairs, prices)
        _add_chosen(result, pairs, run.choice == index)
    return result


def _start(run: Run) -> Replay:
    n_users = len(run.choice)
    attributes = run.scores.attributes

    def nobody() -> BoolArray:
        return np.zeros(n_users, dtype=np.bool_)

    row = [limit.at_most for limit in run.certificate.limits if limit.name == BUDGET]
    expected = row[0] if row else None
    exactly_one = run.policy.assignment == "exactly_one"
    known_spend = any(run.scores.has(SPEND, offer) for offer in run.policy.offer_ids)
    return Replay(
        holdout=drawn_holdout(run.scores.user_id, attributes, run.policy),
        weight=weights(attributes, run.policy),
        has_eligible=nobody(),
        has_gain=nobody(),
        refused=nobody(),
        missing=nobody(),
        conversion=np.zeros(n_users),
        spend=np.zeros(n_users) if known_spend else None,
        cost_micros=np.zeros(n_users, dtype=np.int64),
        face_micros=np.zeros(n_users, dtype=np.int64),
        dual=np.full(n_users, -np.inf if exactly_one else 0.0),
        usages=tuple(
            _no_usage(group) for group in groups(run.policy, attributes, expected=expected)
        ),
    )


def _no_usage(group: Group) -> Usage:
    kind = np.int64 if group.is_exact else np.float64
    parts = len(group.names)
    return Usage(
        group=group,
        totals=[np.zeros(parts, dtype=kind) for _ in group.measures],
        scales=[np.zeros(parts) for _ in group.measures],
    )


def _pairs(run: Run, offer: str, *, weight: FloatArray, holdout: BoolArray) -> Pairs:
    n_users = len(weight)
    face = next(item.face_value for item in run.policy.offers if item.id == offer)
    stored = {name for name in run.policy.measures if name not in OFFER_MEASURES}
    stored |= {SPEND} if run.scores.has(SPEND, offer) else set()
    measures = {name: run.scores.measure(name, offer) for name in sorted(stored)}
    missing = np.logical_or.reduce([np.isnan(values) for values in measures.values()])
    cost = measures[COST]
    usable = np.where(np.isfinite(cost), cost, 0.0)
    micros = _whole_micros(usable)
    measures[COST] = np.where(np.isnan(cost), np.nan, micros / MICROS)
    measures[FACE] = np.broadcast_to(np.float64(face), n_users)
    measures[ISSUED] = np.broadcast_to(np.float64(1.0), n_users)
    may = allowed(run.scores.attributes, run.policy, offer)
    objective = run.policy.objective.maximise.items()
    gain = np.sum([times * measures[name] for name, times in objective], axis=0)
    return Pairs(
        offer=offer,
        face_micros=-int(-exact(face) * MICROS // 1),
        measures=measures,
        cost_micros=micros,
        bad_costs=int(np.count_nonzero((cost < 0) | np.isinf(cost))),
        allowed=may,
        missing=missing,
        eligible=may & ~missing & ~holdout,
        value=weight * gain,
    )


def _whole_micros(cost: FloatArray) -> IntArray:
    """Return (n,) int64 cost in millionths, rounded up by more than float64's own rounding."""
    scaled = cost * MICROS
    whole = np.floor(scaled + 0.5)
    exceeds = scaled - whole > 4 * np.finfo(np.float64).eps * scaled
    return whole.astype(np.int64) + exceeds


def _add_dual(result: Replay, pairs: Pairs, prices: Mapping[str, float]) -> None:
    """Raise each user's term of the bound to value - prices x usage, where that is more."""
    net = pairs.value.copy()
    for usage in result.usages:
        group = usage.group
        if pairs.offer not in group.offers or group.report_only:
            continue
        price = np.array([prices.get(name, 0.0) for name in group.names])
        if price.any():
            each = price[0] if group.part is None else np.append(price, 0.0)[group.part]
            net -= each * linear_form(group, pairs.measures)
    np.maximum(result.dual, net, where=pairs.eligible, out=result.dual)


def linear_form(group: Group, measures: Mapping[str, Any]) -> Any:  # noqa: ANN401 - arrays or sums
    """Return what a price is put on: the measure, or r·b - a (a - r·b) of a ratio a / b."""
    if not group.is_ratio:
        return measures[group.measures[0]]
    top, bottom = (measures[name] for name in group.measures)
    if group.at_least is not None:
        return float(group.at_least) * bottom - top
    return top - float(group.at_most or 0) * bottom


def _add_chosen(result: Replay, pairs: Pairs, chosen: BoolArray) -> None:
    result.refused |= chosen & ~pairs.allowed
    result.missing |= chosen & pairs.missing
    result.conversion[chosen] = pairs.measures["conversion"][chosen]
    if result.spend is not None and SPEND in pairs.measures:
        result.spend[chosen] = pairs.measures[SPEND][chosen]
    result.cost_micros[chosen] = pairs.cost_micros[chosen]
    result.face_micros[chosen] = pairs.face_micros
    value = np.nan_to_num(pairs.value[chosen])
    result.value += float(value.sum())
    result.value_scale += float(np.abs(value).sum())
    for usage in result.usages:
        if pairs.offer in usage.group.offers:
            _add_usage(usage, pairs, chosen)


def _add_usage(usage: Usage, pairs: Pairs, chosen: BoolArray) -> None:
    group = usage.group
    counted = chosen if group.part is None else chosen & (group.part >= 0)
    part = None if group.part is None else group.part[counted]
    for position, name in enumerate(group.measures):
        amounts = _amounts(pairs, name, counted, whole=group.is_exact)
        usage.totals[position] += _sums(amounts, part, len(group.names))
        usage.scales[position] += _sums(np.abs(amounts), part, len(group.names))


def _amounts(pairs: Pairs, name: str, counted: BoolArray, *, whole: bool) -> npt.NDArray[Any]:
    """Return a measure of the counted pairs, as integers where they are summed exactly."""
    if not whole:
        return np.nan_to_num(pairs.measures[name][counted])
    if name == COST:
        return pairs.cost_micros[counted]
    each = pairs.face_micros if name == FACE else 1
    return np.full(int(counted.sum()), each, dtype=np.int64)


def _sums(
    amounts: npt.NDArray[Any], part: npt.NDArray[np.int32] | None, parts: int
) -> npt.NDArray[Any]:
    """Return the sum of each part, integers exactly."""
    if part is None:
        return np.array([amounts.sum()], dtype=amounts.dtype)
    sums = pd.Series(amounts).groupby(part).sum()
    result = np.zeros(parts, dtype=amounts.dtype)
    result[sums.index.to_numpy()] = sums.to_numpy()
    return result
