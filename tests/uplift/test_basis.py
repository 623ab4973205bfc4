from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from incentive_engine.domain import FloatArray, Floats
from incentive_engine.uplift.boosting.features import learn_encoder
from incentive_engine.uplift.effects.basis import Basis, learn_basis
from incentive_engine.uplift.params import FIT


def learned(column: pd.Series) -> tuple[Basis, Floats]:
    frame = pd.DataFrame({"x": column})
    encoder = learn_encoder(frame)
    return learn_basis(encoder.encode(frame, where="trial"), encoder)


def unexplained(phi: Floats, target: FloatArray) -> float:
    """Return the share of a target's variance that no combination of functions explains."""
    design = np.column_stack([np.ones(len(phi)), phi])
    rest = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return float(rest.var() / target.var())


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_number_with_few_values_may_jump_from_one_to_the_next(rng: np.random.Generator) -> None:
    tier = rng.integers(1, FIT.named_values + 1, 4000)
    phi = learned(pd.Series(tier))[1]
    assert unexplained(phi, rng.normal(size=FIT.named_values + 1)[tier]) < 1e-12


def test_a_number_with_many_values_is_a_smooth_curve(rng: np.random.Generator) -> None:
    count = rng.integers(0, FIT.named_values + 1, 4000)
    assert learned(pd.Series(count))[1].shape[1] == 2


def test_two_values_need_no_functions_of_their_own(rng: np.random.Generator) -> None:
    assert learned(pd.Series(rng.integers(0, 2, 4000)))[1].shape[1] == 2


def test_a_rare_value_has_no_function_of_its_own(rng: np.random.Generator) -> None:
    tier = rng.integers(1, 4, 4000)
    tier[:10] = 7
    basis, _ = learned(pd.Series(tier))
    assert basis.terms[0].codes == (1.0, 2.0, 3.0)
