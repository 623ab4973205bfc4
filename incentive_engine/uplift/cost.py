"""Expected subsidy per user and offer: chance to redeem × what a redemption pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from incentive_engine.domain import BoolArray, FloatArray
from incentive_engine.uplift.boosting import (
    BinnedRows,
    CrossFitted,
    Matrix,
    Recipe,
    side_by_side,
    train,
)
from incentive_engine.uplift.folds import Folds
from incentive_engine.uplift.rows import Rows

if TYPE_CHECKING:
    import lightgbm as lgb

SAME: Final = 1e-9
"""Relative spread below which costs count as equal."""
REDEMPTIONS_PER_LEAF: Final = 30
CREDIT: Final = 10.0
"""Redemptions as predicted that an offer's calibration starts from; few rows move it little."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostModel:
    """Cost per offer, never negative.

    Attributes
    ----------
    unit : (k,) float64
        What the offer costs for each treated user, where it always costs the same; otherwise NaN.
    redeem
        Chance of a redemption given features and offer, cross-fitted; None when all are unit.
    pays : (k,) float64
        What one redemption pays, on average, currency units.
    pay
        What a redemption pays given features and offer, relative to `pays`; None when always 1.
    scale : (k,) float64
        Calibration, out of fold: actual over predicted cost.
    control
        What a row of control costs.
    """

    unit: FloatArray
    redeem: CrossFitted | None
    pays: FloatArray
    pay: CrossFitted | None
    scale: FloatArray
    control: float

    def predict(self, matrix: Matrix, *, folds: Folds | None) -> FloatArray:
        """Return the expected cost of each offer, (n, k), currency units, ≥ 0."""
        cost = np.tile(self.unit, (len(matrix), 1))
        if self.redeem is None:
            return cost
        asked = np.column_stack([matrix, np.empty((len(matrix), 2), np.float32)])
        for offer in np.flatnonzero(np.isnan(self.unit)):
            asked[:, -2:] = offer, self.pays[offer]
            chance = self.redeem.predict(asked, folds=folds)
            pay = 1.0 if self.pay is None else self.pay.predict(asked, folds=folds)
            cost[:, offer] = self.scale[offer] * self.pays[offer] * chance * pay
        return cost

    def to_json(self) -> dict[str, Any]:
        """Return the content of the model file, without the LightGBM models."""
        unit = [None if np.isnan(value) else value for value in self.unit.tolist()]
        return {
            "unit": unit,
            "pays": self.pays.tolist(),
            "scale": self.scale.tolist(),
            "control": self.control,
            "redeem": self.redeem is not None,
            "pay": self.pay is not None,
        }

    def save(self, directory: Path) -> None:
        """Write the LightGBM models."""
        for name, part in (("redeem", self.redeem), ("pay", self.pay)):
            if part is not None:
                part.save(directory, name)

    @classmethod
    def load(cls, content: Mapping[str, Any], directory: Path, *, count: int) -> CostModel:
        """Read what `to_json` and `save` wrote."""
        parts = {
            name: CrossFitted.load(directory, name, count=count) if content[name] else None
            for name in ("redeem", "pay")
        }
        unit = [np.nan if value is None else value for value in content["unit"]]
        return cls(
            unit=np.array(unit, dtype=np.float64),
            redeem=parts["redeem"],
            pays=np.array(content["pays"]),
            pay=parts["pay"],
            scale=np.array(content["scale"]),
            control=content["control"],
        )


def with_offer(matrix: Matrix, offer: np.ndarray, pays: FloatArray) -> Matrix:
    """Return the features with two more columns, the offer's position and what it pays."""
    extra = np.column_stack([offer, pays[offer]]).astype(np.float32)
    return np.column_stack([matrix, extra])


def fit_cost(rows: Rows, *, cost: FloatArray, seed: int) -> CostModel:
    """Learn the cost of each offer from the (n,) costs of the trial's rows."""
    lottery = rows.lottery
    k = lottery.reach.shape[1]
    got = [(lottery.arm == offer + 1) & (lottery.weight > 0) for offer in range(k)]
    unit = np.array([_unit_cost(cost[mask]) for mask in got])
    pays = np.array([_mean(cost[mask & (cost > 0)]) for mask in got])
    control = _mean(cost[lottery.arm == 0])
    if not np.isnan(unit).any():
        return CostModel(
            unit=unit, redeem=None, pays=pays, pay=None, scale=np.ones(k), control=control
        )
    varies = np.isin(lottery.arm - 1, np.flatnonzero(np.isnan(unit))) & (lottery.weight > 0)
    offer = np.where(varies, lottery.arm - 1, 0)
    asked = with_offer(rows.matrix, offer, pays)
    learner = _Learner(rows=rows, binned=BinnedRows(asked), seed=seed)
    redeemed = cost > 0
    redeem = learner.fit(redeemed.astype(np.float64), varies, "binary")
    relative = cost / pays[offer].clip(1e-12)
    fixed = np.ptp(relative[varies & redeemed]) <= SAME if (varies & redeemed).any() else True
    pay = None if fixed else learner.fit(relative, varies & redeemed, "gamma")
    predicted = pays[offer] * redeem.predict(asked, folds=rows.folds)
    if pay is not None:
        predicted *= pay.predict(asked, folds=rows.folds)
    learned = zip(unit, got, pays, strict=True)
    scale = [
        _calibrate(cost[mask], predicted[mask], lottery.weight[mask], each) if np.isnan(one) else 1
        for one, mask, each in learned
    ]
    return CostModel(
        unit=unit, redeem=redeem, pays=pays, pay=pay, scale=np.array(scale, float), control=control
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Learner:
    """Fits cross-fitted models on some of the rows that got an offer."""

    rows: Rows
    binned: BinnedRows
    seed: int

    def fit(self, label: FloatArray, use: BoolArray, objective: str) -> CrossFitted:
        def fit_fold(fold: int) -> lgb.Booster:
            outside = self.rows.folds.outside(fold)
            seen = outside[use[outside]]
            seen = seen if len(seen) else np.flatnonzero(use)
            share = float(label[seen].mean()) if objective == "binary" else 1.0
            recipe = _recipe(objective, share, len(seen))
            data = self.binned.subset(seen)
            weight = self.rows.lottery.weight[seen]
            seed = self.seed + fold
            return train(data, label=label[seen], weight=weight, recipe=recipe, seed=seed)

        return CrossFitted(tuple(side_by_side(fit_fold, self.rows.folds.count)))


def _recipe(objective: str, share: float, rows: int) -> Recipe:
    wanted = REDEMPTIONS_PER_LEAF / max(share, 1e-6)
    return Recipe(
        objective=objective,
        trees=40,
        leaves=8,
        rate=0.12,
        rows_per_leaf=int(np.clip(wanted, 20, max(rows // 4, 20))),
        l2=5.0,
    )


def _calibrate(cost: FloatArray, predicted: FloatArray, weight: FloatArray, pays: float) -> float:
    """Return actual over predicted cost of the rows that got an offer, from a cautious start."""
    credit = CREDIT * pays
    return float((weight @ cost + credit) / (weight @ predicted + credit)) if pays > 0 else 1.0


def _unit_cost(cost: FloatArray) -> float:
    """Return the cost that all rows share, or NaN when they differ."""
    if not len(cost) or np.ptp(cost) > SAME * max(float(np.abs(cost).max()), 1.0):
        return float("nan")
    return float(cost[0])


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else 0.0
