"""What plans made from the uplift model earn on the built-in sample campaign.

    python benchmarks/uplift_sample.py [--policy policies/double11.yaml] [--seeds 3]

Per seed of the sample and budget (share of what the best plan without a budget costs): the true
weighted gain as a share of the oracle's, for the model and for the constant effect per offer, with
the model's own costs; promised over true gain; true over budgeted cost; and seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from uplift_markets import best_plan

from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.inputs import Sample
from incentive_engine.config.policy import Policy
from incentive_engine.data.sources import open_source
from incentive_engine.data.trials.trial import Trial, read_trial
from incentive_engine.data.users import UserTable, open_users
from incentive_engine.domain import FloatArray
from incentive_engine.synthetic.sample import sample_campaign
from incentive_engine.uplift.model import fit, predict
from incentive_engine.uplift.trial_design import reachable

BUDGETS = (0.1, 0.2, 0.5)
MEMBER_WEIGHT = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", type=Path, default=Path("policies/double11.yaml"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    policy = load_policy(options.policy)
    print("seed budget   model constant promise÷truth cost÷budget   fit s predict s")
    for seed in range(options.seeds):
        _run(policy, seed)


def _run(policy: Policy, seed: int) -> None:
    assert policy.data.sample is not None
    sample = policy.data.sample.model_copy(update={"seed": seed})
    users, trial, truth = _campaign(sample, policy)
    started = time.perf_counter()
    model = fit(trial, policy, seed=seed)
    fitted = time.perf_counter()
    table = predict(model, users, policy)
    predicted = time.perf_counter()
    reach = reachable(users.features, policy.offer_ids, policy.eligibility)
    member = users.features["tier"].eq("88VIP").to_numpy()
    weight = np.where(reach, np.where(member, MEMBER_WEIGHT, 1.0)[:, None], 0.0)
    effect, cost = _matrix(truth, "conversion", policy), _matrix(truth, "cost", policy)
    ours, paid = _matrix(table, "conversion", policy), _matrix(table, "cost", policy)
    constant = np.tile(model.models.converting.effects.averages.effect, (len(effect), 1))
    unlimited = float((cost * best_plan(weight * effect, cost, np.inf)).sum())
    for share in BUDGETS:
        budget = share * unlimited
        oracle = (weight * effect * best_plan(weight * effect, cost, budget)).sum()
        plan = best_plan(weight * ours, paid, budget)
        other = best_plan(weight * constant, paid, budget)
        gain = (weight * effect * plan).sum()
        print(
            f"{seed:4} {share:6.0%} {gain / oracle:7.3f}"
            f" {(weight * effect * other).sum() / oracle:8.3f}"
            f" {(weight * ours * plan).sum() / gain:13.2f} {(cost * plan).sum() / budget:11.3f}"
            f" {fitted - started:7.1f} {predicted - fitted:9.2f}",
            flush=True,
        )


def _campaign(sample: Sample, policy: Policy) -> tuple[UserTable, Trial, pd.DataFrame]:
    made = sample_campaign(sample)
    with tempfile.TemporaryDirectory() as directory:
        people, log = Path(directory) / "users.parquet", Path(directory) / "trial.parquet"
        made.users.to_parquet(people)
        made.trial.to_parquet(log)
        users = open_users(open_source(people), policy)
        return users.whole(), read_trial(open_source(log), policy, users), made.truth


def _matrix(frame: pd.DataFrame, measure: str, policy: Policy) -> FloatArray:
    return frame[[f"{measure}__{offer}" for offer in policy.offer_ids]].to_numpy(np.float64)


if __name__ == "__main__":
    main()
