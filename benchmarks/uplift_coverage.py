"""Whether the stated gain of a plan comes true, over many trials whose truth is known.

    python benchmarks/uplift_coverage.py [--trials 60] [--rows 10000] [--markets constant,even]

Per trial a model of conversions is fitted, a plan for 5,000 other users is made from its scores
and the true costs within a budget (share of what the best plan without a budget costs), and its
rule is applied to the trial's rows, where the doubly robust value is compared with the true one.
Columns, per market and budget: the mean error in standard errors (its own noise is 1 / √trials)
and the share of 95 % intervals that hold the truth, for three ways to apply the rule: each fold's
scores at a price at which it spends what it would on one level; all folds on one level; each fold
on its own level at the plan's price.
"""

from __future__ import annotations

import argparse

import numpy as np
from uplift_markets import MARKETS, Draw, Market, best_plan, constant, draw_people, logged_trial
from uplift_markets import policy_of as offers_of

from incentive_engine.data.trial import Trial
from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.uplift.basis import learn_basis
from incentive_engine.uplift.boosting import BinnedRows
from incentive_engine.uplift.chances import fit_chances
from incentive_engine.uplift.features import learn_encoder
from incentive_engine.uplift.folds import draw_folds
from incentive_engine.uplift.intervals import mean_with_interval
from incentive_engine.uplift.ladder import ladders
from incentive_engine.uplift.model import FOLDS
from incentive_engine.uplift.plan_value import increments
from incentive_engine.uplift.randomisation import even_lottery
from incentive_engine.uplift.rows import Rows

BUDGETS = (0.2, 0.5)
USERS = 5_000
SIMPLE = Market(name="constant", base=0.06, effects=constant(0.01))
MINE = {market.name: market for market in (SIMPLE, *MARKETS)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--markets", default="constant,even,ladder")
    options = parser.parse_args()
    print("market     budget   own prices         one level          own levels")
    for name in options.markets.split(","):
        runs = [_run(MINE[name], options.rows, seed) for seed in range(options.trials)]
        errors = np.array(runs)  # (trials, budgets, ways)
        for at, budget in enumerate(BUDGETS):
            mean = errors[:, at].mean(axis=0)
            covered = (np.abs(errors[:, at]) <= 1.96).mean(axis=0)
            ways = zip(mean, covered, strict=True)
            figures = "".join(f"{error:+9.2f} {share:8.1%}" for error, share in ways)
            print(f"{name:10} {budget:6.0%} {figures}", flush=True)


def _run(market: Market, rows: int, seed: int) -> list[list[float]]:
    """Return stated minus true gain in standard errors, per budget and kind of scores."""
    rng = np.random.default_rng(5000 + seed)
    policy = offers_of(market)
    learned, users = draw_people(market, rows, rng), draw_people(market, USERS, rng)
    trial = logged_trial(policy.offer_ids, learned, rng)
    known = _rows(trial, seed)
    chances = fit_chances(known, event=trial.conversion, rungs=ladders(policy.offers), seed=seed)
    encoder = learn_encoder(trial.features)
    matrix = encoder.encode(users.features, where="users")
    phi = learn_basis(known.matrix, encoder)(matrix)
    scores = chances.effects.predict(matrix, phi, folds=None)
    mine = chances.predict(known.matrix, known.phi, known.lottery.share, folds=known.folds)
    apart = chances.effects.predict(known.matrix, known.phi, folds=known.folds)
    unlimited = float((users.cost * best_plan(scores, users.cost, np.inf)).sum())
    errors = []
    for budget in BUDGETS:
        price = _price(scores, users.cost, budget * unlimited)
        level, own = (_choice(e, learned.cost, price) for e in (mine.effect, apart))
        fair = np.full(rows, -1)
        for _, inside in known.folds:
            cost = learned.cost[inside]
            spent = cost[level[inside] >= 0, level[inside][level[inside] >= 0]].sum()
            fair[inside] = _choice(apart[inside], cost, _price(apart[inside], cost, spent))
        ways = (fair, level, own)
        errors.append([_error(choice, mine.by_arm, trial, learned) for choice in ways])
    return errors


def _rows(trial: Trial, seed: int) -> Rows:
    encoder = learn_encoder(trial.features)
    matrix = encoder.encode(trial.features, where="trial")
    basis = learn_basis(matrix, encoder)
    return Rows(
        matrix=matrix,
        binned=BinnedRows(matrix),
        phi=basis(matrix),
        columns=basis.columns,
        lottery=even_lottery(trial, ()),
        folds=draw_folds(trial.user_id, count=FOLDS, rng=np.random.default_rng(seed)),
    )


def _choice(effect: FloatArray, cost: FloatArray, price: float) -> IntArray:
    gain = effect - price * cost
    return np.where(gain.max(axis=1) > 0, gain.argmax(axis=1), -1)


def _error(choice: IntArray, means: FloatArray, trial: Trial, truth: Draw) -> float:
    stated = mean_with_interval(increments(trial, trial.conversion, means, choice))
    given = np.flatnonzero(choice >= 0)
    brought = float(truth.effect[given, choice[given]].sum()) / len(choice)
    error = stated.standard_error
    return (stated.estimate - brought) / error if error > 0 else 0.0


def _price(effect: FloatArray, cost: FloatArray, budget: float) -> float:
    low, high = 0.0, 10.0
    for _ in range(60):
        price = (low + high) / 2
        gain = effect - price * cost
        best = gain.argmax(axis=1)
        spent = cost[np.arange(len(best)), best][gain.max(axis=1) > 0].sum()
        low, high = (price, high) if spent > budget else (low, price)
    return high


if __name__ == "__main__":
    main()
