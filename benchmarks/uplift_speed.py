"""Seconds and peak memory of checking, fitting, judging and scoring, beside public learners.

    python benchmarks/uplift_speed.py [--rows 1000000] [--features 30] [--users 1000000]
        [--market ladder] [--python PYTHON] [--learners "causalml X regularised,…"]

Control and four offers; features are the market's 16 and further noise. `--python` names an
interpreter that has the libraries of `requirements-peers.txt`; without it no peer is run. A peer
fits and predicts conversions, on two threads as ours does; ours also learns spend, costs and
intervals, checks the trial and judges itself out of fold. The share of the oracle is the plan's
true gain at 20 % of the budget that the best plan would use; memory is each process's own peak,
ours with the making of the data.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from peer_learners import peak_gigabytes
from uplift_markets import MARKETS, Draw, best_plan, draw_people, logged_trial, policy_of

from incentive_engine.data.trials.trial import Trial
from incentive_engine.data.users import UserTable
from incentive_engine.domain import FloatArray
from incentive_engine.uplift.boosting.features import learn_encoder
from incentive_engine.uplift.diagnosis.diagnose import diagnose
from incentive_engine.uplift.evaluation.evaluation import evaluate
from incentive_engine.uplift.model import fit, predict

Result = TypeVar("Result")
PEERS = "causalml X regularised,econml DR regularised,causalml T usual"


def main() -> None:
    options = _options()
    rng = np.random.default_rng(0)
    market = next(each for each in MARKETS if each.name == options.market)
    policy = policy_of(market)
    learned, asked = (
        _with_noise(draw_people(market, n, rng), options.features, rng)
        for n in (options.rows, options.users)
    )
    trial = logged_trial(policy.offer_ids, learned, rng)
    users = UserTable(user_id=pd.Series(range(options.users)), features=asked.features)
    rows, columns = trial.features.shape
    print(f"{market.name}: {rows:,} rows × {columns} features, {options.users:,} users")
    print(f"{'':26} seconds  peak GB  share of oracle")
    _line("data", "", peak_gigabytes())
    seconds = [_timed("  check", lambda: diagnose(trial, policy))[1]]
    model, spent = _timed("  fit", lambda: fit(trial, policy, seed=0))
    seconds.append(spent)
    seconds.append(_timed("  evaluate", lambda: evaluate(model, trial, policy))[1])
    table, spent = _timed("  score", lambda: predict(model, users, policy))
    effect = table[[f"conversion__{offer}" for offer in policy.offer_ids]].to_numpy()
    _line("this engine", sum(seconds) + spent, peak_gigabytes(), _share(effect, asked))
    averages = model.models.converting.effects.averages.effect
    _line("constant effect", "", 0.0, _share(np.tile(averages, (options.users, 1)), asked))
    if options.python:
        _peers(options.python, options.learners.split(","), trial, asked)


def _with_noise(draw: Draw, features: int, rng: np.random.Generator) -> Draw:
    """Return the people with further features that tell nothing, so many in all."""
    shape = (len(draw.base), max(features - draw.features.shape[1], 0))
    noise = pd.DataFrame(rng.normal(size=shape).astype(np.float32), copy=False)
    wide = pd.concat([draw.features, noise.add_prefix("further")], axis=1)
    return replace(draw, features=wide)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=30)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--market", default="ladder")
    parser.add_argument("--python", default="")
    parser.add_argument("--learners", default=PEERS)
    return parser.parse_args()


def _timed(name: str, task: Callable[[], Result]) -> tuple[Result, float]:
    started, busy = time.perf_counter(), time.process_time()
    found = task()
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    _line(f"{name}, {busy:.1f} s of CPU", seconds, peak_gigabytes())
    return found, seconds


def _line(name: str, seconds: float | str, gigabytes: float, share: float | None = None) -> None:
    spent = f"{seconds:7.1f}" if isinstance(seconds, float) else f"{seconds:>7}"
    memory = f"{gigabytes:8.2f}" if gigabytes else f"{'':8}"
    print(f"{name:26} {spent} {memory} {'' if share is None else f'{share:10.3f}'}", flush=True)


def _share(effect: FloatArray, asked: Draw) -> float:
    """Return a plan's true gain over that of the best plan, both within the same budget."""
    budget = 0.2 * float((asked.cost * best_plan(asked.effect, asked.cost, np.inf)).sum())
    mine, best = (best_plan(each, asked.cost, budget) for each in (effect, asked.effect))
    return float((asked.effect * mine).sum()) / float((asked.effect * best).sum())


def _peers(python: str, learners: list[str], trial: Trial, asked: Draw) -> None:
    script = Path(__file__).with_name("peer_learners.py")
    encoder = learn_encoder(trial.features)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        x = encoder.encode(trial.features, where="trial").astype(np.float64)
        arm = trial.arm.astype(np.int64)
        np.savez(directory / "learn.npz", x=x, arm=arm, y=trial.conversion)
        ask = encoder.encode(asked.features, where="users").astype(np.float64)
        np.savez(directory / "ask.npz", x=ask)
        for learner in learners:
            command = [python, "-W", "ignore", str(script), str(directory), learner]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                why = (done.stdout + done.stderr).strip().splitlines()[-1:]
                print(f"{learner}: left out, {why}", flush=True)
                continue
            cost = json.loads((directory / "cost.json").read_text())
            effect = np.load(directory / "effect.npy")
            label = f"{learner}, {cost['cpu']:.1f} s of CPU"
            _line(label, cost["seconds"], cost["gigabytes"], _share(effect, asked))


if __name__ == "__main__":
    main()
