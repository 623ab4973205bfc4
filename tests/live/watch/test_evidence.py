"""Evidence that may be looked at after every step is wrong no more often than stated."""

from __future__ import annotations

import numpy as np
import pytest

from incentive_engine.live.watch.evidence import (
    Sizes,
    mixed,
    of_amounts,
    of_shares,
    of_total,
)
from incentive_engine.live.watch.params import WatchParams

STEPS, PATHS, ERROR = 60, 600, 0.1


def test_counts_as_planned_cross_no_more_often_than_stated() -> None:
    """Of 600 paths 60 may cross; more than 84 would come once in 1,000 runs at the very bound."""
    rng = np.random.default_rng(1)
    planned = np.linspace(2.0, 10.0, STEPS)
    for factors in (WatchParams().more, WatchParams().less):
        crossed = sum(
            of_amounts(
                rng.poisson(planned).astype(float), planned, factors=factors, starts=STEPS
            ).crossed(ERROR)
            is not None
            for _ in range(PATHS)
        )
        assert crossed <= 84


def test_amounts_of_uneven_size_cross_no_more_often_than_stated() -> None:
    rng = np.random.default_rng(2)
    sizes = Sizes(size=np.array([5.0, 10.0, 50.0]), chance=np.array([0.2, 0.1, 0.02]))
    each = float((sizes.size * sizes.chance).mean())
    crossed = 0
    for _ in range(PATHS):
        came = np.zeros(STEPS)
        for step, count in enumerate(rng.poisson(20.0, STEPS)):
            kind = rng.integers(0, 3, count)
            came[step] = (sizes.size[kind] * (rng.random(count) < sizes.chance[kind])).sum()
        planned = np.full(STEPS, 20.0 * each)
        evidence = of_amounts(came, planned, factors=WatchParams().more, starts=STEPS, sizes=sizes)
        crossed += evidence.crossed(ERROR) is not None
    assert crossed <= 84


def test_shares_as_forecast_cross_no_more_often_than_stated() -> None:
    rng = np.random.default_rng(3)
    step = np.repeat(np.arange(STEPS), 10)
    crossed = 0
    for _ in range(PATHS):
        planned = rng.uniform(0.02, 0.4, len(step))
        share = (rng.random(len(step)) < planned).astype(float)
        evidence = of_shares(share, planned, step, factors=WatchParams().more, starts=STEPS)
        crossed += evidence.crossed(ERROR) is not None
    assert crossed <= 84


def test_a_departure_is_seen_and_where_it_began() -> None:
    rng = np.random.default_rng(14)
    planned = np.full(STEPS, 50.0)
    rate = np.where(np.arange(STEPS) < 40, 1.0, 1.6)
    came = rng.poisson(planned * rate).astype(float)
    evidence = of_amounts(came, planned, factors=WatchParams().more, starts=STEPS)
    crossed = evidence.crossed(0.01)
    assert crossed is not None
    assert 40 < crossed < 46
    assert abs(evidence.start - 40) <= 1


def test_a_departure_that_is_over_is_not_there_now() -> None:
    planned = np.full(STEPS, 50.0)
    came = np.where(np.arange(STEPS) < 10, 90.0, 40.0)
    evidence = of_amounts(came, planned, factors=WatchParams().more, starts=STEPS)
    assert evidence.crossed(0.01) is not None
    assert evidence.start == STEPS


def test_totals_as_planned_cross_no_more_often_than_stated() -> None:
    rng = np.random.default_rng(4)
    planned = np.arange(1, STEPS + 1) * 5.0
    crossed = 0
    for _ in range(PATHS):
        count = np.cumsum(rng.poisson(5.0, STEPS))
        crossed += any(
            of_total(float(n), m, factors=WatchParams().more) >= -np.log(ERROR)
            for n, m in zip(count, planned, strict=True)
        )
    assert crossed <= 84
    assert of_total(300.0, 155.0, factors=WatchParams().more) > 10


def test_a_mixture_is_what_it_says() -> None:
    """Two bets, of which one doubles in the second step and the other loses half."""
    bets = np.log(np.array([[1.0, 2.0], [1.0, 0.5]]))
    evidence = mixed(bets, starts=4)
    # half on the first step, an eighth on each of four: those of before the second step move
    first, second = (0.5 + 2 * 0.125) * 2 + 0.25, (0.5 + 2 * 0.125) * 0.5 + 0.25
    assert np.exp(evidence.log_e).tolist() == pytest.approx([1.0, 1.0, (first + second) / 2])
