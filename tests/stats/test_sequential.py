"""A shortfall is told at any moment, no more often wrong than stated, and when is known before."""

from __future__ import annotations

import math

import numpy as np
import pytest

from incentive_engine.stats.sequential import bet, log_evidence, needed, noticing

REACH, FIRST, LAST = 0.15, 200, 4000


def crossings(mean: float, *, alpha: float, paths: int, seed: int) -> float:
    """Return the share of paths of unit normals that ever look short of 0."""
    rng = np.random.default_rng(seed)
    count = np.arange(1, LAST + 1)
    found = 0
    for _ in range(paths):
        average = np.cumsum(rng.standard_normal(LAST) + mean) / count
        found += any(
            log_evidence(-average[k - 1], error=1 / math.sqrt(k), reach=REACH) >= -math.log(alpha)
            for k in range(FIRST, LAST + 1, 100)
        )
    return found / paths


def test_a_mean_as_stated_looks_short_no_more_often_than_allowed() -> None:
    """Of 600 paths 60 may cross; more than 84 would come once in 1,000 runs at the very bound."""
    assert crossings(0.0, alpha=0.1, paths=600, seed=1) <= 84 / 600
    assert crossings(0.02, alpha=0.1, paths=600, seed=2) <= 84 / 600


def test_nothing_is_told_before_the_error_is_known() -> None:
    assert log_evidence(0.1, error=float("inf"), reach=0.01) == 0.0
    assert log_evidence(0.0, error=0.01, reach=0.01) < 0
    assert log_evidence(-9.0, error=0.01, reach=0.01) == -math.inf
    assert log_evidence(0.1, error=0.01, reach=0.05) > 10


def test_one_side_is_told_with_less_than_both_would_need() -> None:
    """A mixture over both sides needs twice the evidence."""
    error, reach, alpha = 1.0, 4.0, 0.01
    both = error**2 + reach**2
    two_sided = math.sqrt(
        2 * both * (math.log(1 / alpha) + 0.5 * math.log(both / error**2)) / reach**2
    )
    assert needed(error, reach=reach, alpha=alpha) < two_sided


@pytest.mark.parametrize("gain", [0.0, 0.5])
def test_what_is_to_be_noticed_with_eighty_percent_is_noticed_at_least_as_often(
    gain: float,
) -> None:
    value, low = 0.30, 0.24
    error = 0.02
    told = noticing(value=value, low=low, error=error, held=10_000, alpha=0.015)
    share = told.nothing if gain == 0.0 else told.half
    assert share is not None
    rng = np.random.default_rng(3)
    at_once = rng.normal(gain * value, error / math.sqrt(share), 4000)
    seen = np.mean(
        [
            log_evidence(low - x, error=error / math.sqrt(share), reach=bet(value, low))
            >= -math.log(0.015)
            for x in at_once
        ]
    )
    # the standard deviation of a share of 80 % in 4,000 is 0.6 %
    assert seen == pytest.approx(0.8, abs=0.02)


def test_a_small_holdout_notices_nothing_and_a_large_one_a_little() -> None:
    small = noticing(value=0.03, low=0.024, error=0.02, held=10_000)
    assert (small.nothing, small.half, small.least) == (None, None, None)
    large = noticing(value=0.03, low=0.024, error=0.0005, held=10_000)
    assert large.nothing is not None
    assert large.half is not None
    assert large.nothing < large.half < 1
    assert large.least is not None
    assert 0.2 < large.least < 0.35


def test_fewer_than_two_hundred_of_the_holdout_notice_nothing() -> None:
    told = noticing(value=0.03, low=0.024, error=0.0005, held=199)
    assert (told.nothing, told.half, told.least) == (None, None, None)
    from_then = noticing(value=0.03, low=0.024, error=0.0001, held=400).nothing
    assert from_then == pytest.approx(0.5, abs=1e-6)
