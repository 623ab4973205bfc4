"""What each offer brought each row of a trial, so that any plan is valued by looking up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from incentive_engine.data.trial import Trial
from incentive_engine.domain import FloatArray, score_column
from incentive_engine.uplift.estimates import OutOfFold
from incentive_engine.uplift.plan_value import (
    MEASURES,
    Estimate,
    expected_by_arm,
    increments,
    mean_with_interval,
)


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

    @classmethod
    def of(cls, trial: Trial, out_of_fold: OutOfFold) -> Self:
        """Return the increments of a trial's rows by models that never saw them."""
        return cls(
            offers=trial.offers,
            by_measure={
                measure: np.column_stack(
                    [
                        increments(
                            trial,
                            getattr(trial, measure),
                            expected_by_arm(trial, measure, out_of_fold.estimates),
                            np.full(trial.n_rows, offer),
                        )
                        for offer in range(len(trial.offers))
                    ]
                )
                for measure in MEASURES
            },
        )

    def of_plan(self, choice: npt.NDArray[np.int16]) -> dict[str, Estimate]:
        """Return what a plan brings per row and measure, with 95 % intervals.

        Parameters
        ----------
        choice
            (n,) int, the offer that the plan gives each row, -1 for none; not made from the
            row's own outcome.
        """
        treated = np.flatnonzero(choice >= 0)
        found = {}
        for measure, by_offer in self.by_measure.items():
            brought = np.zeros(len(choice))
            brought[treated] = by_offer[treated, choice[treated]]
            found[measure] = mean_with_interval(brought)
        return found

    def to_frame(self) -> pd.DataFrame:
        """Return one column per measure and offer; see `increment_columns`."""
        return pd.DataFrame(
            {
                column: self.by_measure[measure][:, index]
                for measure in MEASURES
                for index, column in enumerate(increment_columns(measure, self.offers))
            }
        )

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, offers: tuple[str, ...]) -> Self:
        """Read what `to_frame` gave."""
        return cls(
            offers=offers,
            by_measure={
                measure: frame[increment_columns(measure, offers)].to_numpy(dtype=np.float64)
                for measure in MEASURES
            },
        )


def increment_columns(measure: str, offers: tuple[str, ...]) -> list[str]:
    """Return the names of a measure's columns, one per offer."""
    return [score_column(f"{measure}_increment", offer) for offer in offers]
