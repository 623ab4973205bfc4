"""What buyers spend: the half of incremental spend beside who buys because of an offer.

Spend is zero for most and heavy-tailed for the rest, so its own differences between arms drown
in noise. The probability of buying has no tail; what a buyer spends is learned from all buyers
of all arms, and each arm may multiply it by a factor that is believed as far as it is measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from incentive_engine.domain import BoolArray, FloatArray
from incentive_engine.parallel import side_by_side
from incentive_engine.uplift.boosting.boosting import CrossFitted, Recipe, train
from incentive_engine.uplift.rows import TrialRows

if TYPE_CHECKING:
    import lightgbm as lgb


def fit_value(rows: TrialRows, spend: FloatArray, buys: BoolArray, *, seed: int) -> CrossFitted:
    """Learn what a buyer spends, currency units, from (n,) spends and who buys, over all arms."""
    buyers = np.flatnonzero(buys)
    quantile = (
        float(np.quantile(spend[buyers], rows.params.spend_quantile)) if len(buyers) else 1.0
    )
    cap: float = max(quantile, 1e-6)
    floor = 1e-6 * cap  # refunds count in the factors; the model needs amounts above 0
    amount = np.clip(spend, floor, cap)
    recipe = Recipe(
        objective="gamma",
        trees=60,
        leaves=6,
        rate=0.1,
        rows_per_leaf=max(min(100, len(buyers) // 10), 20),
        l2=5.0,
    )

    def fit_fold(fold: int) -> lgb.Booster:
        outside = rows.downsampled.outside(fold)
        seen = outside[buys[rows.downsampled.row[outside]]]
        seen = seen if len(seen) else outside
        data, row = rows.downsampled.binned.subset(seen), rows.downsampled.row[seen]
        weight = rows.lottery.weight[row].clip(1e-9)
        return train(
            data, label=amount[row], weight=weight, recipe=rows.recipe(recipe), seed=seed + fold
        )

    return CrossFitted(tuple(side_by_side(fit_fold, rows.folds.count)))


def factors(rows: TrialRows, spend: FloatArray, buys: BoolArray, value: FloatArray) -> FloatArray:
    """Return each arm's ratio of spend to predicted value, shrunk towards the common one.

    The common ratio restores the mean that winsorising took. An arm's own ratio is believed in
    proportion to the variance between arms over the total (method of moments).
    """
    arm, weight = rows.lottery.arm, rows.lottery.weight * buys
    cap = np.quantile(spend[buys], rows.params.spend_quantile) if buys.any() else 0.0
    common = _ratio(spend, value, weight)[0]
    arms = rows.lottery.share.shape[1]
    ratios = [_ratio(np.minimum(spend, cap), value, weight * (arm == a)) for a in range(arms)]
    centre = _ratio(np.minimum(spend, cap), value, weight)[0] or 1.0
    departure = np.array([ratio / centre - 1 for ratio, _ in ratios])
    noise = np.array([error / centre for _, error in ratios]) ** 2
    signal = max(float(np.mean(departure**2 - noise)), 0.0)
    belief = signal / (signal + noise + 1e-12)
    return np.asarray(common * (1 + belief * departure))


def _ratio(spend: FloatArray, value: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Return the ratio of two weighted sums and its standard error."""
    total = float(weight @ value)
    if total <= 0:
        return 0.0, 1.0
    ratio = float(weight @ spend) / total
    return ratio, float(np.sqrt(np.square(weight * (spend - ratio * value)).sum())) / total
