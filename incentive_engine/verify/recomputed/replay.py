"""Goes through the users once more, block by block, and says what a run should state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.config.policy import Policy
from incentive_engine.data.measures import LARGEST_TOTAL
from incentive_engine.data.row_checks import LARGEST
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
    score_column,
)
from incentive_engine.language import Message, say

from .arithmetic import exact, halves
from .blocks import Block
from .limits import LimitGroup
from .lots import Lots, arms_drawn

UNIT: Final = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rules:
    """What the policy and the certificate say of all users.

    Attributes
    ----------
    groups
        The limits, the budget first.
    prices
        Limit name to the price that the certificate states.
    holdout
        (n,) bool.
    held
        (n,) float64, which share of the user's stratum is held out.
    lots
        Who explores.
    weight
        (n,) float64.
    allowed
        Offer to (n,) bool; offers that every user may have are left out.
    measures
        The measures that the score table must have.
    with_spend
        The offers whose incremental spend is known.
    """

    policy: Policy
    groups: tuple[LimitGroup, ...]
    prices: Mapping[str, float]
    holdout: BoolArray
    held: FloatArray
    lots: Lots
    weight: FloatArray
    allowed: Mapping[str, BoolArray]
    measures: tuple[str, ...]
    with_spend: frozenset[str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the score table that are looked at."""
        named = [
            score_column(name, offer)
            for offer in self.policy.offer_ids
            for name in self.measures_of(offer)
        ]
        return tuple(named)

    def measures_of(self, offer: str) -> tuple[str, ...]:
        """Return the measures that the score table has of an offer."""
        spend = (SPEND,) if offer in self.with_spend and SPEND not in self.measures else ()
        return (*self.measures, *spend)


def rules_of_rows(rules: Rules, rows: slice) -> Rules:
    """Return the rules of some users, who count from the first of them."""
    return replace(
        rules,
        groups=tuple(
            group if group.part is None else replace(group, part=group.part[rows])
            for group in rules.groups
        ),
        holdout=rules.holdout[rows],
        held=rules.held[rows],
        lots=replace(rules.lots, drawn=rules.lots.drawn[rows], word=rules.lots.word[rows]),
        weight=rules.weight[rows],
        allowed={offer: may[rows] for offer, may in rules.allowed.items()},
    )


def stored_measures(policy: Policy) -> tuple[str, ...]:
    """Return the measures that a policy needs from the score table."""
    return tuple(name for name in policy.measures if name not in OFFER_MEASURES)


@dataclass(slots=True, kw_only=True, eq=False)
class BlockReplay:
    """What a block's own scores say about its choices; filled offer by offer.

    Attributes
    ----------
    holdout, has_eligible, has_gain
        (b,) bool: drawn for the holdout; some pair is eligible; some eligible pair has value.
    refused, missing
        (b,) bool: the chosen pair breaks an eligibility rule; a measure of it is missing.
    explores, lot
        (b,) bool and (b,) int16: whose arm is drawn by lot, and which, −1 for control.
    propensity
        (b,) float64, how likely the arm was; 1 where nothing was random.
    weight
        (b,) float64.
    conversion, spend
        (b,) float64 of the chosen pairs, 0 for none; spend is None when it is unknown.
    cost_micros, face_micros
        (b,) int64 of the chosen pairs, 0 for none; their sums may pass int64.
    value
        (b,) float64, value of the chosen pairs, 0 for none.
    dual, dual_low, dual_high
        (b,) float64, each user's term of the bound, and what it is between whatever rounding did.
    potential
        (b,) float64, ≥ 0, the most that any eligible offer is worth to the objective.
    own, other
        (b,) float64, the score of the choice at the stated prices, and the best of all others;
        −inf where there is none.
    largest
        (b,) float64, the largest value and payment that these come from: what rounding errors
        grow with.
    error
        (b,) float64, how far rounding may have moved `own` and `other`.
    bad_scores
        Why scores cannot be planned with to how many of them there are.
    dearest
        The sum over users of the highest cost of any offer, currency units.
    totals, scales
        Per group of limits and measure the sums of each part, and those of absolute values; of
        integers the sums of their halves, as `arithmetic.halves`.
    """

    holdout: BoolArray
    has_eligible: BoolArray
    has_gain: BoolArray
    refused: BoolArray
    missing: BoolArray
    explores: BoolArray
    lot: npt.NDArray[np.int16]
    propensity: FloatArray
    weight: FloatArray
    conversion: FloatArray
    spend: FloatArray | None
    cost_micros: IntArray
    face_micros: IntArray
    value: FloatArray
    dual: FloatArray
    dual_low: FloatArray
    dual_high: FloatArray
    potential: FloatArray
    own: FloatArray
    other: FloatArray
    largest: FloatArray
    error: FloatArray
    totals: list[list[npt.NDArray[Any]]]
    scales: list[list[FloatArray]]
    bad_scores: Counter[Message] = field(default_factory=Counter)
    dearest: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OfferedPairs:
    """One offer for every user of a block.

    Attributes
    ----------
    measures
        Measure to (b,) float64; cost is rounded up to a millionth.
    cost_micros
        (b,) int64.
    allowed, missing, eligible
        (b,) bool.
    value
        (b,) float64, weight x measure.
    """

    offer: str
    rows: slice
    face_micros: int
    measures: Mapping[str, FloatArray]
    cost_micros: IntArray
    bad_scores: Counter[Message]
    allowed: BoolArray
    missing: BoolArray
    eligible: BoolArray
    value: FloatArray


def replay(rules: Rules, block: Block) -> tuple[BlockReplay, list[OfferedPairs]]:
    """Recompute a block from its scores, the policy and the stated prices."""
    result, all_pairs, nets = _start(rules, block), [], []
    dearest = np.zeros(len(block.choice))
    # roundings inside one term of a user's score at the prices: bound, products, weight
    extra_roundings = 4
    for index, offer in enumerate(rules.policy.offer_ids):
        pairs, chosen = _pairs(rules, block, offer), block.choice == index
        result.bad_scores += pairs.bad_scores
        np.fmax(dearest, pairs.measures[COST], out=dearest)
        result.has_eligible |= pairs.eligible
        result.has_gain |= pairs.eligible & (pairs.value > 0)
        net, size = _net(rules, pairs)
        error = (len(rules.groups) + extra_roundings) * UNIT * size
        _add_scores(result, pairs, net, error, chosen=chosen)
        np.maximum(result.largest, size, where=pairs.eligible, out=result.largest)
        np.maximum(result.error, error, where=pairs.eligible, out=result.error)
        _add_chosen(result, rules, pairs, chosen)
        all_pairs.append(pairs)
        nets.append((net, error))
    result.dearest = float(dearest.sum())
    _draw_lots(result, rules, all_pairs, nets)
    return result, all_pairs


def _draw_lots(
    result: BlockReplay,
    rules: Rules,
    pairs: list[OfferedPairs],
    nets: list[tuple[FloatArray, FloatArray]],
) -> None:
    """Let the lot decide on who explores: no price does, and nothing is a choice's lead."""
    rows = np.flatnonzero(rules.lots.drawn[pairs[0].rows])
    if not len(rows):
        return
    with_control = rules.policy.assignment == "at_most_one"
    word = rules.lots.word[pairs[0].rows][rows]
    eligible = [(each.offer, each.eligible[rows]) for each in pairs]
    lot, propensity = arms_drawn(word, eligible, with_control=with_control)
    has_choice = propensity < 1.0
    rows, lot, propensity = rows[has_choice], lot[has_choice], propensity[has_choice]
    result.explores[rows], result.lot[rows], result.propensity[rows] = True, lot, propensity
    own, error = np.zeros(len(rows)), np.zeros(len(rows))
    for index, (net, size) in enumerate(nets):
        got = lot == index
        own[got], error[got] = net[rows[got]], size[rows[got]]
    result.dual[rows] = own
    result.dual_low[rows], result.dual_high[rows] = own - error, own + error
    result.own[rows] = result.other[rows] = -np.inf


def _add_scores(
    result: BlockReplay,
    pairs: OfferedPairs,
    net: FloatArray,
    error: FloatArray,
    *,
    chosen: BoolArray,
) -> None:
    with np.errstate(invalid="ignore"):  # infinite prices leave NaN, which proves nothing
        low, high = net - error, net + error
    for most, score in (
        (result.dual, net),
        (result.dual_low, low),
        (result.dual_high, high),
        (result.potential, pairs.value),
    ):
        np.maximum(most, score, where=pairs.eligible, out=most)
    np.maximum(result.other, net, where=pairs.eligible & ~chosen, out=result.other)
    np.copyto(result.own, net, where=pairs.eligible & chosen)


def empty_sums(rules: Rules) -> tuple[list[list[npt.NDArray[Any]]], list[list[FloatArray]]]:
    """Return zeros per group of limits, measure and part: of sums and of absolute values."""
    totals = [
        [
            np.zeros((2, len(group.names)), np.int64) if group.is_exact
            else np.zeros(len(group.names))
            for _ in group.measures
        ]
        for group in rules.groups
    ]  # fmt: skip
    return totals, [[np.zeros(len(group.names)) for _ in group.measures] for group in rules.groups]


def _start(rules: Rules, block: Block) -> BlockReplay:
    rows = block.rows
    size = rows.stop - rows.start
    totals, scales = empty_sums(rules)
    nothing = -np.inf if rules.policy.assignment == "exactly_one" else 0.0
    return BlockReplay(
        holdout=rules.holdout[rows],
        weight=rules.weight[rows],
        explores=np.zeros(size, dtype=np.bool_),
        lot=np.full(size, -1, dtype=np.int16),
        propensity=np.where(rules.holdout[rows], rules.held[rows], 1.0),
        has_eligible=np.zeros(size, dtype=np.bool_),
        has_gain=np.zeros(size, dtype=np.bool_),
        refused=np.zeros(size, dtype=np.bool_),
        missing=np.zeros(size, dtype=np.bool_),
        conversion=np.zeros(size),
        spend=np.zeros(size) if rules.with_spend else None,
        cost_micros=np.zeros(size, dtype=np.int64),
        face_micros=np.zeros(size, dtype=np.int64),
        value=np.zeros(size),
        dual=np.full(size, nothing),
        dual_low=np.full(size, nothing),
        dual_high=np.full(size, nothing),
        potential=np.zeros(size),
        own=np.where(block.choice == -1, nothing, -np.inf),
        other=np.where(block.choice == -1, -np.inf, nothing),
        largest=np.zeros(size),
        error=np.zeros(size),
        totals=totals,
        scales=scales,
    )


def _pairs(rules: Rules, block: Block, offer: str) -> OfferedPairs:
    rows = block.rows
    size = rows.stop - rows.start
    measures = {name: block.scores[score_column(name, offer)] for name in rules.measures_of(offer)}
    bad_scores = _bad_scores(measures)
    # such a score is none: in a sum it would hide all others
    measures = {name: np.where(np.abs(x) > LARGEST, np.nan, x) for name, x in measures.items()}
    missing = np.logical_or.reduce([np.isnan(values) for values in measures.values()])
    face = next(item.face_value for item in rules.policy.offers if item.id == offer)
    cost = measures[COST]
    micros = _whole_micros(np.where(np.abs(cost) < LARGEST_TOTAL, cost, 0.0))
    measures[COST] = np.where(np.isnan(cost), np.nan, micros / MICROS)
    measures[FACE] = np.broadcast_to(np.float64(face), size)
    measures[ISSUED] = np.broadcast_to(np.float64(1.0), size)
    anyone = np.ones(size, dtype=np.bool_)
    may = rules.allowed[offer][rows] if offer in rules.allowed else anyone
    objective = rules.policy.objective.maximise.items()
    gain = sum((times * measures[name] for name, times in objective), np.zeros(size))
    return OfferedPairs(
        offer=offer,
        rows=rows,
        face_micros=-int(-exact(face) * MICROS // 1),
        measures=measures,
        cost_micros=micros,
        bad_scores=bad_scores,
        allowed=may,
        missing=missing,
        eligible=may & ~missing & ~rules.holdout[rows],
        value=rules.weight[rows] * gain,
    )


def _bad_scores(measures: Mapping[str, FloatArray]) -> Counter[Message]:
    """Return the scores of an offer that `allocate` would not have read, by what is wrong."""
    cost = measures[COST]
    found = Counter(
        {
            say("negative costs"): int(np.count_nonzero(cost < 0)),
            say("costs too large to be summed"): int(np.count_nonzero(cost >= LARGEST_TOTAL)),
            say("infinite measures"): sum(int(np.isinf(x).sum()) for x in measures.values()),
            say("measures beyond what sums can hold"): sum(
                int(np.count_nonzero((np.abs(x) > LARGEST) & ~np.isinf(x)))
                for x in measures.values()
            ),
        }
    )
    return +found


def _whole_micros(cost: FloatArray) -> IntArray:
    """Return (b,) int64 cost in millionths, rounded up by more than float64's own rounding.

    Above 5e8 currency units half a millionth is within that rounding, and the even one is taken.
    """
    scaled = cost * MICROS
    below = np.floor(scaled)
    rest = scaled - below
    nearest = below + ((rest > 0.5) | ((rest == 0.5) & (np.fmod(below, 2) == 1)))
    exceeds = scaled - nearest > 4 * UNIT * scaled
    return np.asarray(nearest + exceeds, dtype=np.int64)


def _net(rules: Rules, pairs: OfferedPairs) -> tuple[FloatArray, FloatArray]:
    """Return (b,) value - prices x usage, and (b,) the sum of the absolute values of its terms."""
    net, size = pairs.value.copy(), np.abs(pairs.value)
    with np.errstate(over="ignore", invalid="ignore"):  # prices beyond reason are refused later
        for group in rules.groups:
            is_counted = pairs.offer in group.offers
            if group.report_only or not (is_counted or group.of_plan):
                continue
            price = np.array([rules.prices.get(name, 0.0) for name in group.names])
            if price.any():
                part = None if group.part is None else group.part[pairs.rows]
                each = price[0] if part is None else np.append(price, 0.0)[part]
                each = each if is_counted else each * 0.0
                amounts = [pairs.measures[name] for name in group.measures]
                if group.of_plan:  # the whole plan's total stands below every part
                    amounts[0] = each * amounts[0]
                    amounts[1], each = price.sum() * amounts[1], np.float64(1.0)
                net -= each * linear_form(group, *amounts)
                size += np.abs(each) * _form_size(group, *amounts)
    return net, size


def _form_size(group: LimitGroup, *amounts: FloatArray) -> FloatArray:
    """Return (b,) the sum of the absolute values of the terms of a linear form."""
    if not group.is_ratio:
        return np.abs(amounts[0])
    top, bottom = map(np.abs, amounts)
    bound = group.at_least if group.at_least is not None else group.at_most
    return np.asarray(top + abs(float(bound or 0)) * bottom)


def linear_form(group: LimitGroup, *amounts: Any) -> Any:  # noqa: ANN401 - arrays or sums
    """Return what a price is put on: the measure, or r·b - a (a - r·b) of a ratio a / b."""
    if not group.is_ratio:
        return amounts[0]
    top, bottom = amounts
    if group.at_least is not None:
        return float(group.at_least) * bottom - top
    return top - float(group.at_most or 0) * bottom


def _add_chosen(result: BlockReplay, rules: Rules, pairs: OfferedPairs, chosen: BoolArray) -> None:
    result.refused |= chosen & ~pairs.allowed
    result.missing |= chosen & pairs.missing
    result.conversion[chosen] = pairs.measures["conversion"][chosen]
    if result.spend is not None and SPEND in pairs.measures:
        result.spend[chosen] = pairs.measures[SPEND][chosen]
    result.cost_micros[chosen] = pairs.cost_micros[chosen]
    result.face_micros[chosen] = pairs.face_micros
    result.value[chosen] = np.nan_to_num(pairs.value[chosen])
    for group, totals, scales in zip(rules.groups, result.totals, result.scales, strict=True):
        if pairs.offer in group.offers:
            _add_usage(group, totals, scales, pairs, chosen)
        if group.of_plan:
            _add_whole(group, totals[1], scales[1], pairs, chosen)


def _add_usage(
    group: LimitGroup,
    totals: list[npt.NDArray[Any]],
    scales: list[FloatArray],
    pairs: OfferedPairs,
    chosen: BoolArray,
) -> None:
    rows = np.flatnonzero(chosen)
    part = None
    if group.part is not None:
        own = group.part[pairs.rows][rows]
        rows, part = rows[own >= 0], own[own >= 0]
    for position, name in enumerate(group.measures[:1] if group.of_plan else group.measures):
        if group.is_exact:
            _add(totals[position], halves(_whole_amounts(pairs, name, rows)), part)
            continue
        amounts = np.nan_to_num(pairs.measures[name][rows])
        _add(totals[position], amounts, part)
        _add(scales[position], np.abs(amounts), part)


def _add_whole(
    group: LimitGroup,
    totals: npt.NDArray[Any],
    scales: FloatArray,
    pairs: OfferedPairs,
    chosen: BoolArray,
) -> None:
    """Add what the chosen pairs of any user are to the denominator of every part."""
    amounts = np.nan_to_num(pairs.measures[group.measures[1]][chosen])
    totals += amounts.sum()
    scales += np.abs(amounts).sum()


def _whole_amounts(pairs: OfferedPairs, name: str, rows: IntArray) -> IntArray:
    """Return a measure of the counted pairs, (m,) int64: millionths, or users."""
    if name == COST:
        return pairs.cost_micros[rows]
    return np.full(len(rows), pairs.face_micros if name == FACE else 1, dtype=np.int64)


def _add(sums: npt.NDArray[Any], amounts: npt.NDArray[Any], part: npt.NDArray[Any] | None) -> None:
    """Add amounts, (…, m), to the sum of each part, (…, parts)."""
    for target, values in zip(np.atleast_2d(sums), np.atleast_2d(amounts), strict=True):
        if part is None:
            target[0] += values.sum()
        else:
            np.add.at(target, part, values)
