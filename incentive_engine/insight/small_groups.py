"""Which groups are large enough to be shown: nobody may be recognised in a report."""

from __future__ import annotations

from collections.abc import Sequence

from incentive_engine.insight.params import INSIGHT


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
    rest = sum(size for at, size in enumerate(sizes) if at not in apart)
    for at in sorted(apart, key=lambda at: sizes[at]):
        if 0 < rest < INSIGHT.smallest_group and sizes[at]:
            apart.remove(at)
            rest += sizes[at]
    return sorted(apart)
