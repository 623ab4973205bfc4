from __future__ import annotations

import numpy as np
import pytest

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.averages.average_effects import Averages, average_effects
from incentive_engine.uplift.randomisation import Randomisation

ROWS = (4_000, 2_000, 2_000, 20)
"""Of control and of three offers; the last was hardly tried."""


def averages_of(
    *means: float,
    rungs: tuple[tuple[int, ...], ...] = (),
    members: float = 1.0,
    moved: int | None = None,
) -> Averages:
    """Return what is believed of three offers that changed the mean by so much, noise ± 0.2.

    The third offer reaches a share of the rows, `members`, for whom lots are as for all others.
    In the fold `moved` the treated did better by 1.
    """
    arm = np.repeat(np.arange(4), ROWS)
    n = len(arm)
    share = np.array(ROWS) / n
    residual: FloatArray = np.array([0.0, *means])[arm] + np.where(np.arange(n) % 2, 0.2, -0.2)
    lottery = Randomisation(
        arm=arm,
        weight=np.ones(n),
        share=np.tile(share, (n, 1)),
        reach=np.column_stack(
            [np.ones((n, 2), dtype=np.bool_), np.arange(n) % 100 < 100 * members]
        ),
        odds=share[1:] / share[0],
    )
    folds = Folds(label=np.arange(n) // 2 % 5, count=5)
    if moved is not None:
        residual += folds.holds(moved) & (arm > 0)
    return average_effects(residual, lottery, folds, rungs)


def test_an_offer_hardly_tried_is_believed_to_work_about_as_well_as_the_others() -> None:
    """Its standard error is 0.04: nothing that it showed speaks against 0.05, nor for 0."""
    for shown in (0.0, 0.1):
        first, second, few = averages_of(0.05, 0.05, shown).effect
        assert first == pytest.approx(0.05, rel=0.02)
        assert second == pytest.approx(0.05, rel=0.02)
        assert abs(few - 0.05) < 0.5 * abs(shown - 0.05)


def test_offers_of_different_strength_are_told_apart_where_they_are_measured() -> None:
    """Their standard error is 0.005, a ninth of the difference."""
    first, second, _ = averages_of(0.05, -0.04, 0.0).effect
    assert first == pytest.approx(0.05, rel=0.1)
    assert second == pytest.approx(-0.04, rel=0.1)


def test_where_offers_do_nothing_that_is_measurable_effects_shrink() -> None:
    shown = np.array([0.003, -0.002, 0.02])
    assert (np.abs(averages_of(*shown).effect) < 0.5 * np.abs(shown)).all()


def test_a_fold_has_no_say_in_the_averages_outside_it() -> None:
    """Elsewhere a fourth of the rows did better by 1; how noisy rows are, all of them say."""
    usual, other = averages_of(0.05, 0.05, 0.05), averages_of(0.05, 0.05, 0.05, moved=2)
    gap = (other.outside - usual.outside)[:, :2]
    assert gap[2] == pytest.approx(0.0, abs=0.005)
    assert gap[[0, 1, 3, 4]] == pytest.approx(0.25, rel=0.1)


def test_rungs_that_seem_out_of_order_are_believed_to_rise() -> None:
    """Their standard errors are 0.005, 0.005 and 0.04: the order is chance, equality is not."""
    averages = averages_of(0.012, 0.010, 0.009, rungs=((0, 1, 2),))
    for believed in (averages.effect, *averages.outside):
        assert 0 < believed[0] < believed[1] - 0.001 < believed[2] - 0.002


def test_the_order_goes_by_the_ladder_not_by_the_position() -> None:
    downwards = averages_of(0.010, 0.012, 0.009, rungs=((2, 1, 0),)).effect
    assert 0 < downwards[2] < downwards[1] < downwards[0]


def test_a_first_rung_is_not_believed_to_do_harm() -> None:
    free = averages_of(-0.003, 0.02, 0.02).effect
    ladder = averages_of(-0.003, 0.02, 0.02, rungs=((0, 1, 2),)).effect
    assert free[0] < 0.001 < ladder[0] < 0.005


def test_a_ladder_that_plainly_does_harm_is_believed_to() -> None:
    """Ten standard errors and more for the first two rungs."""
    effect = averages_of(-0.06, -0.05, -0.04, rungs=((0, 1, 2),)).effect
    assert effect[:2] == pytest.approx([-0.06, -0.05], rel=0.2)


def test_rungs_that_are_measured_well_stay_where_they_are() -> None:
    """Steps of six standard errors or more; the third rung was hardly tried."""
    averages = averages_of(0.04, 0.08, 0.12, rungs=((0, 1),))
    assert averages.effect[:2] == pytest.approx([0.04, 0.08], rel=0.1)


def test_rungs_that_reach_different_people_may_fall() -> None:
    """Each user's effects rise, but members may react less to anything than others do."""
    apart = averages_of(0.05, 0.05, -0.1, rungs=((0, 2),), members=0.5)
    assert apart.effect.tolist() == averages_of(0.05, 0.05, -0.1, members=0.5).effect.tolist()
    same = averages_of(0.05, 0.05, -0.1, rungs=((0, 2),))
    assert same.effect[2] > same.effect[0]


def test_a_ladder_that_nobody_bought_on_does_nothing() -> None:
    """Without any noise nothing is left to doubt."""
    n = 200
    arm = np.arange(n) % 3
    lottery = Randomisation(
        arm=arm,
        weight=np.ones(n),
        share=np.full((n, 3), 1 / 3),
        reach=np.ones((n, 2), dtype=np.bool_),
        odds=np.ones(2),
    )
    folds = Folds(label=np.arange(n) // 3 % 5, count=5)
    averages = average_effects(np.zeros(n), lottery, folds, ((0, 1),))
    assert averages.effect == pytest.approx([0, 0], abs=1e-12)
