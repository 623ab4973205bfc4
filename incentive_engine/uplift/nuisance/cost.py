"""Expected subsidy per user and offer: chance to redeem × what a redemption pays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import nnls

from incentive_engine.domain import BoolArray, FloatArray, IntArray, Matrix
from incentive_engine.parallel import side_by_side
from incentive_engine.uplift.boosting.boosting import CrossFitted, Recipe, train
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.nuisance.believed_payments import believed_payments
from incentive_engine.uplift.nuisance.cost_slope import CostSlope, fit_slope, no_slope
from incentive_engine.uplift.rows import DownsampledRows, TrialRows

if TYPE_CHECKING:
    import lightgbm as lgb


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
    slope
        How actual costs follow predicted ones.
    scale : (k,) float64
        Calibration, out of fold: actual over predicted cost.
    stack : (2,) float64
        Weights of the direct forecast and of the one through conversions; see `stack_cost`.
    per_conversion : (k,) float64
        What one conversion under the offer pays, on average, currency units.
    control
        What a row of control costs.
    """

    unit: FloatArray
    redeem: CrossFitted | None
    pays: FloatArray
    pay: CrossFitted | None
    slope: CostSlope
    scale: FloatArray
    stack: FloatArray
    per_conversion: FloatArray
    control: float

    def predict(
        self, matrix: Matrix, converting: FloatArray, *, folds: Folds | None
    ) -> FloatArray:
        """Return the expected cost of each offer, (n, k), currency units, ≥ 0.

        Parameters
        ----------
        converting
            (n, k) float64, probability of a conversion under each offer.
        """
        return self.of_direct(self.direct(matrix, folds=folds), converting)

    def of_direct(self, direct: FloatArray, converting: FloatArray) -> FloatArray:
        """Return the expected cost (n, k) by the direct forecast and chances to convert."""
        through = converting * self.per_conversion
        stacked = self.scale * self.slope(self.stack[0] * direct + self.stack[1] * through)
        return np.where(np.isnan(self.unit), stacked, self.unit)

    def direct(self, matrix: Matrix, *, folds: Folds | None) -> FloatArray:
        """Return the cost that redemptions alone forecast, (n, k), currency units, ≥ 0."""
        cost = np.tile(self.unit, (len(matrix), 1))
        if self.redeem is None:
            return cost
        varies = np.flatnonzero(np.isnan(self.unit))
        asked = np.column_stack([varies, self.pays[varies]]).astype(np.float32)
        paid = self.redeem.predict_each(matrix, asked, folds=folds)
        if self.pay is not None:
            paid *= self.pay.predict_each(matrix, asked, folds=folds)
        cost[:, varies] = paid * self.pays[varies]
        return cost

    def to_json(self) -> dict[str, Any]:
        """Return the content of the model file, without the LightGBM models."""
        unit = [None if np.isnan(value) else value for value in self.unit.tolist()]
        return {
            "unit": unit,
            "pays": self.pays.tolist(),
            "slope": self.slope.to_json(),
            "scale": self.scale.tolist(),
            "stack": self.stack.tolist(),
            "per_conversion": self.per_conversion.tolist(),
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
            slope=CostSlope.from_json(content["slope"]),
            scale=np.array(content["scale"]),
            stack=np.array(content["stack"]),
            per_conversion=np.array(content["per_conversion"]),
            control=content["control"],
        )


def with_offer(matrix: Matrix, offer: np.ndarray, pays: FloatArray) -> Matrix:
    """Return the features with two more columns, the offer's position and what it pays."""
    extra = np.column_stack([offer, pays[offer]]).astype(np.float32)
    return np.column_stack([matrix, extra])


def fit_cost(rows: TrialRows, *, cost: FloatArray, seed: int) -> CostModel:
    """Learn the cost of each offer from the (n,) costs of the trial's rows."""
    lottery = rows.lottery
    k = lottery.reach.shape[1]
    got = [(lottery.arm == offer + 1) & (lottery.weight > 0) for offer in range(k)]
    unit = np.array([_unit_cost(cost[mask]) for mask in got])
    pays = np.array([_mean(cost[mask & (cost > 0)]) for mask in got])
    control = _mean(cost[lottery.arm == 0])
    if not np.isnan(unit).any():
        return _unstacked(unit=unit, redeem=None, pays=pays, pay=None, control=control)
    varies = np.flatnonzero(np.isin(lottery.arm - 1, np.flatnonzero(np.isnan(unit))))
    varies = varies[lottery.weight[varies] > 0]
    offer, paid, weight = lottery.arm[varies] - 1, cost[varies], lottery.weight[varies]
    folds = Folds(label=rows.folds.label[varies], count=rows.folds.count)
    downsampled = DownsampledRows.of(
        lambda some: with_offer(rows.matrix[varies[some]], offer[some], pays),
        paid > 0, folds, categories=rows.categories, seed=seed,
    )  # fmt: skip
    learn = partial(_fit, rows, downsampled, weight=weight, seed=seed)
    redeem = learn(label=(paid > 0).astype(np.float64), use=paid >= 0, objective="binary")
    relative = paid / pays[offer].clip(1e-12)
    pay = None
    # where every redemption pays the same, there is nothing to learn
    if (paid > 0).any() and not _is_same(relative[paid > 0], size=1.0):
        pay = learn(label=relative, use=paid > 0, objective="gamma")
    return _unstacked(unit=unit, redeem=redeem, pays=pays, pay=pay, control=control)


def _unstacked(
    *,
    unit: FloatArray,
    redeem: CrossFitted | None,
    pays: FloatArray,
    pay: CrossFitted | None,
    control: float,
) -> CostModel:
    """Return the model of the direct forecast alone, not calibrated."""
    k = len(unit)
    return CostModel(
        unit=unit,
        redeem=redeem,
        pays=pays,
        pay=pay,
        slope=no_slope(k),
        scale=np.ones(k),
        stack=np.array([1.0, 0.0]),
        per_conversion=np.zeros(k),
        control=control,
    )


def stack_cost(
    model: CostModel,
    rows: TrialRows,
    *,
    cost: FloatArray,
    conversion: FloatArray,
    converting: FloatArray,
) -> tuple[CostModel, FloatArray]:
    """Stack the direct forecast with one through conversions, out of fold, and calibrate it.

    A plan picks the users whose cost is underestimated. A forecast that does not see what the
    effect model sees (who reacts to an offer redeems it) is low just for those whom the plan
    picks; the chance of a conversion under the offer, times what a conversion pays, is not.

    Parameters
    ----------
    cost
        (n,) float64, what the trial's rows cost, currency units.
    conversion
        (n,) 0 or 1, what happened.
    converting
        (n, k) float64, probability of a conversion under each offer, out of fold.

    Returns
    -------
    The model, and the cost of each offer for these rows out of fold, (n, k).

    Notes
    -----
    Non-negative least squares of the cost on both forecasts, over the rows of all offers whose
    cost varies. A row counts by one over its expected cost, as variances of redemptions are in
    proportion to it. `FitParams.cost_credit` redemptions speak for equal parts beforehand. What is
    stacked is then corrected along its own size, and the scale of each offer makes its total come
    true, as `believed_payments` tells it.
    """
    direct = model.direct(rows.matrix, folds=rows.folds)
    if model.redeem is None:
        return model, direct
    lottery, k = rows.lottery, len(model.unit)
    offers = np.flatnonzero(np.isnan(model.unit)).tolist()
    got = {j: np.flatnonzero((lottery.arm == j + 1) & (lottery.weight > 0)) for j in offers}
    per_conversion = np.zeros(k)
    # two rows that ask for equal parts: what is believed before the trial speaks
    credit = rows.params.cost_credit
    sides, target = [credit**0.5 * np.eye(2)], [np.full(2, credit**0.5 / 2)]
    for j, mine in got.items():
        weight, paid, chance = lottery.weight[mine], cost[mine], converting[mine, j]
        conversions = float(weight @ chance)
        per_conversion[j] = float(weight @ paid) / conversions if conversions > 0 else 0.0
        forecasts = np.column_stack([direct[mine, j], chance * per_conversion[j]])
        variance = (forecasts.mean(axis=1) * model.pays[j]).clip(1e-12)
        root = np.sqrt(weight / weight.mean() / variance)
        sides.append(forecasts * root[:, None])
        target.append(paid * root)
    # a negative weight would forecast less for those whom a forecast finds dearer
    stack, _ = nnls(np.concatenate(sides), np.concatenate(target))
    if not rows.params.has("cost_stacking"):
        stack = np.array([1.0, 0.0])
    stacked = replace(model, stack=stack, per_conversion=per_conversion)
    forecast = stack[0] * direct + stack[1] * converting * per_conversion
    if rows.params.has("cost_slope"):
        slope = _slope(forecast, rows, cost=cost, pays=model.pays, got=got)
        stacked = replace(stacked, slope=slope)
    predicted = stacked.slope(forecast)
    scale = np.ones(k)
    for j, mine in got.items():
        weight = lottery.weight[mine]
        due = believed_payments(cost[mine], conversion[mine], converting[mine, j], weight)
        scale[j] = _calibrate(
            due, predicted[mine, j], weight, pays=model.pays[j], credit=credit * model.pays[j]
        )
    stacked = replace(stacked, scale=scale)
    return stacked, stacked.of_direct(direct, converting)


def _slope(
    forecast: FloatArray,
    rows: TrialRows,
    *,
    cost: FloatArray,
    pays: FloatArray,
    got: Mapping[int, IntArray],
) -> CostSlope:
    """Learn how costs follow their forecasts (n, k), from the rows that got each offer."""
    row = np.concatenate([*got.values()])
    offer = np.concatenate([np.full(len(mine), j) for j, mine in got.items()])
    weight = rows.lottery.weight[row]
    return fit_slope(
        forecast[row, offer],
        offer=offer,
        paid=cost[row],
        weight=weight / weight.mean(),
        pays=pays,
        mean=forecast.mean(axis=0).clip(1e-12),
        error=rows.params.cost_slope_error,
    )


def _fit(
    rows: TrialRows,
    downsampled: DownsampledRows,
    *,
    label: FloatArray,
    weight: FloatArray,
    use: BoolArray,
    objective: str,
    seed: int,
) -> CrossFitted:
    """Learn the labels of all rows (n,) from those of the sample that `use` (n,) marks."""
    label, use = label[downsampled.row], use[downsampled.row]
    mass = weight[downsampled.row] * downsampled.stands_for

    def fit_fold(fold: int) -> lgb.Booster:
        outside = downsampled.outside(fold)
        seen = outside[use[outside]]
        # no redemption outside the fold: all of them are better than none to learn from
        seen = seen if len(seen) else np.flatnonzero(use)
        share = float(label[seen].mean()) if objective == "binary" else 1.0
        recipe = rows.recipe(
            _recipe(objective, share, len(seen), rows.params.redemptions_per_leaf)
        )
        data = downsampled.binned.subset(seen)
        return train(data, label=label[seen], weight=mass[seen], recipe=recipe, seed=seed + fold)

    return CrossFitted(tuple(side_by_side(fit_fold, rows.folds.count)))


def _recipe(objective: str, share: float, rows: int, per_leaf: int) -> Recipe:
    wanted = per_leaf / max(share, 1e-6)
    return Recipe(
        objective=objective,
        trees=40,
        leaves=8,
        rate=0.12,
        rows_per_leaf=int(np.clip(wanted, 20, max(rows // 4, 20))),
        l2=5.0,
    )


def _calibrate(
    cost: FloatArray, predicted: FloatArray, weight: FloatArray, *, pays: float, credit: float
) -> float:
    """Return actual over predicted cost of the rows that got an offer, from a cautious start.

    Parameters
    ----------
    pays
        What a redemption costs, currency units.
    credit
        What the start counts, currency units.
    """
    due = max(float(weight @ cost), 0.0)
    return (due + credit) / (float(weight @ predicted) + credit) if pays > 0 else 1.0


def _unit_cost(cost: FloatArray) -> float:
    """Return the cost that all rows share, or NaN when they differ."""
    if not len(cost) or not _is_same(cost, size=max(float(np.abs(cost).max()), 1.0)):
        return float("nan")
    return float(cost[0])


def _is_same(values: FloatArray, *, size: float) -> bool:
    """Return whether values are equal but for rounding, by their size."""
    return float(np.ptp(values)) <= 1e-9 * size


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else 0.0
