"""What plans made from the uplift model earn in markets whose effects are known.

    python benchmarks/uplift_worlds.py [--rows 200000] [--seeds 3] [--markets ladder,patchy]

Columns, per budget (share of what the best plan without a budget costs): the plan's true gain as
a share of the oracle's, the same for the constant effect per offer, and the gain that the model's
scores promise over the true one. All plans use the true costs, so that they spend the same. Then
the heterogeneity test's statistic, whether the doubly robust 95 % interval of the plan covers its
truth, and seconds to fit and to predict.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from uplift_markets import MARKETS, Draw, Market, best_plan, draw_people, logged_trial, policy_of

from incentive_engine.data.trials.trial import Trial
from incentive_engine.data.users import UserTable
from incentive_engine.domain import FloatArray
from incentive_engine.uplift.doubly_robust.plan_value import plan_value
from incentive_engine.uplift.model import EffectModel, fit, predict

BUDGETS = (0.1, 0.2, 0.5)


def main() -> None:
    options = _options()
    chosen = [market for market in MARKETS if market.name in options.markets.split(",")]
    print(
        f"{'market':8} {'oracle share 10/20/50 %':>24} {'constant':>21} {'promise ÷ truth':>18}"
        f" {'test':>6} {'covered':>8} {'fit s':>6} {'predict s':>10}"
    )
    for market in chosen:
        runs = np.array([_run(market, options.rows, seed) for seed in range(options.seeds)])
        mean = runs.mean(axis=0)
        ours, constant, promise = (
            "  ".join(f"{value:.3f}" for value in part)
            for part in (mean[0:3], mean[3:6], mean[6:9])
        )
        print(
            f"{market.name:8} {ours:>24} {constant:>21} {promise:>18} {mean[9]:6.1f}"
            f" {runs[:, 10].sum():5.0f}/{len(runs)} {mean[11]:6.1f} {mean[12]:10.2f}",
            flush=True,
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--markets", default=",".join(market.name for market in MARKETS))
    return parser.parse_args()


def _run(market: Market, rows: int, seed: int) -> list[float]:
    rng = np.random.default_rng(1000 + seed)
    policy = policy_of(market)
    learned, users = draw_people(market, rows, rng), draw_people(market, rows // 2, rng)
    trial = logged_trial(policy.offer_ids, learned, rng)
    started = time.perf_counter()
    model = fit(trial, policy, seed=seed)
    fitted = time.perf_counter()
    people = UserTable(user_id=pd.Series(range(len(users.base))), features=users.features)
    table = predict(model, people, policy)
    predicted = time.perf_counter()
    effect = table[[f"conversion__{offer}" for offer in policy.offer_ids]].to_numpy()
    averages = model.models.converting.effects.averages.effect
    constant = np.tile(averages, (len(effect), 1))
    shares, promises = _shares(effect, users)
    statistic = model.models.converting.effects.test.statistic
    covered = _covered(model, trial, learned)
    seconds = [fitted - started, predicted - fitted]
    return [*shares, *_shares(constant, users)[0], *promises, statistic, covered, *seconds]


def _shares(effect: FloatArray, users: Draw) -> tuple[list[float], list[float]]:
    """Return true gain over the oracle's, and promised over true gain, at each budget."""
    unlimited = float((users.cost * best_plan(users.effect, users.cost, np.inf)).sum())
    shares, promises = [], []
    for budget in BUDGETS:
        oracle = (users.effect * best_plan(users.effect, users.cost, budget * unlimited)).sum()
        plan = best_plan(effect, users.cost, budget * unlimited)
        gain = (users.effect * plan).sum()
        shares.append(float(gain / oracle) if oracle > 0 else np.nan)
        promises.append(float((effect * plan).sum() / gain) if gain > 0 else np.nan)
    return shares, promises


def _covered(model: EffectModel, trial: Trial, learned: Draw) -> float:
    """Return 1 when the interval of the plan for the trial's rows holds its true gain."""
    effect = model.out_of_fold.estimates.conversion
    unlimited = float((learned.cost * best_plan(learned.effect, learned.cost, np.inf)).sum())
    plan = best_plan(effect, learned.cost, 0.2 * unlimited)
    choice = np.where(plan.any(axis=1), plan.argmax(axis=1), -1)
    stated = plan_value(trial, model.out_of_fold.estimates, choice).conversion
    truth = float((learned.effect * plan).sum()) / len(plan)
    return float(stated.low <= truth <= stated.high)


if __name__ == "__main__":
    main()
