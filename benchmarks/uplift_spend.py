"""What plans for incremental spend earn where the truth is known, against learning spend as it is.

    python benchmarks/uplift_spend.py [--rows 50000] [--seeds 4] [--markets ladder,nominal,even]
        [--python /path/to/python] [--keep DIR]

Purchases are rare and their amounts heavy-tailed (log-normal, standard deviation 0.9 of the
logarithm around what the buyer usually spends); deeper offers also raise what a purchase brings,
by up to a tenth. The first line is the engine; "raw" learners see the spend of each row as it is,
"cut" ones see it cut at the 99.5 % quantile of purchases. Columns: the plan's true incremental
spend at 20 % of the best plan's cost as a share of the oracle's; ours minus it, paired by seed,
with its standard error; promised over true spend.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from peer_runs import Peers
from uplift_markets import MARKETS, Draw, Market, best_plan, draw_people, logged_trial, policy_of

from incentive_engine.config.policy import Policy
from incentive_engine.data.trials.trial import Trial
from incentive_engine.data.users import UserTable
from incentive_engine.domain import FloatArray
from incentive_engine.uplift.model import fit, predict

BASKET = np.array([1.0, 1.0, 1.03, 1.06, 1.1])
"""What each arm multiplies the amount of a purchase by."""
LEARNERS = ("causalml T usual", "causalml X regularised", "econml DR regularised")
BUDGET = 0.2
OURS = "this engine"


def main() -> None:
    options = _options()
    peers = Peers(
        learners=LEARNERS,
        pythons={"python": options.python},
        seconds=600.0,
        gigabytes=10.0,
        keep=options.keep,
    )
    for market in MARKETS:
        if market.name in options.markets.split(","):
            _world(market, options.rows, options.seeds, peers)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--markets", default="ladder,nominal,even")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--keep", type=Path)
    return parser.parse_args()


def _world(market: Market, rows: int, seeds: int, peers: Peers) -> None:
    figures: dict[str, list[tuple[float, float]]] = {}
    for seed in range(seeds):
        rng = np.random.default_rng(2000 + seed)
        policy = policy_of(market)
        learned, users = draw_people(market, rows, rng), draw_people(market, rows // 2, rng)
        trial = logged_trial(policy.offer_ids, learned, rng)
        trial = replace(trial, spend=trial.spend * BASKET[trial.arm])
        for learner, effect in _effects(trial, policy, users.features, seed, peers):
            figures.setdefault(learner, []).append(_judged(effect, users))
    print(f"\n{market.name}, {rows:,} rows, {seeds} seeds")
    print(f"{'':38} {'oracle share':>13} {'ours minus it':>16} {'promise ÷ truth':>16}")
    for learner, found in figures.items():
        share, promise = np.array(found).T
        gaps = np.array(figures[OURS])[:, 0] - share
        error = gaps.std(ddof=1) / np.sqrt(len(gaps)) if len(gaps) > 1 else np.nan
        ahead = "" if learner == OURS else f"{gaps.mean():+.3f} ± {error:.3f}"
        print(f"{learner:38} {share.mean():13.3f} {ahead:>16} {promise.mean():16.2f}", flush=True)


def _judged(effect: FloatArray, users: Draw) -> tuple[float, float]:
    """Return the plan's true spend over the oracle's, and promised over true spend."""
    amount = users.value[:, None] * BASKET
    truth = (users.base[:, None] + users.effect) * amount[:, 1:] - (users.base * amount[:, 0])[
        :, None
    ]
    unlimited = float((users.cost * best_plan(truth, users.cost, np.inf)).sum())
    oracle = float((truth * best_plan(truth, users.cost, BUDGET * unlimited)).sum())
    plan = best_plan(effect, users.cost, BUDGET * unlimited)
    gain = float((truth * plan).sum())
    return gain / oracle, float((effect * plan).sum()) / gain if gain > 0 else np.nan


def _effects(
    trial: Trial, policy: Policy, ask: pd.DataFrame, seed: int, peers: Peers
) -> Iterator[tuple[str, FloatArray]]:
    """Yield effects on spend (n, k) by every learner, ours first."""
    people = UserTable(user_id=pd.Series(range(len(ask))), features=ask)
    table = predict(fit(trial, policy, seed=seed), people, policy)
    yield OURS, table[[f"spend__{offer}" for offer in policy.offer_ids]].to_numpy()
    cap = float(np.quantile(trial.spend[trial.spend > 0], 0.995))
    for name, spend in (("raw", trial.spend), ("cut", np.minimum(trial.spend, cap))):
        means = np.array([spend[trial.arm == arm].mean() for arm in range(len(BASKET))])
        yield f"constant, {name}", np.tile(means[1:] - means[0], (len(ask), 1))
        case = f"spend-{name}-{policy.name}-{trial.n_rows}-{seed}"
        for answer in peers.answers(replace(trial, conversion=spend), ask, case):
            yield f"{answer.learner}, {name}", answer.effect


if __name__ == "__main__":
    main()
