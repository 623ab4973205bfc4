"""Which groups are large enough to be shown: nobody may be recognised in a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from incentive_engine.config.policy import Policy
from incentive_engine.data.tables.arrow import levels
from incentive_engine.insight.params import INSIGHT
from incentive_engine.report.evidence import Response


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResponseGroups:
    """Users in groups that are large enough to show.

    Attributes
    ----------
    code
        (n,) uint8.
    names
        One per code.
    """

    code: np.typing.NDArray[np.uint8]
    names: tuple[str, ...]
    column: str = ""
    """Of the users, whose values they are."""


def large_groups(policy: Policy, attributes: pa.Table) -> ResponseGroups:
    """Return the users by the first column that the policy groups them by, all in one without."""
    columns = group_columns(policy)
    if not columns:
        return ResponseGroups(code=np.zeros(attributes.num_rows, dtype=np.uint8), names=("",))
    values = levels(attributes.column(columns[0]))
    codes, labels = values.code, values.labels
    sizes = np.bincount(codes[codes >= 0], minlength=len(labels))
    # groups of users that the slider shows; the smallest of more stand together
    most_groups = 8
    large = set(np.argsort(-sizes, kind="stable")[: most_groups - 1].tolist())
    unknown = int((codes < 0).sum())
    shown = [code for code in shown_apart([*sizes.tolist(), unknown]) if code in large]
    place = np.full(len(labels) + 1, len(shown), dtype=np.uint8)  # the last place: all others
    place[shown] = np.arange(len(shown))
    code = place[codes]
    names = [str(labels[at]) for at in shown]
    others = (Response.OTHERS,) if (code == len(shown)).any() else ()
    return ResponseGroups(code=code, names=(*names, *others), column=columns[0])


def group_columns(policy: Policy) -> tuple[str, ...]:
    """Return the columns that the policy groups users by, each once."""
    named = [factor.column for factor in policy.objective.weight if factor.power is None]
    named += policy.holdout_strata
    named += [limit.for_each for limit in policy.limits if limit.for_each]
    return tuple(dict.fromkeys(named))


def shown_apart(sizes: Sequence[int]) -> list[int]:
    """Return the positions of the groups that may be shown apart; the others stand together.

    Those of fewer than `InsightParams.smallest_group` users do, and where these are too few
    still, so do the next smallest, because a total would tell them otherwise. Empty groups hide
    nobody.

    >>> shown_apart([500, 3, 90, 40, 0])
    [0, 2, 4]
    >>> shown_apart([500, 12, 90, 15])
    [0, 2]
    """
    apart = {at for at, size in enumerate(sizes) if size == 0 or size >= INSIGHT.smallest_group}
    together = sum(size for at, size in enumerate(sizes) if at not in apart)
    for at in sorted(apart, key=lambda at: sizes[at]):
        if 0 < together < INSIGHT.smallest_group and sizes[at]:
            apart.remove(at)
            together += sizes[at]
    return sorted(apart)
