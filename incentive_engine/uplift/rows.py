"""The rows of a trial as the models see them."""

from __future__ import annotations

from dataclasses import dataclass

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.boosting import BinnedRows, Matrix
from incentive_engine.uplift.folds import Folds
from incentive_engine.uplift.randomisation import Randomisation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """The rows of a trial as effect models see them.

    Attributes
    ----------
    matrix : (n, p) float32
    binned
        The same rows, binned.
    phi : (n, q) float64
        Basis functions.
    columns
        The feature, as a column of `matrix`, that each of the q functions looks at.
    lottery
        Arms, weights, shares, reach.
    folds
        Of the n rows.
    """

    matrix: Matrix
    binned: BinnedRows
    phi: FloatArray
    columns: tuple[int, ...]
    lottery: Randomisation
    folds: Folds
