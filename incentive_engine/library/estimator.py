"""The uplift model by scikit-learn's conventions; scikit-learn itself need not be installed."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from incentive_engine.config.document.loading import policy_from_mapping
from incentive_engine.config.offer import Offer
from incentive_engine.config.policy import Policy
from incentive_engine.data.row_checks import counted
from incentive_engine.data.tables.any_frame import has_arrow_rows, has_no_rows_yet, pandas_frame
from incentive_engine.data.trials.campaigns import RESERVED, TrialColumn
from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import CONTROL, CONVERSION, COST, SPEND, USER_ID
from incentive_engine.errors import DataError, Fault, nearest
from incentive_engine.language import say
from incentive_engine.library.model import fit
from incentive_engine.uplift.model import estimate
from incentive_engine.uplift.params import FIT, FitParams

if TYPE_CHECKING:
    from sklearn.utils import Tags

Column = npt.ArrayLike | pd.Series
"""One value per row: an array, a list, or a column of a frame."""


class InputError(DataError, ValueError):
    """A `DataError` that tools of scikit-learn know as the `ValueError` that they expect."""


class UpliftEstimator:
    """Learns from a randomised trial what each offer changes, and predicts it.

    Parameters
    ----------
    offers
        The offers, when they form a ladder or have rules of their own: `Offer`s or mappings as in
        a policy. Left out, every label beside `control` is an offer by itself.
    control
        The label of rows that got no offer.
    seed
        Of folds and boosting; the same rows and seed give the same model.
    accept
        Names of refusals that the caller answers for, such as ``trial-arm-sizes``.
    params
        `FitParams`: how far the learner adapts, and which of its stages are left out; left out,
        what the program fits with.

    Attributes
    ----------
    model_ : UpliftModel
        What was learned; `predict` asks it.
    offers_ : tuple of str
        The columns of `predict`.
    n_features_in_, feature_names_in_
        The features seen in `fit`; names only where they had some.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"visits": rng.poisson(3, 2000), "age": rng.normal(40, 9, 2000)})
    >>> offer = rng.choice(["control", "off10"], 2000)
    >>> chance = 0.1 + 0.02 * X["visits"] * (offer == "off10")
    >>> estimator = UpliftEstimator(seed=1).fit(X, rng.random(2000) < chance, offer=offer)
    >>> estimator.predict(X.head(3)).shape
    (3, 1)
    """

    _estimator_type = "uplift"

    def __init__(
        self,
        *,
        offers: Sequence[Offer | Mapping[str, Any]] | None = None,
        control: str = CONTROL,
        seed: int = 0,
        accept: Collection[str] = (),
        params: FitParams | None = None,
    ) -> None:
        self.offers = offers
        self.control = control
        self.seed = seed
        self.accept = accept
        self.params = params

    def fit(
        self,
        X: Any,  # noqa: ANN401, N803 - a frame or a matrix, by scikit-learn's name
        conversion: Column,
        *,
        offer: Column,
        spend: Column | None = None,
        cost: Column | None = None,
        propensity: Column | None = None,
    ) -> Self:
        """Learn from the rows of a randomised trial.

        Parameters
        ----------
        X
            (n, p), what was known before the offer: a frame of pandas, polars or Arrow, or a
            matrix of numbers.
        conversion
            (n,) 0 or 1, or truth values.
        offer
            (n,) the label of the arm that each row got.
        spend, cost
            (n,) currency units; left out, 0.
        propensity
            (n,) probability of the arm that the row got; left out, the arms' shares.

        Raises
        ------
        DataError
            With everything that is wrong with the rows.
        """
        features, names = _features(X)
        index = X.index if isinstance(X, pd.DataFrame) else None
        given = {
            CONVERSION: conversion,
            SPEND: spend,
            COST: cost,
            TrialColumn.PROPENSITY: propensity,
        }
        columns = {
            name: _column(values, name, rows=len(features), index=index)
            for name, values in given.items()
            if values is not None
        }
        labels = _labels(_column(offer, TrialColumn.OFFER, rows=len(features), index=index))
        arms = np.where(labels == str(self.control), CONTROL, labels)
        policy = self._policy(arms)
        rows = pd.DataFrame({USER_ID: np.arange(len(features)), SPEND: 0.0, COST: 0.0})
        rows = rows.assign(**columns, **{TrialColumn.OFFER: arms})
        table = pd.concat([rows, features.reset_index(drop=True)], axis=1)
        trial = Trial.from_frame(table, policy, where="X")
        self.model_ = fit(
            trial, policy, seed=self.seed, accept=self.accept,
            params=FIT if self.params is None else self.params,
        )  # fmt: skip
        self.offers_ = policy.offer_ids
        self.n_features_in_ = features.shape[1]
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self._columns = tuple(features.columns)
        return self

    def predict(self, X: Any) -> pd.DataFrame:  # noqa: ANN401, N803 - as of `fit`
        """Return what each offer adds to the probability of conversion, (n, offers).

        A frame of pandas keeps its index.

        Raises
        ------
        DataError
            When the estimator is not fitted, or the columns are not those of `fit`.
        """
        return self._estimated(X, "conversion")

    def predict_spend(self, X: Any) -> pd.DataFrame:  # noqa: ANN401, N803 - as of `fit`
        """Return what each offer adds to spend, (n, offers), currency units."""
        return self._estimated(X, "spend")

    def predict_cost(self, X: Any) -> pd.DataFrame:  # noqa: ANN401, N803 - as of `fit`
        """Return what each offer is expected to cost, (n, offers), currency units."""
        return self._estimated(X, "cost")

    def _estimated(self, X: Any, measure: str) -> pd.DataFrame:  # noqa: ANN401, N803 - as of `fit`
        if not hasattr(self, "model_"):
            raise _not_fitted()(
                Fault("UpliftEstimator", "is not fitted", "fit before predict", "call `fit`")
            )
        features, names = _features(X)
        self._check_columns(features, names)
        estimates = estimate(self.model_.fitted, features[list(self._columns)], where="X")
        return pd.DataFrame(
            getattr(estimates, measure), columns=list(self.offers_), index=features.index
        )

    def _check_columns(self, features: pd.DataFrame, names: npt.NDArray[Any] | None) -> None:
        faults = []
        if names is None and features.shape[1] != self.n_features_in_:
            what = say(
                "X has {count} features, but UpliftEstimator is expecting {known} features as "
                "input",
                count=features.shape[1],
                known=self.n_features_in_,
            )
            faults.append(Fault("X", what))
        else:
            faults += [
                Fault(
                    "X",
                    say("column `{name}` is missing", name=name),
                    remedy=nearest(name, features.columns),
                )
                for name in self._columns
                if name not in features
            ]
            faults += [
                Fault(
                    "X",
                    say("column `{name}` was not there in `fit`", name=name),
                    remedy="leave it out",
                )
                for name in features.columns
                if name not in self._columns
            ]
        if faults:
            raise InputError(*faults)

    def _policy(self, arms: npt.NDArray[Any]) -> Policy:
        """Return a policy whose offers are the arms; one without face values needs none."""
        offers: Sequence[Offer | Mapping[str, Any]]
        if self.offers is None:
            labels = sorted({str(arm) for arm in arms} - {CONTROL})
            offers = [{"id": label, "face_value": 1} for label in labels]
        else:
            offers = self.offers
        plain = [offer.model_dump(mode="json") if isinstance(offer, Offer) else offer
                 for offer in offers]  # fmt: skip
        content = {"version": 1, "name": "estimator", "offers": plain, "seed": self.seed}
        return policy_from_mapping(content, where="offers")

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002 - scikit-learn's signature
        """Return the constructor's parameters."""
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **params: Any) -> Self:  # noqa: ANN401 - any parameter
        """Set some of the constructor's parameters.

        Raises
        ------
        DataError
            When there is no such parameter.
        """
        names = self._parameters()
        faults = [
            Fault(
                "set_params",
                say("Invalid parameter `{name}`", name=name),
                remedy=nearest(name, names),
            )
            for name in params
            if name not in names
        ]
        if faults:
            raise InputError(*faults)
        for name, value in params.items():
            setattr(self, name, value)
        return self

    @classmethod
    def _parameters(cls) -> tuple[str, ...]:
        return tuple(inspect.signature(cls).parameters)

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether `fit` has been called."""
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Tags:
        """Return what scikit-learn should know of the estimator."""
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=True),
            input_tags=InputTags(allow_nan=True, string=True, categorical=True),
        )

    def __repr__(self) -> str:
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(type(self)).parameters.items()
        }
        changed = {k: v for k, v in self.get_params().items() if v is not defaults[k]
                   and v != defaults[k]}  # fmt: skip
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in changed.items())})"


def _features(X: Any) -> tuple[pd.DataFrame, npt.NDArray[Any] | None]:  # noqa: ANN401, N803 - as of `fit`
    """Return features as a frame, and their names where they have some.

    Raises
    ------
    InputError
        When they are neither a frame nor a matrix, or a column's name is one of a trial's own.
    """
    if isinstance(X, pd.DataFrame) and all(isinstance(name, str) for name in X.columns):
        table = pandas_frame(X, where="X")
        frame, names = table.set_axis(X.index, axis=0), np.asarray(X.columns, dtype=object)
    elif not isinstance(X, np.ndarray | pd.DataFrame) and _has_columns(X):
        frame = pandas_frame(X, where="X")
        names = np.asarray(frame.columns, dtype=object)
    else:
        frame, names = _of_matrix(X), None
    if taken := sorted(RESERVED & set(frame.columns)):
        what = say("columns are called as parts of a trial: {taken}", taken=tuple(taken))
        raise InputError(Fault("X", what, "features alone", "hand them in as arguments"))
    return frame, names


def _has_columns(X: object) -> bool:  # noqa: N803 - as of `fit`
    """Return whether something is a frame; what is evaluated lazily is refused as one."""
    return has_arrow_rows(X) or has_no_rows_yet(X)


def _of_matrix(X: Any) -> pd.DataFrame:  # noqa: ANN401, N803 - as of `fit`
    matrix = X.to_numpy() if isinstance(X, pd.DataFrame) else np.asarray(X)
    if matrix.ndim != 2:
        what = say("Expected 2D array, got {ndim}D array instead", ndim=matrix.ndim)
        raise InputError(Fault("X", what, "rows × features", "Reshape your data"))
    if matrix.shape[0] == 0 or matrix.shape[1] == 0:
        what = say(
            "Found array with {rows} sample(s) and {columns} feature(s)",
            rows=matrix.shape[0],
            columns=matrix.shape[1],
        )
        raise InputError(Fault("X", what, "a minimum of 1 is required"))
    if matrix.dtype.kind == "c":
        raise InputError(Fault("X", "Complex data not supported", "numbers"))
    try:
        numbers = matrix.astype(np.float64)
    except (TypeError, ValueError):
        mixed = "a matrix holds what are no numbers"
        raise InputError(Fault("X", mixed, "numbers", "name the columns in a frame")) from None
    if np.isinf(numbers).any():
        raise InputError(Fault("X", "contains infinity", "finite numbers; NaN where missing"))
    return pd.DataFrame(numbers, columns=[f"x{place}" for place in range(matrix.shape[1])])


def _column(values: Any, name: str, *, rows: int, index: pd.Index | None) -> Any:  # noqa: ANN401 - any column
    """Return one value per row.

    Raises
    ------
    InputError
        When there are more or fewer than rows, or a column of pandas has another index, by which
        its rows would belong to others.
    """
    if isinstance(values, pd.Series) and index is not None and not values.index.equals(index):
        what = say("`{name}` has another index than X", name=name)
        raise InputError(Fault("fit", what, "the same rows in the same order", "align them"))
    column = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    if column.shape != (rows,):
        what = say(
            "`{name}` has shape {shape}, inconsistent with {rows} rows of X",
            name=name,
            shape=column.shape,
            rows=rows,
        )
        raise InputError(Fault("fit", what, say("({rows},)", rows=rows)))
    return column


def _labels(offer: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the arms' labels as text.

    Raises
    ------
    InputError
        When a row has none: as text, a gap would be an offer called `None` or `nan`.
    """
    if missing := int(pd.isna(offer).sum()):
        what = say(
            "`{column}` is missing in {counted}",
            column=TrialColumn.OFFER,
            counted=counted(missing),
        )
        raise InputError(Fault("fit", what, "the label of each row's arm"))
    return offer.astype("str")


@cache
def _not_fitted() -> type[DataError]:
    """Return the error of asking too early, which is scikit-learn's own where it is installed."""
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:
        return InputError
    return type("NotFittedError", (InputError, NotFittedError), {})
