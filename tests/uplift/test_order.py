from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.effects.averages.ordered_normals import in_order

UPWARDS = np.eye(3) - np.eye(3, k=-1)
"""Three values that rise from at least zero."""

means = arrays(np.float64, (2, 3), elements=st.floats(-40, 40))
roots = arrays(np.float64, (2, 3, 3), elements=st.floats(-2, 2))


def test_a_value_that_is_positive_half_of_the_time_is_then_half_normal() -> None:
    log_chance, mean = in_order(np.zeros((1, 1)), np.full((1, 1, 1), 4.0), np.eye(1))
    assert log_chance == pytest.approx(math.log(0.5))
    assert mean == pytest.approx(2 * math.sqrt(2 / math.pi), rel=0.005)


def test_two_equal_beliefs_in_order_are_as_far_apart_as_two_draws() -> None:
    """The smaller and the larger of two standard normal draws have means of ∓ 1 / √π."""
    log_chance, mean = in_order(np.zeros((1, 2)), np.eye(2)[None], np.array([[-1.0, 1.0]]))
    assert log_chance == pytest.approx(math.log(0.5))
    assert mean[0] == pytest.approx(np.array([-1, 1]) / math.sqrt(math.pi), rel=0.005)


def test_three_equal_beliefs_rise_from_zero_as_often_as_signs_and_orders_allow() -> None:
    """One of 2³ signs and of 3! orders; the means are those of the ordered sizes of draws."""
    log_chance, mean = in_order(np.zeros((1, 3)), np.eye(3)[None], UPWARDS)
    assert log_chance == pytest.approx(math.log(1 / 48), abs=0.005)
    draws = np.sort(np.abs(np.random.default_rng(0).normal(size=(1_000_000, 3))), axis=1)
    assert mean[0] == pytest.approx(draws.mean(axis=0), rel=0.01)


def test_what_is_in_order_for_certain_stays_as_it_is() -> None:
    far = np.array([[10.0, 20.0, 30.0]])
    log_chance, mean = in_order(far, np.eye(3)[None], UPWARDS)
    assert log_chance == pytest.approx(0.0, abs=1e-9)
    assert mean == pytest.approx(far, abs=0.01)


def test_values_outside_the_order_move_with_those_inside() -> None:
    """The second value is no part of the order, and errs exactly as the first one does."""
    covariance = np.array([[[1.0, 1.0], [1.0, 1.0 + 1e-9]]])
    _, mean = in_order(np.array([[0.0, 5.0]]), covariance, np.array([[1.0, 0.0]]))
    assert mean[0, 1] - 5.0 == pytest.approx(mean[0, 0])
    assert mean[0, 0] > 0.7


@given(means, roots)
def test_means_stand_in_order_however_unlikely_that_was(
    mean: FloatArray, root: FloatArray
) -> None:
    covariance = root @ root.transpose(0, 2, 1) + 0.1 * np.eye(3)
    log_chance, ordered = in_order(mean, covariance, UPWARDS)
    scale = 1 + np.abs(mean).max()
    assert (log_chance <= 1e-9).all()
    assert (ordered @ UPWARDS.T >= -1e-9 * scale).all()
