"""Smooth functions of the features, on one scale, for linear effect models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.boosting import Matrix
from incentive_engine.uplift.features import Encoder

KNOTS: Final = 65
"""Quantiles that describe a number's distribution."""
RARE: Final = 0.005
"""Share of rows below which a level, or a missing value, gets no function of its own."""
CURVATURE: Final = 0.5
"""Prior scale of a number's bend against its slope; effects bend less than they slope."""
MOST_LEVELS: Final = 30
"""Levels of one category with a function of their own; each costs variance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """The functions of one feature."""

    column: int
    """Position in the encoded matrix."""
    knots: tuple[float, ...] = ()
    """A number's quantiles, ascending: the function is the rank, and its square."""
    codes: tuple[float, ...] = ()
    """A category's codes with an indicator each."""
    missing: bool = False
    """Whether missing values have an indicator."""

    @property
    def functions(self) -> int:
        """How many functions there are."""
        return len(self.codes) + (2 if self.knots else 0) + self.missing

    def columns(self, matrix: Matrix) -> list[FloatArray]:
        """Return (n,) float64 functions, before centring."""
        values = matrix[:, self.column].astype(np.float64)
        absent = np.isnan(values)
        functions = [(values == code).astype(np.float64) for code in self.codes]
        if self.knots:
            quantiles = np.linspace(0, 1, len(self.knots))
            rank = (_rank(values, self.knots, quantiles) - 0.5) * np.sqrt(12)
            slope = np.where(absent, 0.0, rank)
            functions += [slope, np.where(absent, 0.0, CURVATURE * (slope**2 - 1))]
        return [*functions, absent.astype(np.float64)] if self.missing else functions


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

    def __call__(self, matrix: Matrix) -> FloatArray:
        """Return the functions' values, (n, p) float64."""
        return (_stack(self.terms, matrix) - self.centre) / self.scale

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


def learn_basis(matrix: Matrix, encoder: Encoder) -> Basis:
    """Choose the functions and their scale from the rows of a trial, (n, p) float32."""
    terms = tuple(
        _term(matrix[:, column], column, is_category=feature.kind == "category")
        for column, feature in enumerate(encoder.features)
    )
    stacked = _stack(terms, matrix)
    centre = stacked.mean(axis=0)
    length = float(np.sqrt(np.square(stacked - centre).sum(axis=1).mean()))
    return Basis(terms=terms, centre=centre, scale=length or 1.0)


def _term(values: Matrix, column: int, *, is_category: bool) -> Term:
    absent = float(np.isnan(values).mean())
    missing = RARE < absent < 1 - RARE
    present = values[~np.isnan(values)].astype(np.float64)
    if is_category:
        codes, counts = np.unique(present, return_counts=True)
        common = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
        kept = [codes[i] for i in np.sort(common) if counts[i] > RARE * len(values)]
        return Term(column=column, codes=tuple(map(float, kept)), missing=missing)
    knots = np.quantile(present, np.linspace(0, 1, KNOTS)) if len(present) else np.zeros(0)
    return Term(column=column, knots=tuple(map(float, knots)), missing=missing)


def _rank(values: FloatArray, knots: tuple[float, ...], quantiles: FloatArray) -> FloatArray:
    """Return the share of rows below each value, half of the ties counted."""
    low = quantiles[np.searchsorted(knots, values, side="left").clip(0, len(knots) - 1)]
    high = quantiles[(np.searchsorted(knots, values, side="right") - 1).clip(0)]
    between = np.interp(values, knots, quantiles)
    tied = np.isin(values, knots)
    return np.asarray(np.where(tied, (low + high) / 2, between))


def _stack(terms: tuple[Term, ...], matrix: Matrix) -> FloatArray:
    columns = [function for term in terms for function in term.columns(matrix)]
    return np.column_stack(columns) if columns else np.zeros((len(matrix), 0))
