"""What a plan says of the users of one shard, written by the task that has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy
from incentive_engine.allocation.plans.choosers import choices_at
from incentive_engine.allocation.plans.score_rows import ScoreRows, StateRows
from incentive_engine.allocation.problem import Problem, Question
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.tables.scratch import pick
from incentive_engine.data.trials.holdout import strata_codes
from incentive_engine.domain import COST, ChoiceArray, FloatArray, IntArray, Reason, to_micros
from incentive_engine.insight.plan_rows import plan_rows
from incentive_engine.run.directory import AllocationTable, write_part


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSums:
    """What a plan's rows add up to, of one shard or of several.

    Attributes
    ----------
    reasons, offers
        Users by place in `Reason`, and by place of the offer that they get.
    conversion, spend
        Sums of the chosen pairs' scores; spend is None where the scores have none.
    cost_micros
        The sum of the chosen pairs' costs, millionths.
    settled
        Users whom the integer stage gave something else than the prices would.
    missing
        (measure, offer) to the users for whom it is unknown.
    """

    reasons: tuple[int, ...]
    offers: tuple[int, ...]
    conversion: float
    spend: float | None
    cost_micros: int
    settled: int
    missing: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, rows: AllocationTable, scores: ScoreTable, *, settled: int) -> Self:
        """Return what some rows add up to."""
        taken = rows.choice[rows.choice >= 0]
        return cls(
            reasons=tuple(np.bincount(rows.reason, minlength=len(Reason)).tolist()),
            offers=tuple(np.bincount(taken, minlength=len(rows.offers)).tolist()),
            conversion=float(rows.conversion.sum()),
            spend=None if rows.spend is None else float(rows.spend.sum()),
            cost_micros=int(rows.cost_micros.sum()),
            settled=settled,
            missing=dict(scores.missing_pairs),
        )

    def plus(self, other: Self) -> Self:
        """Return what these rows and others add up to."""
        spend = None if self.spend is None or other.spend is None else self.spend + other.spend
        return replace(
            self,
            reasons=tuple(map(sum, zip(self.reasons, other.reasons, strict=True))),
            offers=tuple(map(sum, zip(self.offers, other.offers, strict=True))),
            conversion=self.conversion + other.conversion,
            spend=spend,
            cost_micros=self.cost_micros + other.cost_micros,
            settled=self.settled + other.settled,
            missing=Counter(self.missing) + Counter(other.missing),
        )


def total(parts: Sequence[PlanSums]) -> PlanSums:
    """Return what all shards add up to."""
    return reduce(PlanSums.plus, parts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WriteRows:
    """Writes what a plan says of the users of a shard as one Parquet part.

    Attributes
    ----------
    state
        Reads and states the users again: a task that runs anywhere, and twice, writes the same.
    question, prices
        What was asked, and the plan's prices.
    folder
        Where the parts go.
    """

    state: StateRows
    question: Question
    prices: Mapping[str, float]
    frozen: FrozenPolicy
    folder: str

    def __call__(self, shard: ScoreRows, choice: ChoiceArray) -> PlanSums:
        """Return what the rows add up to; the part appears whole or not at all."""
        scores = self.state.table(shard)
        problem = replace(self.state.stated(scores, shard), limits=self.question.limits)
        by_price = choices_at(problem, self.prices)
        settled = int(np.count_nonzero(by_price != choice))
        if problem.explorers is not None:
            choice = problem.explorers.merged(choice)
        strata = scores.attributes.select(self.frozen.policy.holdout_strata)
        rows = plan_rows(
            problem,
            scores,
            choice=choice,
            cost_micros=_micros(problem, choice),
            prices=self.prices,
            held=_held(self.frozen, strata, len(choice)),
        )
        write_part(Path(self.folder), shard.number, rows)
        return PlanSums.of(rows, scores, settled=settled)


def _micros(problem: Problem, choice: ChoiceArray) -> IntArray:
    """Return (n,) what each choice costs in millionths, rounded up."""
    cost = pick(problem.columns[problem.measures.index(COST)], choice)
    return to_micros(np.where(choice >= 0, cost, 0.0).astype(np.float64))


def _held(frozen: FrozenPolicy, strata: pa.Table, n: int) -> FloatArray:
    """Return (n,) float64, which share of each user's stratum is held out."""
    if not frozen.held:
        return np.zeros(n)
    for place, name in enumerate(strata.column_names):
        # whole numbers stand as floats where some rows of the table miss them
        if frozen.kinds[name] == "number" and pa.types.is_integer(strata.schema.types[place]):
            column = strata.column(name).cast(pa.float64())
            strata = strata.set_column(place, name, column)
    _, first, stratum = np.unique(strata_codes(strata, n), return_index=True, return_inverse=True)
    values = [
        strata.column(name).take(pa.array(first)).to_pylist() for name in strata.column_names
    ]
    names = [
        tuple(None if column[row] is None else str(column[row]) for column in values)
        for row in range(len(first))
    ]
    shares: FloatArray = np.array([frozen.held[name] for name in names])
    return shares[stratum]
