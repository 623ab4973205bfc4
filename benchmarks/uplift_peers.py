"""Our learner, the constant effect and public libraries on the same data, in one run.

    python benchmarks/uplift_peers.py [--rows 50000] [--seeds 4] [--first-seed 0]
        [--markets ladder,nominal,even,rare] [--learners regularised]
        [--data hillstrom.parquet,starbucks_train.parquet,thornton_incentive.parquet] [--halves 2]
        [--python /path/to/python --python econml=/path/to/python …]
        [--keep DIR] [--limit-seconds 1800] [--limit-gigabytes 10]

The libraries come with `pip install -r benchmarks/requirements-peers.txt`, into this environment
or into another that `--python PATH`, or `--python LIBRARY=PATH` for one of them, names; one that
cannot be imported is named and left out. `--learners` takes those whose name has the text.
`--keep` stores the peers' answers, so that a later run need not fit them again.

On worlds with known truth: the plan's true gain at 10, 20 and 50 % of the budget that the best
plan would use, as a share of the oracle's; ours minus the learner's at 20 %, paired by seed, with
its standard error; promised over true gain at 20 %; seconds; peak memory. Plans use the true
costs. On real trials: half is learned from, and the plan that treats 10, 20 or 50 % of the other
half is valued there, doubly robust with arm means, which is averaged over the halves (0 and 1 are
a split, both ways); ours minus the learner's at 20 %, and the standard errors of this and of the
value itself. Halves share their people, so errors are of people: what each of them brings is
averaged over the halves that ask about them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from peer_learners import LEARNERS, peak_gigabytes
from peer_runs import Answer, Peers
from uplift_markets import MARKETS, Draw, Market, best_plan, draw_people, logged_trial, policy_of
from uplift_real import read_real

from incentive_engine.config.policy import Policy
from incentive_engine.data.trials.trial import Trial
from incentive_engine.data.users import UserTable
from incentive_engine.domain import CONVERSION, FloatArray
from incentive_engine.uplift.doubly_robust.plan_value import expected_by_arm, increments
from incentive_engine.uplift.evaluation.price_paths import PlanPath
from incentive_engine.uplift.model import fit, predict

MOST_ASKED = 100_000
"""People asked about in a world; more make the truth no clearer."""
OURS, CONSTANT = "this engine", "constant effect"
BUDGETS = (0.1, 0.2, 0.5)
TREATED = (0.1, 0.2, 0.5)


def main() -> None:
    options = _options()
    peers = _peers(options)
    for market in MARKETS:
        if market.name in options.markets.split(","):
            seeds = range(options.first_seed, options.first_seed + options.seeds)
            _world(market, options.rows, seeds, peers)
    for path in filter(None, options.data.split(",")):
        _real(Path(path), options.halves, peers)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--markets", default="ladder,nominal,even,rare")
    parser.add_argument("--learners", default="")
    parser.add_argument("--data", default="")
    parser.add_argument("--halves", type=int, default=2)
    parser.add_argument("--python", action="append", default=[])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--limit-seconds", type=float, default=1800.0)
    parser.add_argument("--limit-gigabytes", type=float, default=10.0)
    return parser.parse_args()


def _peers(options: argparse.Namespace) -> Peers:
    named = [text if "=" in text else f"python={text}" for text in options.python]
    return Peers(
        learners=tuple(learner for learner in LEARNERS if options.learners in learner),
        pythons={"python": sys.executable, **dict(pair.split("=", 1) for pair in named)},
        seconds=options.limit_seconds,
        gigabytes=options.limit_gigabytes,
        keep=options.keep,
    )


def _world(market: Market, rows: int, seeds: range, peers: Peers) -> None:
    figures: dict[str, dict[int, list[float]]] = {}
    for seed in seeds:
        rng = np.random.default_rng(1000 + seed)
        policy = policy_of(market)
        learned = draw_people(market, rows, rng)
        users = draw_people(market, min(rows // 2, MOST_ASKED), rng)
        trial = logged_trial(policy.offer_ids, learned, rng)
        case = f"{market.name}-{rows}-{seed}"
        for answer in _answers(trial, policy, users.features, peers, seed=seed, case=case):
            figures.setdefault(answer.learner, {})[seed] = _judged(answer, users)
    print(f"\n{market.name}, {rows:,} rows, {len(seeds)} seeds")
    print(
        f"{'':38} {'oracle share 10/20/50 %':>24} {'ours minus it':>16} {'promise ÷ truth':>16}"
        f" {'s':>7} {'GB':>6}"
    )
    for learner, found in figures.items():
        print(_line(learner, found, figures[OURS]), flush=True)


def _line(learner: str, found: dict[int, list[float]], ours: dict[int, list[float]]) -> str:
    mean = np.mean(list(found.values()), axis=0)
    shares = "  ".join(f"{share:.3f}" for share in mean[:3])
    gaps = np.array([ours[seed][1] - found[seed][1] for seed in found])
    error = f" ± {gaps.std(ddof=1) / np.sqrt(len(gaps)):.3f}" if len(gaps) > 1 else ""
    ahead = "" if learner == OURS else f"{gaps.mean():+.3f}{error}"
    few = "" if len(found) == len(ours) else f" ({len(found)} seeds)"
    cost = f"{mean[4]:7.1f} {mean[5]:6.2f}"
    return f"{learner + few:38} {shares:>24} {ahead:>16} {mean[3]:16.2f} {cost}"


def _judged(answer: Answer, users: Draw) -> list[float]:
    unlimited = float((users.cost * best_plan(users.effect, users.cost, np.inf)).sum())
    shares, promise = [], np.nan
    for budget in BUDGETS:
        oracle = (users.effect * best_plan(users.effect, users.cost, budget * unlimited)).sum()
        plan = best_plan(answer.effect, users.cost, budget * unlimited)
        gain = float((users.effect * plan).sum())
        shares.append(gain / float(oracle) if oracle > 0 else np.nan)
        if budget == 0.2 and gain > 0:
            promise = float((answer.effect * plan).sum()) / gain
    return [*shares, promise, answer.seconds, answer.gigabytes]


def _real(path: Path, halves: int, peers: Peers) -> None:
    figures: dict[str, list[list[float]]] = {}
    gained: dict[str, FloatArray] = {}
    for half in range(halves):
        real = read_real(path, half=half)
        case = f"{real.name}-half-{half}"
        people = real.ask.features
        for answer in _answers(real.learn, real.policy, people, peers, seed=half // 2, case=case):
            gains = [_gained(real.ask, answer.effect, share) for share in TREATED]
            means = [1000 * float(gain.mean()) for gain in gains]
            cost = [answer.seconds, answer.gigabytes]
            figures.setdefault(answer.learner, []).append([*means, *cost])
            total = gained.setdefault(answer.learner, np.zeros(len(real.asked)))
            total[real.asked] += gains[1] * 2 / halves
    print(
        f"\n{path.stem}, {halves} halves of {len(real.asked):,} rows: conversions per 1,000 people"
    )
    print(
        f"{'':38} {'treating 10/20/50 %':>22} {'ours minus it':>16} {'all, error':>11}"
        f" {'s':>7} {'GB':>6}"
    )
    for learner, found in figures.items():
        mean = np.mean(found, axis=0)
        values = "  ".join(f"{value:.2f}" for value in mean[:3])
        ahead = "" if learner == OURS else _ahead(gained[OURS], gained[learner])
        error = 1000 * gained[learner].std(ddof=1) / np.sqrt(len(gained[learner]))
        print(
            f"{learner:38} {values:>22} {ahead:>16} {error:11.2f} {mean[3]:7.1f} {mean[4]:6.2f}",
            flush=True,
        )


def _gained(trial: Trial, effect: FloatArray, share: float) -> FloatArray:
    """Return what treating a share of the people by their effects brings each of them, (n,)."""
    n, k = effect.shape
    everybody, one = np.ones((n, k), dtype=np.bool_), np.ones((n, k))
    choice = PlanPath.of(effect, one, everybody).plan(share * n)
    found = increments(trial, CONVERSION, expected_by_arm(trial, CONVERSION, None))
    return found.per_row(found.part(choice))


def _ahead(ours: FloatArray, theirs: FloatArray) -> str:
    """Return the mean difference per 1,000 people, with its standard error."""
    gap = 1000 * (ours - theirs)
    return f"{gap.mean():+.2f} ± {gap.std(ddof=1) / np.sqrt(len(gap)):.2f}"


def _answers(
    trial: Trial, policy: Policy, ask: pd.DataFrame, peers: Peers, *, seed: int, case: str
) -> Iterator[Answer]:
    """Yield the effects of every learner, ours and the constant first."""
    _forget_peak()
    started = time.perf_counter()
    model = fit(trial, policy, seed=seed)
    people = UserTable(user_id=pd.Series(range(len(ask))), features=ask)
    table = predict(model, people, policy)
    seconds = time.perf_counter() - started
    effect = table[[f"conversion__{offer}" for offer in policy.offer_ids]].to_numpy()
    yield Answer(learner=OURS, effect=effect, seconds=seconds, gigabytes=peak_gigabytes())
    averages = model.models.converting.effects.averages.effect
    constant = np.tile(averages, (len(ask), 1))
    yield Answer(learner=CONSTANT, effect=constant, seconds=0.0, gigabytes=0.0)
    yield from peers.answers(trial, ask, case)


def _forget_peak() -> None:
    """Let the peak of memory start anew; the data stand in this process already."""
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    main()
