"""A bank of trials: each learner on the same halves, with its regret against the row's best.

    python benchmarks/uplift_bank.py [--rows together,few rows,…] [--seeds 2] [--first-seed 0]
        [--final]

Rows are real trials of `../shared/data` (or `$INCENTIVE_DATA`) and markets with known effects. A
row is marked `chosen` where its figures chose the method and its settings; `--final` runs those
that were kept for one judgement at the end, and nothing else. A learner is given half of a real
trial, or a market's trial, and its plans treat 10, 30 or 50 % of the people it has not seen:
increments per 1,000 of these people, doubly robust or by their true effects. On the coupon markets
plans spend 10, 20 or 50 % of what the best plan would, and figures are shares of its gain times
1,000; in `null`, where nothing has an effect, they are what plans at 10, 30 and 50 % of the cost
of all promise per 1,000, as a loss. Regret is the mean over the three of what the best learner
has more. A halved trial shares its people between seeds: `±` is the spread of the regret over
seeds.

The learners that stand beside the engine are plain recipes on LightGBM trees, at settings that
suit small effects: X (60 trees of 4 leaves, a fiftieth of the rows in a leaf), T (60 trees of 8
leaves per arm), DR (60 trees of 4 leaves on doubly robust scores, cross-fitted), and the constant
effect per offer.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from uplift_hard_markets import HARD_MARKETS, HardMarket, draw_hard, hard_trial, policy_of_hard
from uplift_markets import MARKETS, Market, best_plan, draw_people, logged_trial, policy_of
from uplift_real import read_real

from incentive_engine.config.policy import Policy
from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import CONVERSION, FloatArray, IntArray, Matrix
from incentive_engine.uplift.boosting.features import learn_encoder
from incentive_engine.uplift.doubly_robust.plan_value import expected_by_arm, increments
from incentive_engine.uplift.evaluation.price_paths import PlanPath
from incentive_engine.uplift.model import estimate, fit

DATA: Final = Path(os.environ.get("INCENTIVE_DATA", "../shared/data"))
USERS: Final = 50_000
SHARES: Final = (0.1, 0.3, 0.5)
"""Of the people, whom plans treat."""
CHOSE: Final = frozenset(
    [
        *("welfare_wording", "job_corps", "starbucks_train", "together", "few rows"),
        *("few rows, additive", "rare, alike", "jumps", "many levels"),
        "no differences",
        *("ladder", "nominal", "mixed", "patchy", "joint", "even", "rare"),
    ]
)
"""Rows whose figures, at seeds below 4, chose the method."""
KEPT: Final = frozenset(
    [
        *("hillstrom", "thornton_incentive", "large, few features", "heavy tails"),
        *("twenty offers", "hundreds of features", "null"),
    ]
)
"""Rows that no choice was made on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A trial to learn from, people to ask about, and what a plan of given effects brings."""

    trial: Trial
    policy: Policy
    ask: pd.DataFrame
    values: Callable[[FloatArray], list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--final", action="store_true")
    options = parser.parse_args()
    wanted = options.rows.replace(", ", ",_").split(",") if options.rows else []
    names = [name.replace(",_", ", ") for name in _joined(wanted)] or sorted(
        KEPT if options.final else CHOSE
    )
    print("| trial | learner | 10 % | 30 % | 50 % | regret | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        _row(name, range(options.first_seed, options.first_seed + options.seeds))


def _joined(parts: list[str]) -> list[str]:
    """Put names with a comma of their own together again."""
    names: list[str] = []
    for part in parts:
        if part.startswith("_") and names:
            names[-1] += f",{part}"
        else:
            names.append(part)
    return names


def _row(name: str, seeds: range) -> None:
    figures: dict[str, list[list[float]]] = {}
    for seed in seeds:
        case = _case(name, seed)
        for learner, of in LEARNERS.items():
            started = time.perf_counter()
            effect = of(case, seed)
            seconds = time.perf_counter() - started
            figures.setdefault(learner, []).append([*case.values(effect), seconds])
    table = {learner: np.array(found) for learner, found in figures.items()}
    best = np.max([found[:, :3].mean(axis=0) for found in table.values()], axis=0)
    label = f"{name} ({'chosen' if name in CHOSE else 'kept'})"
    for learner, found in table.items():
        regret = (best - found[:, :3]).mean(axis=1)
        spread = f" ± {regret.std(ddof=1) / len(regret) ** 0.5:.1f}" if len(regret) > 1 else ""
        means = " | ".join(f"{value:.1f}" for value in found[:, :3].mean(axis=0))
        print(
            f"| {label} | {learner} | {means} | {regret.mean():.1f}{spread} |"
            f" {found[:, 3].mean():.1f} |",
            flush=True,
        )


def _case(name: str, seed: int) -> Case:
    file = DATA / f"{name}.parquet"
    if file.exists():
        real = read_real(file, half=seed)
        return Case(
            trial=real.learn,
            policy=real.policy,
            ask=real.ask.features,
            values=lambda effect: brought(real.ask, effect),
        )
    hard = [market for market in HARD_MARKETS if market.name == name]
    if hard:
        return _hard(hard[0], seed)
    return _coupons(next(market for market in MARKETS if market.name == name), seed)


def brought(trial: Trial, effect: FloatArray) -> list[float]:
    """Return what plans by effects (n, k) brought per 1,000 people of a trial, doubly robust."""
    observed = increments(trial, CONVERSION, expected_by_arm(trial, CONVERSION, None))
    return [
        1000 * float(observed.per_row(observed.part(plan)).mean()) for plan in plans_of(effect)
    ]


def gained(true: FloatArray, effect: FloatArray) -> list[float]:
    """Return what plans by effects (n, k) truly gain per 1,000 people."""
    given = [(plan, np.flatnonzero(plan >= 0)) for plan in plans_of(effect)]
    return [1000 * float(true[i, plan[i]].sum()) / len(effect) for plan, i in given]


def plans_of(effect: FloatArray) -> list[IntArray]:
    """Return the offer of each person where plans treat `SHARES` of them, each offer at 1."""
    path = PlanPath.of(effect, np.ones(effect.shape), np.ones(effect.shape, dtype=np.bool_))
    return [path.plan(share * len(effect)) for share in SHARES]


def _hard(market: HardMarket, seed: int) -> Case:
    rng = np.random.default_rng(1000 + seed)
    learned = draw_hard(market, market.rows, rng)
    users = draw_hard(market, min(2 * market.rows, USERS), rng)
    return Case(
        trial=hard_trial(market, learned, rng),
        policy=policy_of_hard(market),
        ask=users.features,
        values=lambda effect: gained(users.effect, effect),
    )


def _coupons(market: Market, seed: int) -> Case:
    rng = np.random.default_rng(1000 + seed)
    policy = policy_of(market)
    learned, users = draw_people(market, USERS, rng), draw_people(market, USERS // 2, rng)
    unlimited = float((users.cost * best_plan(users.effect, users.cost, np.inf)).sum())

    def values(effect: FloatArray) -> list[float]:
        if unlimited == 0:
            return [-_claimed(effect, users.cost, share) for share in SHARES]
        shares = []
        for budget in (0.1 * unlimited, 0.2 * unlimited, 0.5 * unlimited):
            most = float((users.effect * best_plan(users.effect, users.cost, budget)).sum())
            gain = float((users.effect * best_plan(effect, users.cost, budget)).sum())
            shares.append(1000 * gain / most if most > 0 else 0.0)
        return shares

    trial = logged_trial(policy.offer_ids, learned, rng)
    return Case(trial=trial, policy=policy, ask=users.features, values=values)


def _claimed(effect: FloatArray, cost: FloatArray, share: float) -> float:
    """Return what a plan that treats a share of the users promises per 1,000, with no effects."""
    path = PlanPath.of(effect, cost, np.ones(effect.shape, dtype=np.bool_))
    plan = path.plan(share * float(cost.mean(axis=1).sum()))
    given = np.flatnonzero(plan >= 0)
    return 1000 * float(effect[given, plan[given]].sum()) / len(effect)


def _engine(case: Case, seed: int) -> FloatArray:
    model = fit(case.trial, case.policy, seed=seed)
    return estimate(model, case.ask, where="users").conversion


def _encoded(case: Case) -> tuple[Matrix, Matrix]:
    encoder = learn_encoder(case.trial.features)
    learn = encoder.encode(case.trial.features, where="trial")
    return learn, encoder.encode(case.ask, where="users")


Predictor = Callable[[Matrix], FloatArray]


def _trees(x: Matrix, y: FloatArray, *, leaves: int, rows: int) -> Predictor:
    model = lgb.LGBMRegressor(
        n_estimators=60,
        num_leaves=leaves,
        learning_rate=0.05,
        reg_lambda=5.0,
        min_child_samples=max(rows, 20),
        n_jobs=1,
        verbose=-1,
    ).fit(x, y)
    return lambda ask: np.asarray(model.predict(ask), dtype=np.float64)


def _x(case: Case, _seed: int) -> FloatArray:
    x, ask = _encoded(case)
    arm, y = case.trial.arm, case.trial.conversion
    control = arm == 0
    of_control = _trees(x[control], y[control], leaves=4, rows=20)
    columns = []
    for offer in range(1, len(case.trial.offers) + 1):
        got = arm == offer
        leaf = int(got.sum() + control.sum()) // 50
        of_offer = _trees(x[got], y[got], leaves=4, rows=20)
        treated = _trees(x[got], y[got] - of_control(x[got]), leaves=4, rows=leaf)
        untreated = _trees(x[control], of_offer(x[control]) - y[control], leaves=4, rows=leaf)
        share = got.sum() / (got.sum() + control.sum())
        columns.append(share * untreated(ask) + (1 - share) * treated(ask))
    return np.column_stack(columns)


def _t(case: Case, _seed: int) -> FloatArray:
    x, ask = _encoded(case)
    arm, y = case.trial.arm, case.trial.conversion
    means = [
        _trees(x[arm == each], y[arm == each], leaves=8, rows=int((arm == each).sum()) // 100)
        for each in range(len(case.trial.offers) + 1)
    ]
    predicted = np.column_stack([mean(ask) for mean in means])
    return np.asarray(predicted[:, 1:] - predicted[:, :1])


def _dr(case: Case, seed: int) -> FloatArray:
    x, ask = _encoded(case)
    arm, y = case.trial.arm.astype(np.int64), case.trial.conversion
    fold = np.random.default_rng(seed).integers(0, 5, len(y))
    k = len(case.trial.offers)
    expected = np.empty((len(y), k + 1))
    for each in range(5):
        for of in range(k + 1):
            seen = (fold != each) & (arm == of)
            model = _trees(x[seen], y[seen], leaves=4, rows=20)
            expected[fold == each, of] = model(x[fold == each])
    rest = (y - expected[np.arange(len(y)), arm]) / case.trial.propensity
    scores = expected[:, 1:] - expected[:, :1]
    got = (arm[:, None] == np.arange(k + 1)).astype(np.float64)
    scores += rest[:, None] * (got[:, 1:] - got[:, :1])
    leaf = len(y) // 50
    return np.column_stack([_trees(x, scores[:, j], leaves=4, rows=leaf)(ask) for j in range(k)])


def _constant(case: Case, _seed: int) -> FloatArray:
    means = expected_by_arm(case.trial, CONVERSION, None)[0]
    return np.tile(means[1:] - means[0], (len(case.ask), 1))


LEARNERS: Final[dict[str, Callable[[Case, int], FloatArray]]] = {
    "this engine": _engine,
    "X": _x,
    "T": _t,
    "DR": _dr,
    "constant": _constant,
}


if __name__ == "__main__":
    main()
