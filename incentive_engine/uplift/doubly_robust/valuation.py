"""What each offer brought each row of a trial, so that any plan is valued by looking up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.data.tables.arrow import numbers
from incentive_engine.domain import OUTCOMES, ChoiceArray, FloatArray, IntArray, score_column
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.doubly_robust.increments import Increments

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Valuation:
    """Doubly robust increments of each offer over control, for each row of a trial.

    Attributes
    ----------
    offers
        Offer ids.
    by_measure
        Measure to its increments.
    fold : (n,) int64
        Which rows were scored by the same models; see `plans.FoldedPath`.
    """

    ARM: ClassVar = "trial__arm"
    FOLD: ClassVar = "trial__fold"
    """Columns of the table; no attribute of users is called so."""

    offers: tuple[str, ...]
    by_measure: Mapping[str, Increments]
    fold: IntArray

    def of_plan(self, choice: ChoiceArray) -> dict[str, Estimate]:
        """Return what a plan brings per row and measure, with 95 % intervals.

        Parameters
        ----------
        choice
            (n,) int, the offer that the plan gives each row, -1 for none; not made from the
            row's own outcome, nor by comparing scores of different folds.
        """
        return {name: self.total(choice, {name: 1.0}) for name in OUTCOMES}

    def total(
        self,
        choice: ChoiceArray,
        terms: Mapping[str, float],
        *,
        beyond: ChoiceArray | None = None,
        weight: FloatArray | None = None,
    ) -> Estimate:
        """Return a sum of measures that a plan brings per row, with its 95 % interval.

        Parameters
        ----------
        choice
            As of `of_plan`.
        terms
            Measure to coefficient.
        beyond
            Another plan, whose part is taken off row by row, so that what both have in common
            cancels.
        weight
            (n,) how much each row counts; left out, 1.
        """
        sum_of = self._weighted(terms)
        brought = sum_of.part(choice)
        if beyond is not None:
            brought -= sum_of.part(beyond)
        return sum_of.mean(brought if weight is None else weight[:, None] * brought)

    def _weighted(self, terms: Mapping[str, float]) -> Increments:
        """Return a sum of measures; their noises add up, as if they always erred together."""
        parts = [(self.by_measure[name], coefficient) for name, coefficient in terms.items()]
        first = parts[0][0]
        return Increments(
            arm=first.arm,
            expected=_sum(first.expected, [each.expected * c for each, c in parts]),
            surprise=_sum(first.surprise, [each.surprise * c for each, c in parts]),
            noise=_sum(first.noise, [each.noise * abs(c) for each, c in parts]),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the table that `from_table` reads; see `columns`."""
        import pandas as pd

        first = self.by_measure[OUTCOMES[0]]
        table: dict[str, npt.NDArray[np.generic]] = {self.ARM: first.arm, self.FOLD: self.fold}
        for name in OUTCOMES:
            mine = self.by_measure[name]
            values = (*mine.expected.T, mine.surprise, mine.noise)
            table |= dict(zip(_columns(name, self.offers), values, strict=True))
        return pd.DataFrame(table)

    @staticmethod
    def columns(offers: tuple[str, ...]) -> list[str]:
        """Return the names of the table's columns."""
        return [
            Valuation.ARM,
            Valuation.FOLD,
            *(column for name in OUTCOMES for column in _columns(name, offers)),
        ]

    @classmethod
    def from_table(cls, table: pa.Table, offers: tuple[str, ...]) -> Self:
        """Read what `to_frame` gave and a file kept."""
        columns = {name: numbers(table.column(name)) for name in cls.columns(offers)}
        arm = columns[cls.ARM].astype(np.int64)
        by_measure = {}
        for name in OUTCOMES:
            *expected, surprise, noise = (
                columns[each].astype(np.float64) for each in _columns(name, offers)
            )
            by_measure[name] = Increments(
                arm=arm, expected=np.stack(expected, axis=1), surprise=surprise, noise=noise
            )
        return cls(offers=offers, by_measure=by_measure, fold=columns[cls.FOLD].astype(np.int64))


def _sum(like: FloatArray, parts: list[FloatArray]) -> FloatArray:
    return np.asarray(sum(parts, start=np.zeros_like(like)))


def _columns(measure: str, offers: tuple[str, ...]) -> list[str]:
    """Return the names of a measure's columns: one per offer, the surprise, and its noise."""
    expected = [score_column(f"{measure}_increment", offer) for offer in offers]
    return [*expected, f"trial__{measure}_surprise", f"trial__{measure}_noise"]
