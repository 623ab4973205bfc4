"""What each offer brought each row of a trial, so that any plan is valued by looking up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.data.columns import numbers
from incentive_engine.domain import FloatArray, score_column
from incentive_engine.uplift.intervals import MEASURES, Estimate, mean_with_interval

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
        Measure to (n, k) float64, in the measure's unit: `plan_value.increments` of each offer.
    """

    offers: tuple[str, ...]
    by_measure: dict[str, FloatArray]

    def of_plan(self, choice: npt.NDArray[np.int16]) -> dict[str, Estimate]:
        """Return what a plan brings per row and measure, with 95 % intervals.

        Parameters
        ----------
        choice
            (n,) int, the offer that the plan gives each row, -1 for none; not made from the
            row's own outcome.
        """
        return {
            measure: mean_with_interval(_brought(by_offer, choice))
            for measure, by_offer in self.by_measure.items()
        }

    def total(
        self,
        choice: npt.NDArray[np.int16],
        terms: Mapping[str, float],
        *,
        beyond: npt.NDArray[np.int16] | None = None,
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
        brought = np.zeros(len(choice))
        for measure, coefficient in terms.items():
            by_offer = self.by_measure[measure]
            brought += coefficient * _brought(by_offer, choice)
            if beyond is not None:
                brought -= coefficient * _brought(by_offer, beyond)
        return mean_with_interval(brought if weight is None else weight * brought)

    def to_frame(self) -> pd.DataFrame:
        """Return one column per measure and offer; see `increment_columns`."""
        import pandas as pd

        return pd.DataFrame(
            {
                column: self.by_measure[measure][:, index]
                for measure in MEASURES
                for index, column in enumerate(increment_columns(measure, self.offers))
            }
        )

    @classmethod
    def from_table(cls, table: pa.Table, offers: tuple[str, ...]) -> Self:
        """Read what `to_frame` gave and a file kept."""
        columns = {
            measure: [numbers(table.column(name)) for name in increment_columns(measure, offers)]
            for measure in MEASURES
        }
        return cls(
            offers=offers,
            by_measure={
                measure: np.stack(found, axis=1, dtype=np.float64)
                for measure, found in columns.items()
            },
        )


def _brought(by_offer: FloatArray, choice: npt.NDArray[np.int16]) -> FloatArray:
    treated = np.flatnonzero(choice >= 0)
    brought = np.zeros(len(choice))
    brought[treated] = by_offer[treated, choice[treated]]
    return brought


def increment_columns(measure: str, offers: tuple[str, ...]) -> list[str]:
    """Return the names of a measure's columns, one per offer."""
    return [score_column(f"{measure}_increment", offer) for offer in offers]
