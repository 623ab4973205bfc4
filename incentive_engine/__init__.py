"""Decides whom a subsidy pool is spent on, by what each offer changes.

As a library, from a trial to a plan without a file:

>>> import pandas
>>> import incentive_engine as ie
>>> policy = ie.Policy(version=1, name="spring", offers=[{"id": "off10", "face_value": 10}])
>>> scores = ie.ScoreTable.from_frame(
...     pandas.DataFrame({"user_id": [1, 2, 3], "conversion__off10": [0.05, 0.01, 0.03],
...                       "cost__off10": [2.0, 2.0, 2.0]}),
...     policy,
... )
>>> plan = ie.allocate(scores, policy, budget=4)
>>> plan.to_frame()["offer_id"].tolist()
['off10', nan, 'off10']
>>> round(plan.certificate.value, 2), plan.certificate.gap
(0.08, 0.0)

Every name is imported when it is first asked for, so that the package itself loads at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from incentive_engine.allocation.certificate import Certificate
    from incentive_engine.allocation.decisions.decision import OfferChoice
    from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, User
    from incentive_engine.allocation.decisions.prices import Prices
    from incentive_engine.config.offer import Offer
    from incentive_engine.config.policy import Budget, Limit, Policy
    from incentive_engine.data.scores import ScoreTable
    from incentive_engine.data.trials.trial import Trial
    from incentive_engine.errors import (
        ConfigError,
        DataError,
        Fault,
        IncentiveError,
        InfeasibleError,
    )
    from incentive_engine.library.decisions import decide
    from incentive_engine.library.estimator import UpliftEstimator
    from incentive_engine.library.evaluation import Evaluation
    from incentive_engine.library.model import UpliftModel, evaluate, fit
    from incentive_engine.library.plan import Plan, allocate, response_curve
    from incentive_engine.library.runs import Run, load_policy, load_run
    from incentive_engine.stats.estimate import Estimate
    from incentive_engine.uplift.params import FitParams
    from incentive_engine.verify import Verification
    from incentive_engine.verify import verify_run as verify

__all__ = [
    "Budget",
    "Certificate",
    "ConfigError",
    "DataError",
    "Estimate",
    "Evaluation",
    "Fault",
    "FitParams",
    "FrozenPolicy",
    "IncentiveError",
    "InfeasibleError",
    "Limit",
    "Offer",
    "OfferChoice",
    "Plan",
    "Policy",
    "Prices",
    "Run",
    "ScoreTable",
    "Trial",
    "UpliftEstimator",
    "UpliftModel",
    "User",
    "Verification",
    "allocate",
    "decide",
    "evaluate",
    "fit",
    "load_policy",
    "load_run",
    "response_curve",
    "verify",
]

_module_of = {
    name: module
    for module, names in {
        "allocation.certificate": ("Certificate",),
        "allocation.decisions.decision": ("OfferChoice",),
        "allocation.decisions.frozen_policy": ("FrozenPolicy", "User"),
        "allocation.decisions.prices": ("Prices",),
        "config.offer": ("Offer",),
        "config.policy": ("Budget", "Limit", "Policy"),
        "data.scores": ("ScoreTable",),
        "data.trials.trial": ("Trial",),
        "errors": ("ConfigError", "DataError", "Fault", "IncentiveError", "InfeasibleError"),
        "library.decisions": ("decide",),
        "library.estimator": ("UpliftEstimator",),
        "library.evaluation": ("Evaluation",),
        "library.model": ("UpliftModel", "evaluate", "fit"),
        "library.plan": ("Plan", "allocate", "response_curve"),
        "library.runs": ("Run", "load_policy", "load_run"),
        "stats.estimate": ("Estimate",),
        "uplift.params": ("FitParams",),
        "verify": ("Verification",),
    }.items()
    for name in names
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name is
    if name == "verify":
        # the package of that name is the function, too: an import of it puts it here anyway
        return import_module("incentive_engine.verify")
    if name == "__version__":
        from importlib.metadata import version

        return version("incentive-engine")
    if name not in _module_of:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    value = getattr(import_module(f"{__name__}.{_module_of[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
