"""Smooth functions of the features, on one scale, for linear effect models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from incentive_engine.domain import FloatArray, Matrix
from incentive_engine.parallel import side_by_side
from incentive_engine.stats.systematic_sample import quantile_rows
from incentive_engine.uplift.boosting.features import Encoder
from incentive_engine.uplift.effects.basis_functions import Functions
from incentive_engine.uplift.params import FIT, FitParams


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """The functions of one feature."""

    column: int
    """Position in the encoded matrix."""
    knots: tuple[float, ...] = ()
    """A number's quantiles, ascending: the function is the rank, and its square."""
    codes: tuple[float, ...] = ()
    """A category's codes, or the values of a number that has few, with an indicator each."""
    missing: bool = False
    """Whether missing values have an indicator."""

    @property
    def functions(self) -> int:
        """How many functions there are."""
        return len(self.codes) + (2 if self.knots else 0) + self.missing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Basis:
    """p functions of the features, centred, with an average squared length of 1 per row.

    With coefficients of variance 1 the function that they make has variance 1 on average, so
    that a prior's scale is the scale of the effects.
    """

    terms: tuple[Term, ...]
    centre: FloatArray
    scale: float

    @property
    def columns(self) -> tuple[int, ...]:
        """The encoded matrix's column that each of the p functions looks at."""
        return tuple(term.column for term in self.terms for _ in range(term.functions))

    def __call__(self, matrix: Matrix) -> Matrix:
        """Return the functions' values, (n, p) float32."""
        return _functions(self.terms)(matrix, self.centre, self.scale)

    def to_json(self) -> dict[str, Any]:
        """Return the content of the model file."""
        terms = [
            {"column": t.column, "knots": t.knots, "codes": t.codes, "missing": t.missing}
            for t in self.terms
        ]
        return {"terms": terms, "centre": self.centre.tolist(), "scale": self.scale}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Basis:
        """Read what `to_json` gave."""
        terms = tuple(
            Term(**{**t, "knots": tuple(t["knots"]), "codes": tuple(t["codes"])})
            for t in content["terms"]
        )
        return cls(terms=terms, centre=np.array(content["centre"]), scale=content["scale"])


def learn_basis(matrix: Matrix, encoder: Encoder, params: FitParams = FIT) -> tuple[Basis, Matrix]:
    """Choose the functions and their scale from some rows of a trial, (n, p) float32.

    Returns
    -------
    The basis, and its values for these rows.
    """
    sample = quantile_rows(len(matrix))

    def term(column: int) -> Term:
        is_category = encoder.features[column].kind == "category"
        return _term(matrix[sample, column], column, params, is_category=is_category)

    terms = tuple(side_by_side(term, len(encoder.features)))
    count = sum(term.functions for term in terms)
    values = _functions(terms)(matrix[sample], np.zeros(count), 1.0)
    centre = values.mean(axis=0, dtype=np.float64)
    length = float(np.sqrt(values.var(axis=0, dtype=np.float64).sum()))
    basis = Basis(terms=terms, centre=centre, scale=length or 1.0)
    return basis, basis(matrix)


def _term(values: Matrix, column: int, params: FitParams, *, is_category: bool) -> Term:
    absent = float(np.isnan(values).mean())
    rare = params.level_share
    missing = rare < absent < 1 - rare
    present = np.sort(values[~np.isnan(values)]).astype(np.float64)
    if is_category:
        return Term(column=column, codes=_common(present, rare * len(values)), missing=missing)
    # 65: quantiles that describe a number's distribution
    knots = np.quantile(present, np.linspace(0, 1, 65)) if len(present) else np.zeros(0)
    # two values are told apart by their rank already
    named = 2 < 1 + np.count_nonzero(np.diff(present)) <= params.named_values
    return Term(
        column=column,
        knots=tuple(map(float, knots)),
        codes=_common(present, rare * len(values)) if named else (),
        missing=missing,
    )


def _common(present: FloatArray, rare: float) -> tuple[float, ...]:
    """Return the most frequent values of more than so many rows, ascending."""
    codes, counts = np.unique(present, return_counts=True)
    # levels of one category with a function of their own; each costs variance
    common = np.argsort(-counts, kind="stable")[:30]
    return tuple(float(codes[i]) for i in np.sort(common) if counts[i] > rare)


def _functions(terms: tuple[Term, ...]) -> Functions:
    return Functions.of(
        column=[term.column for term in terms],
        codes=[term.codes for term in terms],
        knots=[term.knots for term in terms],
        missing=[term.missing for term in terms],
        # prior scale of a number's bend against its slope; effects bend less than they slope
        curvature=0.5,
    )
