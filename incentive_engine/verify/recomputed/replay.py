"""Goes through the users once more, block by block, and says what a run should state."""

from __future__ import annotations

import numpy as np

from incentive_engine.domain import (
    COST,
    SPEND,
    BoolArray,
    FloatArray,
)

from .blocks import Block
from .lots import arms_drawn
from .pairs import BlockReplay, OfferedPairs, offered_pairs
from .rules import Rules


def replay(rules: Rules, block: Block) -> tuple[BlockReplay, list[OfferedPairs]]:
    """Recompute a block from its scores, the policy and the stated prices."""
    result, all_pairs, nets = _start(rules, block), [], []
    dearest = np.zeros(len(block.choice))
    # roundings inside one term of a user's score at the prices: bound, products, weight
    extra_roundings = 4
    for index, offer in enumerate(rules.policy.offer_ids):
        pairs, chosen = offered_pairs(rules, block, offer), block.choice == index
        result.bad_scores += pairs.bad_scores
        np.fmax(dearest, pairs.measures[COST], out=dearest)
        result.has_eligible |= pairs.eligible
        result.has_gain |= pairs.eligible & (pairs.value > 0)
        net, size = _net(rules, pairs)
        error = (len(rules.groups) + extra_roundings) * np.finfo(np.float64).eps * size
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
    # who may get one arm only explores nothing, and is decided on by price
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


def _start(rules: Rules, block: Block) -> BlockReplay:
    rows = block.rows
    size = rows.stop - rows.start
    totals, scales = rules.empty_sums()
    # getting nothing is worth 0 where it is allowed, and no choice at all where it is not
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
                net -= each * group.linear_form(*amounts)
                size += np.abs(each) * group.size_of_form(*amounts)
    return net, size


def _add_chosen(result: BlockReplay, rules: Rules, pairs: OfferedPairs, chosen: BoolArray) -> None:
    result.refused |= chosen & ~pairs.allowed
    result.missing |= chosen & pairs.missing
    result.conversion[chosen] = pairs.measures["conversion"][chosen]
    if result.spend is not None and SPEND in pairs.measures:
        result.spend[chosen] = pairs.measures[SPEND][chosen]
    result.cost_micros[chosen] = pairs.cost_micros[chosen]
    result.face_micros[chosen] = pairs.face_micros
    # a chosen pair without a score is found by `missing`, and must not hide the other sums
    result.value[chosen] = np.nan_to_num(pairs.value[chosen])
    for group, totals, scales in zip(rules.groups, result.totals, result.scales, strict=True):
        if pairs.offer in group.offers:
            pairs.add_usage(group, totals, scales, chosen)
        if group.of_plan:
            pairs.add_whole(group, totals[1], scales[1], chosen)
