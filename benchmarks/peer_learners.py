"""Fits one public uplift learner on a prepared trial; run by `uplift_peers.py`, not by hand.

    python benchmarks/peer_learners.py DIRECTORY LEARNER

It needs the learner's library, numpy, pandas and lightgbm, and nothing of this project, so that
each library may live in an environment of its own. DIRECTORY holds `learn.npz` (x, arm, y) and
`ask.npz` (x); the effects of all offers go to `effect.npy`, seconds (as `cpu`
those of the processor, with loading libraries) and memory to `cost.json`.
A library that is not installed ends it with exit code 4.
"""
# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lightgbm import LGBMClassifier, LGBMRegressor

NOT_INSTALLED = 4
Floats = npt.NDArray[np.float64]
QUIET: dict[str, Any] = {"verbose": -1, "n_jobs": len(os.sched_getaffinity(0))}
USUAL: dict[str, Any] = {**QUIET}
REGULARISED: dict[str, Any] = {
    **QUIET, "n_estimators": 60, "num_leaves": 4, "learning_rate": 0.05, "reg_lambda": 5.0
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """What a learner is given: (n, p) x, (n,) arm from 0, (n,) outcome, (m, p) people to ask."""

    x: Floats
    arm: npt.NDArray[np.int64]
    y: Floats
    ask: Floats
    kind: str


def effect_settings(name: str, rows: int) -> dict[str, Any]:
    if name == "usual":
        return USUAL
    return {**REGULARISED, "min_child_samples": max(rows // 50, 20)}


def causalml_t(task: Task) -> Any:  # noqa: ANN401 - libraries without types
    from causalml.inference.meta import BaseTRegressor

    learner = BaseTRegressor(
        LGBMRegressor(**effect_settings(task.kind, len(task.x))), control_name=0
    )
    learner.fit(X=task.x, treatment=task.arm, y=task.y)
    return learner.predict(task.ask)


def causalml_x(task: Task) -> Any:  # noqa: ANN401 - libraries without types
    from causalml.inference.meta import BaseXRegressor

    learner = BaseXRegressor(
        control_outcome_learner=LGBMRegressor(**REGULARISED),
        treatment_outcome_learner=LGBMRegressor(**REGULARISED),
        control_effect_learner=LGBMRegressor(**effect_settings(task.kind, len(task.x))),
        treatment_effect_learner=LGBMRegressor(**effect_settings(task.kind, len(task.x))),
        control_name=0,
    )
    # the library wants, per offer, its probability against control
    shares = np.bincount(task.arm) / len(task.arm)
    pair = {j: shares[j] / (shares[j] + shares[0]) for j in range(1, len(shares))}
    learner.fit(
        X=task.x,
        treatment=task.arm,
        y=task.y,
        p={j: np.full(len(task.x), v) for j, v in pair.items()},
    )
    return learner.predict(task.ask, p={j: np.full(len(task.ask), v) for j, v in pair.items()})


def econml_dr(task: Task) -> Any:  # noqa: ANN401 - libraries without types
    from econml.dr import DRLearner
    from sklearn.dummy import DummyClassifier

    outcome = USUAL if task.kind == "usual" else REGULARISED
    learner = DRLearner(
        model_propensity=DummyClassifier(strategy="prior"),
        model_regression=LGBMRegressor(**outcome),
        model_final=LGBMRegressor(**effect_settings(task.kind, len(task.x))),
        multitask_model_final=False,
        allow_missing=True,
        cv=5,
        random_state=0,
    )
    learner.fit(task.y, task.arm, X=task.x)
    return learner.const_marginal_effect(task.ask)


def metalearners_dr(task: Task) -> Any:  # noqa: ANN401 - libraries without types
    import pandas as pd
    from metalearners import DRLearner

    outcome = USUAL if task.kind == "usual" else REGULARISED
    learner = DRLearner(
        nuisance_model_factory=LGBMClassifier,
        nuisance_model_params=outcome,
        propensity_model_factory=LGBMClassifier,
        propensity_model_params={**QUIET, "n_estimators": 2, "num_leaves": 2},
        treatment_model_factory=LGBMRegressor,
        treatment_model_params=effect_settings(task.kind, len(task.x)),
        is_classification=True,
        n_variants=int(task.arm.max()) + 1,
        n_folds=5,
        random_state=0,
    )
    names = [f"x{i}" for i in range(task.x.shape[1])]
    frame, asked = pd.DataFrame(task.x, columns=names), pd.DataFrame(task.ask, columns=names)
    learner.fit(X=frame, y=pd.Series(task.y.astype(int)), w=pd.Series(task.arm))
    return learner.predict(asked, is_oos=True)[:, :, -1]


def sklift_two_models(task: Task) -> Any:  # noqa: ANN401 - libraries without types
    from sklift.models import TwoModels

    found = []
    for offer in range(1, int(task.arm.max()) + 1):
        rows = np.isin(task.arm, (0, offer))
        settings = effect_settings(task.kind, int(rows.sum()))
        learner = TwoModels(LGBMClassifier(**settings), LGBMClassifier(**settings))
        learner.fit(task.x[rows], task.y[rows].astype(int), (task.arm[rows] == offer).astype(int))
        found.append(learner.predict(task.ask))
    return np.column_stack(found)


LEARNERS = {
    "causalml T usual": (causalml_t, "usual"),
    "causalml X regularised": (causalml_x, "regularised"),
    "econml DR usual": (econml_dr, "usual"),
    "econml DR regularised": (econml_dr, "regularised"),
    "metalearners DR regularised": (metalearners_dr, "regularised"),
    "scikit-uplift two models regularised": (sklift_two_models, "regularised"),
}


def peak_gigabytes() -> float:
    """Return this process's own peak; `getrusage` also counts what its parent had."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e6


def main() -> None:
    directory, name = Path(sys.argv[1]), sys.argv[2]
    learn, ask = np.load(directory / "learn.npz"), np.load(directory / "ask.npz")
    learner, kind = LEARNERS[name]
    started = time.perf_counter()
    try:
        task = Task(x=learn["x"], arm=learn["arm"], y=learn["y"], ask=ask["x"], kind=kind)
        found = np.asarray(learner(task), dtype=np.float64)
    except ImportError as error:
        print(error)
        sys.exit(NOT_INSTALLED)
    seconds = time.perf_counter() - started
    np.save(
        directory / "effect.npy", np.asarray(found, dtype=np.float64).reshape(len(ask["x"]), -1)
    )
    cost = {"seconds": seconds, "cpu": time.process_time(), "gigabytes": peak_gigabytes()}
    (directory / "cost.json").write_text(json.dumps(cost))


if __name__ == "__main__":
    main()
