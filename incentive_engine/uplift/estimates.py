"""What a model says about n users: increments per offer, and outcomes per arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from incentive_engine.config.policy import Policy
from incentive_engine.domain import (
    CONVERSION,
    COST,
    MICROS,
    SPEND,
    USER_ID,
    FloatArray,
    IntArray,
    score_column,
    to_micros,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """Estimates for n users and k offers, in the policy's order.

    Attributes
    ----------
    offers
        Offer ids.
    conversion, spend, cost : (n, k) float64
        Increments of conversion probability and of spend against no offer; expected cost, ≥ 0.
    conversion_se : (n, k) float64
        Rough standard error of `conversion`: a guide, not an interval.
    conversion_by_arm, spend_by_arm, cost_by_arm : (n, 1 + k) float64
        Expected outcomes under control (column 0) and each offer.
    """

    offers: tuple[str, ...]
    conversion: FloatArray
    spend: FloatArray
    cost: FloatArray
    conversion_se: FloatArray
    conversion_by_arm: FloatArray
    spend_by_arm: FloatArray
    cost_by_arm: FloatArray

    def score_frame(
        self, user_id: pd.Series, features: pd.DataFrame, policy: Policy
    ) -> pd.DataFrame:
        """Return a score table: user_id, the policy's attributes, four measures per offer.

        Costs are rounded up to whole millionths of the currency unit.
        """
        table: dict[str, object] = {USER_ID: user_id.to_numpy()}
        table |= {name: features[name].to_numpy() for name in policy.attribute_columns}
        standard_error = "conversion_se"
        for offer in policy.offer_ids:
            j = self.offers.index(offer)
            table[score_column(CONVERSION, offer)] = without_dust(self.conversion[:, j])
            table[score_column(SPEND, offer)] = without_dust(self.spend[:, j])
            table[score_column(COST, offer)] = to_micros(self.cost[:, j]) / MICROS
            table[score_column(standard_error, offer)] = self.conversion_se[:, j]
        return pd.DataFrame(table)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutOfFold:
    """Estimates for the trial's own rows by models that never saw them.

    Attributes
    ----------
    estimates
        n rows in the order of the trial; all of them come from the rows outside the row's fold.
    constant : (n, k) float64
        The constant effect per offer, also from the rows outside the row's fold.
    fold : (n,) int64
        From 0; which rows were asked of the same models.
    """

    PER_OFFER: ClassVar = ("conversion", "spend", "cost", "conversion_se")
    PER_ARM: ClassVar = ("conversion_by_arm", "spend_by_arm", "cost_by_arm")
    CONTROL_ARM: ClassVar = "control"
    CONSTANT: ClassVar = "constant"
    FOLD: ClassVar = "fold"
    """Columns of the table, but for the offers' names."""

    estimates: Estimates
    constant: FloatArray
    fold: IntArray

    def compared(self, offer: int) -> FloatArray:
        """Return one offer's effects on conversion, for comparing people of different folds, (n,).

        The fold whose own outcomes were poor is the one for which the others promise most. So the
        folds' constant effects make way for their mean.
        """
        constant = self.constant[:, offer]
        return np.asarray(self.estimates.conversion[:, offer] - constant + constant.mean())

    def score_frame(
        self, user_id: pd.Series, features: pd.DataFrame, policy: Policy
    ) -> pd.DataFrame:
        """Return a score table of the trial's rows; see `Estimates.score_frame`."""
        return self.estimates.score_frame(user_id, features, policy)

    def to_frame(self) -> pd.DataFrame:
        """Return one column per measure and offer or arm, as the model's Parquet file holds it."""
        columns: dict[str, FloatArray] = {}
        for name in self.PER_OFFER:
            columns |= _columns(name, getattr(self.estimates, name), self.estimates.offers)
        for name in self.PER_ARM:
            arms = (self.CONTROL_ARM, *self.estimates.offers)
            columns |= _columns(name, getattr(self.estimates, name), arms)
        columns |= _columns(self.CONSTANT, self.constant, self.estimates.offers)
        return pd.DataFrame({**columns, self.FOLD: self.fold})

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, offers: tuple[str, ...]) -> OutOfFold:
        """Read what `to_frame` gave.

        Raises
        ------
        KeyError
            When a column is missing.
        """
        per_offer = {name: _matrix(frame, name, offers) for name in cls.PER_OFFER}
        per_arm = {name: _matrix(frame, name, (cls.CONTROL_ARM, *offers)) for name in cls.PER_ARM}
        estimates = Estimates(offers=offers, **per_offer, **per_arm)
        constant, fold = (
            _matrix(frame, cls.CONSTANT, offers),
            frame[cls.FOLD].to_numpy(dtype=np.int64),
        )
        return cls(estimates=estimates, constant=constant, fold=fold)


def without_dust(effect: FloatArray) -> FloatArray:
    """Return effects with rounding errors of sums that cancel set to 0."""
    # an effect below this is a rounding error; solvers would take it for a value
    dust = 1e-12
    return np.where(np.abs(effect) < dust, 0.0, effect)


def _columns(name: str, values: FloatArray, arms: Sequence[str]) -> dict[str, FloatArray]:
    return {score_column(name, arm): values[:, j] for j, arm in enumerate(arms)}


def _matrix(frame: pd.DataFrame, name: str, arms: Sequence[str]) -> FloatArray:
    columns = [score_column(name, arm) for arm in arms]
    return frame[columns].to_numpy(dtype=np.float64)
