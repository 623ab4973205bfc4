"""The cells of a population: users that every limit of a policy treats alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.allocation.limits import Cells
from incentive_engine.config.policy import Limit, Policy
from incentive_engine.data.columns.conditions import matches
from incentive_engine.data.tables.arrow import compact, levels
from incentive_engine.domain import IntArray


def draw_cells(policy: Policy, attributes: pa.Table) -> Cells:
    """Return the coarsest partition that every limit is a union of.

    A limit's users are those that its `where` matches; with `for_each`, one group per value of
    the column that is not missing. Cells are numbered by the groups that they belong to, so that
    the order of the rows does not matter.
    """
    groups = [_groups(limit, attributes) for limit in policy.limits]
    label = np.zeros(attributes.num_rows, dtype=np.int64)
    for codes, _ in groups:
        label = _refined(label, codes)
    number = int(label.max(initial=0)) + 1
    # any user of a cell tells which groups the cell belongs to
    first = np.zeros(number, dtype=np.int64)
    first[label] = np.arange(len(label))
    members = tuple(
        tuple((name, codes[first] == code) for code, name in enumerate(names, start=1))
        for codes, names in groups
    )
    small = np.uint16 if number <= 65_536 else np.uint32
    return Cells(label=label.astype(small), number=number, members=members)


def _groups(limit: Limit, attributes: pa.Table) -> tuple[npt.NDArray[Any], list[str]]:
    """Return each user's group in a limit, 0 for none, and the names of the others from 1 on."""
    within = matches(attributes, limit.where)
    if limit.for_each is None:
        return within.view(np.uint8), [limit.name]
    column = levels(attributes.column(limit.for_each))
    names = [f"{limit.name}[{value}]" for value in column.labels]
    code = (column.code + 1).astype(np.min_scalar_type(len(names)))
    code[~within] = 0
    return code, names


def _refined(label: IntArray, codes: npt.NDArray[Any]) -> IntArray:
    if not len(codes) or codes.min() == codes.max():
        return label
    return compact(label * (int(codes.max()) + 1) + codes)
