"""How many random members a run of the tests takes, and which."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence


def seeds(fixed: Sequence[int], *, share: float = 1.0) -> Iterator[int]:
    """Yield fixed seeds, the one asked for, or new ones for a share of the seconds asked for.

    Parameters
    ----------
    fixed
        Those of the suite.
    share
        Of ``INCENTIVE_FUZZ_SECONDS``, where that is set.
    """
    if "INCENTIVE_FUZZ_SECONDS" not in os.environ:
        named = os.environ.get("INCENTIVE_FUZZ_SEED")
        yield from fixed if named is None else [int(named)]
        return
    seconds = share * float(os.environ["INCENTIVE_FUZZ_SECONDS"])
    began = time.monotonic()
    start = int(os.environ.get("INCENTIVE_FUZZ_SEED", time.time_ns() % 10**9))
    for seed in range(start, start + 10**7):
        if time.monotonic() - began > seconds:
            return
        yield seed
