"""Bounds on sums and ratios of measures, over cells: users that every limit treats alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy.typing as npt

from incentive_engine.domain import BoolArray

Terms = tuple[tuple[str, float], ...]
"""Measures with their coefficients."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """A partition of the users, and which cells each limit counts.

    Attributes
    ----------
    label
        (n,) uint16 or uint32, the user's cell.
    number
        How many cells there are.
    members
        Per limit of the policy, the names that it makes and (number,) bool the cells of each.
    """

    label: npt.NDArray[Any]
    number: int
    members: tuple[tuple[tuple[str, BoolArray], ...], ...]

    def of_limit(self, i: int) -> Iterator[tuple[str, BoolArray]]:
        """Yield the limits that the policy's i-th limit makes, with their cells."""
        yield from self.members[i]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A bound on the ratio of two sums, as the planner wrote it.

    The denominator is summed over the same users and offers as the numerator, or, where it is
    `of_plan`, over all.
    """

    numerator: str
    denominator: str
    of_plan: bool = False
    at_most: float | None = None
    at_least: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearLimit:
    """A bound on a weighted sum of measures over some cells and offers.

    Attributes
    ----------
    name
        How reports call it; unique within a problem.
    terms
        Measure and coefficient; `issued` and `face` need no columns.
    everywhere
        Measure and coefficient of what counts whatever `cells` and `offers` are.
    cells
        (n_cells,) bool, which cells count; None for all.
    offers
        (k,) bool, which offers count, in the problem's order; None for all.
    at_most, at_least
        Bounds of the sum, in the measure's units; None for none.
    report_only
        Measured, not enforced.
    ratio
        Set when the limit came from a ratio: `terms` and `everywhere` are then its linear form.
    shares
        What part of the budget, or of all users, `at_least` and `at_most` are; None for amounts.
    """

    LARGEST: ClassVar = 1e30
    """Bounds and coefficients beyond that: solvers take them for infinite."""

    name: str
    terms: Terms
    everywhere: Terms = ()
    cells: BoolArray | None = None
    offers: BoolArray | None = None
    at_most: float | None = None
    at_least: float | None = None
    report_only: bool = False
    ratio: Ratio | None = None
    shares: tuple[float | None, float | None] = (None, None)

    @property
    def all_terms(self) -> Terms:
        """Every measure with its coefficient, whatever it is summed over."""
        return (*self.terms, *self.everywhere)


def sum_limit(
    name: str,
    measure: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    cells: BoolArray | None = None,
    offers: BoolArray | None = None,
    report_only: bool = False,
    shares: tuple[float | None, float | None] = (None, None),
) -> LinearLimit:
    """Return a limit on the sum of one measure.

    Parameters
    ----------
    measure
        Its name; the other parameters are those of `LinearLimit`.
    """
    return LinearLimit(
        name=name,
        terms=((measure, 1.0),),
        cells=cells,
        offers=offers,
        at_most=at_most,
        at_least=at_least,
        report_only=report_only,
        shares=shares,
    )


def ratio_limits(
    name: str,
    measures: tuple[str, str],
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    cells: BoolArray | None = None,
    offers: BoolArray | None = None,
    report_only: bool = False,
    of_plan: bool = False,
) -> tuple[LinearLimit, ...]:
    """Return the linear form of a bound on the ratio of two sums, one limit per bound.

    Parameters
    ----------
    name
        The limit's name; with both bounds `[at_least]` and `[at_most]` are added to it.
    measures
        Numerator a and denominator b; the other parameters are those of `LinearLimit`.
    of_plan
        Whether b is summed over all users and offers, whatever `cells` and `offers` say.

    Notes
    -----
    a/b ≥ r is Σ(r·b − a) ≤ 0, and a/b ≤ r is Σ(a − r·b) ≤ 0.
    """
    top, bottom = measures
    both = at_most is not None and at_least is not None
    limits = []
    for kind, bound, sign in (("at_least", at_least, -1.0), ("at_most", at_most, 1.0)):
        if bound is None:
            continue
        over = (bottom, -sign * bound)
        limits.append(
            LinearLimit(
                name=f"{name}[{kind}]" if both else name,
                terms=((top, sign),) if of_plan else ((top, sign), over),
                everywhere=(over,) if of_plan else (),
                cells=cells,
                offers=offers,
                at_most=0.0,
                report_only=report_only,
                ratio=Ratio(numerator=top, denominator=bottom, of_plan=of_plan, **{kind: bound}),
            )
        )
    return tuple(limits)
