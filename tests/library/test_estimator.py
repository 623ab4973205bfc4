"""The estimator by scikit-learn's conventions, with and without scikit-learn."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, Self

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

import incentive_engine as ie

from .market import model, trial_frame, users_frame

FEATURES = ["region", "visits", "age"]
OUTCOMES = ["spend", "cost"]


def fitted(**changes: Any) -> ie.UpliftEstimator:
    rows = trial_frame()
    arguments: dict[str, Any] = {"offer": rows["offer"], "spend": rows["spend"]}
    arguments |= {"cost": rows["cost"], **changes}
    features = arguments.pop("X", rows[FEATURES])
    return ie.UpliftEstimator(seed=11).fit(features, rows["conversion"], **arguments)


@cache
def estimator() -> ie.UpliftEstimator:
    return fitted()


def test_it_predicts_what_the_model_of_the_same_trial_scores() -> None:
    users = users_frame().head(200)
    effects = estimator().predict(users[FEATURES])
    scores = model().score(users).to_frame()
    assert effects.columns.tolist() == ["off10", "off20"]
    for offer in effects:
        np.testing.assert_allclose(effects[offer], scores[f"conversion__{offer}"], atol=1e-9)
    costs = estimator().predict_cost(users[FEATURES])
    spend = estimator().predict_spend(users[FEATURES])
    np.testing.assert_allclose(costs["off10"], scores["cost__off10"], atol=1e-6)
    np.testing.assert_allclose(spend["off20"], scores["spend__off20"], atol=1e-9)


def test_a_frame_keeps_its_index_and_its_columns_may_stand_in_any_order() -> None:
    users = users_frame().head(5).set_index("user_id")
    effects = estimator().predict(users[FEATURES])
    assert effects.index.equals(users.index)
    pd.testing.assert_frame_equal(estimator().predict(users[FEATURES[::-1]]), effects)
    others = estimator().predict(pl.from_pandas(users[FEATURES]))
    pd.testing.assert_frame_equal(others, effects.reset_index(drop=True))


def test_a_matrix_and_labels_of_numbers_will_do() -> None:
    rows = trial_frame()
    arm = rows["offer"].map({"control": 0, "off10": 1, "off20": 2}).to_numpy()
    X = rows[["visits", "age"]].to_numpy()  # noqa: N806 - scikit-learn's name
    made = ie.UpliftEstimator(control="0", seed=1).fit(X, rows["conversion"].to_numpy(), offer=arm)
    assert made.offers_ == ("1", "2")
    assert made.n_features_in_ == 2
    assert not hasattr(made, "feature_names_in_")
    assert made.predict(X[:3]).shape == (3, 2)


def test_its_effects_go_into_a_plan_as_a_frame() -> None:
    users = users_frame()
    effect, cost = estimator().predict(users[FEATURES]), estimator().predict_cost(users[FEATURES])
    frame = pd.concat(
        [users[["user_id"]], effect.add_prefix("conversion__"), cost.add_prefix("cost__")], axis=1
    )
    offers = [{"id": name, "face_value": 20} for name in effect]
    policy = ie.Policy(version=1, name="own", offers=offers)
    plan = ie.allocate(ie.ScoreTable.from_frame(frame, policy), policy, budget=1000)
    assert plan.certificate.treated > 0


def test_offers_may_form_a_ladder() -> None:
    ladder = [{"id": name, "face_value": face, "ladder": "one"}
              for name, face in (("off10", 10), ("off20", 20))]  # fmt: skip
    rows = trial_frame()
    made = ie.UpliftEstimator(offers=ladder, seed=2).fit(
        rows[FEATURES], rows["conversion"], offer=rows["offer"], cost=rows["cost"]
    )
    costs = made.predict_cost(rows[FEATURES].head(50))
    assert (costs["off20"] > costs["off10"]).mean() > 0.5


def test_clone_and_parameters_follow_the_conventions() -> None:
    made = ie.UpliftEstimator(control="none", seed=7)
    copy = clone(made)
    assert copy is not made
    assert copy.get_params() == {
        "offers": None,
        "control": "none",
        "seed": 7,
        "accept": (),
        "params": None,
    }
    assert copy.set_params(seed=9) is copy
    assert copy.seed == 9
    assert repr(copy) == "UpliftEstimator(control='none', seed=9)"
    with pytest.raises(ie.DataError, match=r"Invalid parameter `sed`.*did you mean `seed`"):
        copy.set_params(sed=1)


def test_it_can_be_pickled_and_predicts_the_same() -> None:
    users = users_frame().head(20)[FEATURES]
    again = pickle.loads(pickle.dumps(estimator()))  # noqa: S301 - our own bytes
    pd.testing.assert_frame_equal(again.predict(users), estimator().predict(users))


def test_an_unfitted_one_says_so_by_an_error_of_both_worlds() -> None:
    with pytest.raises(ie.DataError, match="is not fitted") as told:
        ie.UpliftEstimator().predict(users_frame()[FEATURES])
    assert isinstance(told.value, NotFittedError | ValueError)


ROWS = trial_frame(300)
BAD: dict[str, tuple[Callable[[], object], str]] = {
    "other columns": (
        lambda: estimator().predict(users_frame()[["region", "visits"]].assign(agee=1.0)),
        "column `age` is missing; did you mean `agee`.*\n.*`agee` was not there in `fit`",
    ),
    "a matrix of another width": (
        lambda: estimator().predict(np.ones((3, 2))),
        "X has 2 features, but UpliftEstimator is expecting 3",
    ),
    "rows in another order": (
        lambda: fitted(offer=trial_frame()["offer"].sample(frac=1.0, random_state=1)),
        "`offer` has another index than X",
    ),
    "fewer labels than rows": (
        lambda: fitted(offer=trial_frame()["offer"].to_numpy()[:-1]),
        "`offer` has shape",
    ),
    "a lazy frame": (
        lambda: fitted(X=pl.from_pandas(trial_frame()[FEATURES]).lazy()),
        "evaluated lazily",
    ),
    "what happened among the features": (
        lambda: fitted(X=trial_frame()[[*FEATURES, "spend"]]),
        "called as parts of a trial: spend",
    ),
    "nobody in control": (
        lambda: fitted(offer=np.full(6000, "off10")),
        "no row is of the arm `control`",
    ),
    "probabilities above one": (
        lambda: fitted(propensity=np.full(6000, 2.0)),
        "`propensity` is outside",
    ),
    "one dimension": (lambda: fitted(X=np.ones(6000)), "Expected 2D array"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_told_as_a_data_error(case: str) -> None:
    call, words = BAD[case]
    with pytest.raises(ie.DataError, match=words):
        call()


class Randomised(ie.UpliftEstimator):
    """The estimator for checks that know no offers: arms alternate, outcomes go by a seed."""

    def fit(self, X: Any, conversion: Any, **_: Any) -> Self:  # noqa: N803 - scikit-learn's name
        rows = np.shape(conversion)[0] if np.ndim(conversion) else 0
        arms = np.where(np.arange(rows) % 2, "a", "control")
        event = np.random.default_rng(0).random(rows) < 0.5
        return super().fit(X, event, offer=arms)


@pytest.mark.parametrize(
    "name",
    [
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_estimator_repr",
        "check_estimator_cloneable",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_mixin_order",
        "check_estimators_unfitted",
        "check_estimators_overwrite_params",
        "check_dict_unchanged",
        "check_fit_idempotent",
        "check_estimators_fit_returns_self",
        "check_readonly_memmap_input",
        "check_n_features_in",
        "check_fit2d_predict1d",
        "check_methods_subset_invariance",
        "check_methods_sample_order_invariance",
        "check_fit_check_is_fitted",
        "check_estimators_pickle",
        "check_estimators_dtypes",
        "check_complex_data",
        "check_fit1d",
    ],
)
# left out: checks with a dozen rows, from which no effect is learned; and the one that wants
# columns in another order refused, which are known by their names here
@pytest.mark.filterwarnings("ignore")  # scikit-learn's own, about what it deprecates
def test_it_passes_the_checks_of_scikit_learn(name: str) -> None:
    check = getattr(estimator_checks, name)
    check("Randomised", Randomised(accept=("trial-arm-sizes",)))


def test_without_scikit_learn_it_works_all_the_same() -> None:
    program = """
import sys
sys.modules["sklearn"] = None
import numpy as np, incentive_engine as ie
rng = np.random.default_rng(0)
X, offer = rng.normal(size=(900, 2)), rng.choice(["control", "a"], 900)
made = ie.UpliftEstimator()
try:
    made.predict(X)
except ie.DataError as error:
    print(error)
made.fit(X, rng.random(900) < 0.2 + 0.2 * (offer == "a"), offer=offer)
print(made.predict(X).shape, made.get_params())
"""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "is not fitted" in done.stdout
    assert (
        "(900, 1) {'offers': None, 'control': 'control', 'seed': 0, 'accept': (), 'params': None}"
        in done.stdout
    )


def test_its_signature_is_the_one_that_others_call() -> None:
    parameters = inspect.signature(ie.UpliftEstimator.fit).parameters
    assert list(parameters) == ["self", "X", "conversion", "offer", "spend", "cost", "propensity"]
    assert parameters["offer"].kind is inspect.Parameter.KEYWORD_ONLY


def test_settings_of_the_learner_reach_it() -> None:
    params = ie.FitParams(folds=3, without=("products",))
    rows = trial_frame()
    learner = ie.UpliftEstimator(params=params)
    learner.fit(rows[FEATURES], rows["conversion"], offer=rows["offer"])
    assert learner.model_.fitted.facts.params == params
