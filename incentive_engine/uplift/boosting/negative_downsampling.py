"""Leaving out most of the many rows in which nothing happened."""

from __future__ import annotations

import numpy as np

from incentive_engine.domain import BoolArray, FloatArray


def without_most_quiet(event: BoolArray, *, seed: int) -> tuple[BoolArray, FloatArray]:
    """Return which rows to learn the chance of an event from, and how many each stands for.

    All events are kept, and of the rows without one as many as tell nearly all: what is left out
    enlarges the variance of what is learned by a third at most.

    Parameters
    ----------
    event
        (n,) whether it happened.

    Returns
    -------
    kept : (n,) bool
    stands_for : (n,) float64
        Weights that make the kept rows represent all.

    Examples
    --------
    >>> kept, stands_for = without_most_quiet(np.arange(200_000) % 50 == 0, seed=0)
    >>> int(kept.sum() / 1_000), int((kept * stands_for).sum() / 1_000)
    (104, 200)
    """
    events = int(event.sum())
    quiet = len(event) - events
    # rows without an event that are kept in any case: they take little time
    fewest_rows = 100_000
    # rows without an event that are kept for each one with: more would hardly tell more. On a
    # million rows with 36,000 buyers, ten would explain 0.4 % more of their likelihood, in thrice
    # the time.
    per_event = 3
    share = max(per_event * events, fewest_rows) / max(quiet, 1)
    if share >= 1:
        return np.ones(len(event), dtype=np.bool_), np.ones(len(event))
    kept = event | (np.random.default_rng(seed).random(len(event)) < share)
    return kept, np.where(event, 1.0, 1 / share)
