"""Small situations that one can solve by hand."""

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from incentive_engine.simulation.strategy.planning import Situation


def situation(
    *,
    gain: npt.ArrayLike,
    charge: npt.ArrayLike,
    face: npt.ArrayLike,
    budget: float,
    allowed: npt.ArrayLike | None = None,
    **others: Any,
) -> Situation:
    """Return a situation of n users and k offers; nobody plans."""
    gains = np.asarray(gain, dtype=np.float64)
    n = len(gains)
    usual: dict[str, Any] = {
        "likely": np.zeros(n),
        "standing": np.zeros(n),
        "order": np.arange(n),
        "by_face": False,
        "planner": cast("Any", None),
    }
    return Situation(
        budget=budget,
        gain=gains,
        charge=np.asarray(charge, dtype=np.float64),
        face=np.asarray(face, dtype=np.float64),
        allowed=np.ones(gains.shape, dtype=bool) if allowed is None else np.asarray(allowed),
        **{**usual, **others},
    )
