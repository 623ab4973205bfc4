"""Measures of users and offers, filled block by block from a table and checked on the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.config.policy import Policy
from incentive_engine.data.row_checks import RowChecks
from incentive_engine.data.tables.arrow import FloatColumn
from incentive_engine.data.tables.mapped_pages import let_go
from incentive_engine.data.tables.scratch import make_room
from incentive_engine.domain import COST, MICROS, OFFER_MEASURES, SPEND, score_column
from incentive_engine.errors import Fault
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measures:
    """What a table says of every user and offer.

    Attributes
    ----------
    matrices
        Measure to (k, n) float32 or float64, NaN where it is missing. They are not to be
        written to; that they could be keeps the compiled loops from being compiled twice.
    errors
        Column to the standard errors of a measure and an offer, (n,), where there are any.
    missing
        (measure, offer) to the number of users for whom it is NaN, where there are any.
    """

    LARGEST_TOTAL: ClassVar[float] = (2**63 - 1) / MICROS
    """Money beyond this cannot be summed as integers of millionths."""

    matrices: Mapping[str, FloatColumn]
    errors: Mapping[str, FloatColumn]
    missing: Mapping[tuple[str, str], int]


def measures_in(names: Collection[str], policy: Policy) -> tuple[str, ...]:
    """Return the measures to read: those that the policy names, and spend where it is given."""
    named = [measure for measure in policy.measures if measure not in OFFER_MEASURES]
    if any(score_column(SPEND, offer) in names for offer in policy.offer_ids):
        named.append(SPEND)
    return tuple(dict.fromkeys(named))


def error_column(measure: str, offer: str) -> str:
    """Return the name of the column with a measure's standard errors.

    >>> error_column("conversion", "off10")
    'conversion_se__off10'
    """
    return score_column(f"{measure}_se", offer)


def number_columns(names: Collection[str], policy: Policy) -> list[str]:
    """Return those of a table's columns that hold measures or their errors."""
    pairs = list(product(measures_in(names, policy), policy.offer_ids))
    wanted = [name for pair in pairs for name in (score_column(*pair), error_column(*pair))]
    return [name for name in wanted if name in names]


def fill_measures(
    blocks: Iterable[pa.Table], policy: Policy, checks: RowChecks, *, rows: int
) -> Measures:
    """Return the measures of a table, what is wrong with them noted in `checks`.

    Parameters
    ----------
    blocks
        The table's rows in their order, with the columns of measures that there are.
    rows
        How many there are.
    """
    filling: _Filling | None = None
    start = 0
    for block in blocks:
        filling = filling or _Filling(block.schema, policy, rows)
        filling.add(block, checks, start)
        start += block.num_rows
        let_go()
    if filling is None:
        return Measures(matrices={}, errors={}, missing={})
    if filling.dearest > Measures.LARGEST_TOTAL:
        what = "the costs of all users are too large to be summed exactly"
        expected = say("less than {bound:.2g} in total", bound=Measures.LARGEST_TOTAL)
        remedy = "use a larger currency unit"
        checks.faults.append(Fault(checks.where, what, expected, remedy))
    return filling.done()


class _Filling:
    """Matrices that are being filled."""

    def __init__(self, schema: pa.Schema, policy: Policy, rows: int) -> None:
        self.policy = policy
        self.dearest = 0.0
        self.missing: dict[tuple[str, str], int] = {}
        self.matrices: dict[str, npt.NDArray[Any]] = {}
        self.errors: dict[str, npt.NDArray[Any]] = {}
        for measure in measures_in(schema.names, policy):
            names = [score_column(measure, offer) for offer in policy.offer_ids]
            kind = _kind_of(schema, [name for name in names if name in schema.names])
            self.matrices[measure] = make_room((len(names), rows), kind)
            for offer in policy.offer_ids:
                if (name := error_column(measure, offer)) in schema.names:
                    self.errors[name] = make_room((rows,), _kind_of(schema, [name]))

    def add(self, block: pa.Table, checks: RowChecks, start: int) -> None:
        """Take the rows of a block, the first of which is the table's `start`."""
        rows = slice(start, start + block.num_rows)
        for measure, matrix in self.matrices.items():
            for place, offer in enumerate(self.policy.offer_ids):
                name, error = score_column(measure, offer), error_column(measure, offer)
                if name not in block.column_names:
                    matrix[place, rows] = np.nan
                    continue
                values = _checked(block, name, checks, start, positive=measure == COST)
                matrix[place, rows] = values
                if count := int(np.count_nonzero(np.isnan(values))):
                    pair = (measure, offer)
                    self.missing[pair] = self.missing.get(pair, 0) + count
                if error in self.errors:
                    self.errors[error][rows] = _checked(block, error, checks, start, positive=True)
        if COST in self.matrices:
            # a user gets one offer at most, so that the dearest of each bounds the sum
            highest = np.fmax.reduce(self.matrices[COST][:, rows], axis=0, initial=0.0)
            self.dearest += float(highest.sum(dtype=np.float64))

    def done(self) -> Measures:
        """Return what was filled; what a pair lacks is told in the policy's order."""
        pairs = product(self.matrices, self.policy.offer_ids)
        return Measures(
            matrices=self.matrices,
            errors=self.errors,
            missing={pair: self.missing[pair] for pair in pairs if pair in self.missing},
        )


def _kind_of(schema: pa.Schema, names: list[str]) -> type[np.floating[Any]]:
    """Return float32 where all columns have no more digits, else float64."""
    kinds = [schema.field(name).type for name in names]
    short = all(pa.types.is_float32(kind) or pa.types.is_float16(kind) for kind in kinds)
    return np.float32 if kinds and short else np.float64


def _checked(
    block: pa.Table, name: str, checks: RowChecks, start: int, *, positive: bool
) -> FloatColumn:
    values = checks.numbers(name, block.column(name), start=start)
    if positive and (negative := values < 0).any():
        checks.refuse(
            negative, say("`{name}` is negative", name=name), expected="at least 0", start=start
        )
    return values
