"""Our learner, the constant effect and public libraries on the same data, in one run.

    python benchmarks/uplift_peers.py [--rows 50000] [--seeds 2]
        [--markets ladder,nominal,even,rare]
        [--data hillstrom.parquet,starbucks_train.parquet,thornton_incentive.parquet]
        [--python econml=/path/to/python --python causalml=/path/to/python …]

The libraries come with `pip install -r benchmarks/requirements-peers.txt`, into this environment
or into others that `--python LIBRARY=PATH` names; one that cannot be imported is named and left
out.

On worlds with known truth: the plan's true gain at 10, 20 and 50 % of the budget that the best
plan would use, as a share of the oracle's; promised over true gain at 20 %; seconds; peak memory.
Plans use the true costs. On real trials: half is learned from, and the plan that treats a fifth of
the other half is valued there, doubly robust with arm means, with its 95 % interval.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from peer_learners import LEARNERS, NOT_INSTALLED, peak_gigabytes
from uplift_markets import MARKETS, Draw, Market, best_plan, draw_people, logged_trial, policy_of
from uplift_real import Real, read_real

from incentive_engine.config import Policy
from incentive_engine.data.trial import Trial
from incentive_engine.data.users import UserTable
from incentive_engine.domain import FloatArray
from incentive_engine.uplift.features import learn_encoder
from incentive_engine.uplift.model import fit, predict
from incentive_engine.uplift.plan_value import plan_value
from incentive_engine.uplift.plans import PlanPath

OURS, CONSTANT = "this engine", "constant effect"
BUDGETS = (0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """One learner's (n, k) effects for the people asked about, and what they took."""

    learner: str
    effect: FloatArray
    seconds: float
    gigabytes: float


def main() -> None:
    options = _options()
    pythons = dict(pair.split("=", 1) for pair in options.python)
    for market in MARKETS:
        if market.name in options.markets.split(","):
            _world(market, options.rows, options.seeds, pythons)
    for path in filter(None, options.data.split(",")):
        _real(read_real(Path(path)), pythons)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--markets", default="ladder,nominal,even,rare")
    parser.add_argument("--data", default="")
    parser.add_argument("--python", action="append", default=[])
    return parser.parse_args()


def _world(market: Market, rows: int, seeds: int, pythons: dict[str, str]) -> None:
    figures: dict[str, list[list[float]]] = {}
    for seed in range(seeds):
        rng = np.random.default_rng(1000 + seed)
        policy = policy_of(market)
        learned, users = draw_people(market, rows, rng), draw_people(market, rows // 2, rng)
        trial = logged_trial(policy.offer_ids, learned, rng)
        for answer in _answers(trial, policy, users.features, seed, pythons):
            figures.setdefault(answer.learner, []).append(_judged(answer, users))
    print(f"\n{market.name}, {rows:,} rows, {seeds} seeds")
    print(f"{'':38} {'oracle share 10/20/50 %':>24} {'promise ÷ truth':>16} {'s':>7} {'GB':>6}")
    for learner, found in figures.items():
        mean = np.mean(found, axis=0)
        shares = "  ".join(f"{share:.3f}" for share in mean[:3])
        print(
            f"{learner:38} {shares:>24} {mean[3]:16.2f} {mean[4]:7.1f} {mean[5]:6.2f}", flush=True
        )


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


def _real(real: Real, pythons: dict[str, str]) -> None:
    print(f"\n{real.name}: learned from {real.learn.n_rows:,} rows, valued on {real.ask.n_rows:,}")
    print(f"{'':38} {'conversions per 1,000, treating a fifth':>42} {'s':>7} {'GB':>6}")
    n, k = real.ask.n_rows, len(real.ask.offers)
    everybody, one = np.ones((n, k), dtype=np.bool_), np.ones((n, k))
    for answer in _answers(real.learn, real.policy, real.ask.features, 0, pythons):
        choice = PlanPath.of(answer.effect, one, everybody).plan(0.2 * n)
        gain = plan_value(real.ask, None, choice).conversion
        low, high = 1000 * gain.low, 1000 * gain.high
        text = f"{1000 * gain.estimate:.2f} ({low:.2f} to {high:.2f})"
        print(
            f"{answer.learner:38} {text:>42} {answer.seconds:7.1f} {answer.gigabytes:6.2f}",
            flush=True,
        )


def _answers(
    trial: Trial, policy: Policy, ask: pd.DataFrame, seed: int, pythons: dict[str, str]
) -> Iterator[Answer]:
    """Yield the effects of every learner that is installed, ours and the constant first."""
    started = time.perf_counter()
    model = fit(trial, policy, seed=seed)
    people = UserTable(user_id=pd.Series(range(len(ask))), features=ask)
    table = predict(model, people, policy)
    seconds = time.perf_counter() - started
    effect = table[[f"conversion__{offer}" for offer in policy.offer_ids]].to_numpy()
    peak = peak_gigabytes()
    yield Answer(learner=OURS, effect=effect, seconds=seconds, gigabytes=peak)
    averages = model.models.converting.effects.averages.effect
    constant = np.tile(averages, (len(ask), 1))
    yield Answer(learner=CONSTANT, effect=constant, seconds=0.0, gigabytes=0.0)
    with tempfile.TemporaryDirectory() as directory:
        encoder = learn_encoder(trial.features)
        np.savez(
            Path(directory) / "learn.npz",
            x=encoder.encode(trial.features, where="trial").astype(np.float64),
            arm=trial.arm.astype(np.int64),
            y=trial.conversion,
        )
        asked = encoder.encode(ask, where="users").astype(np.float64)
        np.savez(Path(directory) / "ask.npz", x=asked)
        for learner in LEARNERS:
            python = pythons.get(learner.split(" ", maxsplit=1)[0], sys.executable)
            if (answer := _peer(learner, python, Path(directory))) is not None:
                yield answer


def _peer(learner: str, python: str, directory: Path) -> Answer | None:
    script = Path(__file__).with_name("peer_learners.py")
    command = [python, "-W", "ignore", str(script), str(directory), learner]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == NOT_INSTALLED:
        print(f"{learner}: left out, {done.stdout.strip()}")
        return None
    if done.returncode:
        print(f"{learner}: left out, it failed: {done.stderr.strip().splitlines()[-1:]}")
        return None
    cost = json.loads((directory / "cost.json").read_text())
    return Answer(learner=learner, effect=np.load(directory / "effect.npy"), **cost)


if __name__ == "__main__":
    main()
