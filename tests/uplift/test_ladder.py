from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from incentive_engine.config.offer import Offer
from incentive_engine.domain import FloatArray
from incentive_engine.uplift.effects.averages.ladder import repair
from incentive_engine.uplift.model import ladders

effects = arrays(np.float64, (3, 4), elements=st.floats(-1, 1))
weights = arrays(np.float64, 4, elements=st.floats(0.1, 10))


def test_ladders_are_ordered_by_face_value() -> None:
    offers = [
        Offer(id="b", face_value=20, ladder="x"),
        Offer(id="gift", face_value=1),
        Offer(id="a", face_value=10, ladder="x"),
        Offer(id="alone", face_value=5, ladder="y"),
    ]
    assert ladders(offers) == ((2, 0),)


@given(effects, weights)
def test_repaired_effects_never_fall_along_the_ladder(effect: FloatArray, w: FloatArray) -> None:
    repaired = repair(effect, [(3, 1, 0)], w)
    assert (np.diff(repaired[:, [3, 1, 0]], axis=1) >= -1e-12).all()
    assert np.array_equal(repaired[:, 2], effect[:, 2])


@given(effects, weights)
def test_the_repair_keeps_the_weighted_mean(effect: FloatArray, w: FloatArray) -> None:
    repaired = repair(effect, [(0, 1, 2, 3)], w)
    assert np.allclose(repaired @ w, effect @ w)


@given(effects, weights)
def test_effects_in_order_stay_as_they_are(effect: FloatArray, w: FloatArray) -> None:
    ordered = np.sort(effect, axis=1)
    assert np.allclose(repair(ordered, [(0, 1, 2, 3)], w), ordered)
