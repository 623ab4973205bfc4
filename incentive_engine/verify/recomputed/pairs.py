"""One offer for every user of a block, as the score table has it, and what all say of a block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from incentive_engine.data.columns.measures import Measures
from incentive_engine.data.row_checks import RowChecks
from incentive_engine.domain import (
    COST,
    FACE,
    ISSUED,
    MICROS,
    BoolArray,
    FloatArray,
    IntArray,
    score_column,
)
from incentive_engine.language import Message, say

from .arithmetic import exact, halves
from .blocks import Block
from .rules import LimitGroup, Rules


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

    def add_usage(
        self,
        group: LimitGroup,
        totals: list[npt.NDArray[Any]],
        scales: list[FloatArray],
        chosen: BoolArray,
    ) -> None:
        """Add what the chosen pairs count in each part of a limit."""
        rows = np.flatnonzero(chosen)
        part = None
        if group.part is not None:
            own = group.part[self.rows][rows]
            rows, part = rows[own >= 0], own[own >= 0]
        for position, name in enumerate(group.measures[:1] if group.of_plan else group.measures):
            if group.is_exact:
                _add(totals[position], halves(self._whole_amounts(name, rows)), part)
                continue
            amounts = np.nan_to_num(self.measures[name][rows])
            _add(totals[position], amounts, part)
            _add(scales[position], np.abs(amounts), part)

    def add_whole(
        self,
        group: LimitGroup,
        totals: npt.NDArray[Any],
        scales: FloatArray,
        chosen: BoolArray,
    ) -> None:
        """Add what the chosen pairs of any user are to the denominator of every part."""
        amounts = np.nan_to_num(self.measures[group.measures[1]][chosen])
        totals += amounts.sum()
        scales += np.abs(amounts).sum()

    def _whole_amounts(self, name: str, rows: IntArray) -> IntArray:
        """Return a measure of the counted pairs, (m,) int64: millionths, or users."""
        if name == COST:
            return self.cost_micros[rows]
        return np.full(len(rows), self.face_micros if name == FACE else 1, dtype=np.int64)


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


def offered_pairs(rules: Rules, block: Block, offer: str) -> OfferedPairs:
    """Return an offer for every user of a block: who may have it, and what it is worth."""
    rows = block.rows
    size = rows.stop - rows.start
    measures = {name: block.scores[score_column(name, offer)] for name in rules.measures_of(offer)}
    bad_scores = _bad_scores(measures)
    # such a score is none: in a sum it would hide all others
    measures = {
        name: np.where(np.abs(x) > RowChecks.LARGEST, np.nan, x) for name, x in measures.items()
    }
    missing = np.logical_or.reduce([np.isnan(values) for values in measures.values()])
    face = next(item.face_value for item in rules.policy.offers if item.id == offer)
    cost = measures[COST]
    micros = _whole_micros(np.where(np.abs(cost) < Measures.LARGEST_TOTAL, cost, 0.0))
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
        # floor of the negative is the ceiling: money is rounded up, in exact decimals
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
    counts = Counter(
        {
            say("negative costs"): int(np.count_nonzero(cost < 0)),
            say("costs too large to be summed"): int(
                np.count_nonzero(cost >= Measures.LARGEST_TOTAL)
            ),
            say("infinite measures"): sum(int(np.isinf(x).sum()) for x in measures.values()),
            say("measures beyond what sums can hold"): sum(
                int(np.count_nonzero((np.abs(x) > RowChecks.LARGEST) & ~np.isinf(x)))
                for x in measures.values()
            ),
        }
    )
    return +counts


def _whole_micros(cost: FloatArray) -> IntArray:
    """Return (b,) int64 cost in millionths, rounded up by more than float64's own rounding.

    Above 5e8 currency units half a millionth is within that rounding, and the even one is taken.
    """
    scaled = cost * MICROS
    below = np.floor(scaled)
    fraction = scaled - below
    nearest = below + ((fraction > 0.5) | ((fraction == 0.5) & (np.fmod(below, 2) == 1)))
    exceeds = scaled - nearest > 4 * np.finfo(np.float64).eps * scaled
    return np.asarray(nearest + exceeds, dtype=np.int64)


def _add(sums: npt.NDArray[Any], amounts: npt.NDArray[Any], part: npt.NDArray[Any] | None) -> None:
    """Add amounts, (…, m), to the sum of each part, (…, parts)."""
    for target, values in zip(np.atleast_2d(sums), np.atleast_2d(amounts), strict=True):
        if part is None:
            target[0] += values.sum()
        else:
            np.add.at(target, part, values)
