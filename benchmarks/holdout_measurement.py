"""Whether the increment that `measure` finds by a holdout is the true one.

    python benchmarks/holdout_measurement.py [--campaigns 300] [--budget 200k]

One plan for the sample campaign is carried out many times, each with chances of its own, in the
market that made its trial, whose true effects are known. Printed are the true gain, the mean and
the standard deviation of the estimates, the mean of their standard errors, and how often the 95 %
interval held the truth: for the comparison by the plan's prices, as `measure` makes it where it
can, after what the model's scores explain and without that, with what is known of users beside,
and for one of all users.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from incentive_engine.config.inputs import Sample
from incentive_engine.domain import BoolArray, ChoiceArray, FloatArray
from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.measurement.finished_campaign import FinishedCampaign, read_campaign
from incentive_engine.stats.holdout_effect import difference_from_holdout, filled
from incentive_engine.synthetic.market import outcomes_of, react
from incentive_engine.synthetic.sample import MARKETS, campaign_users, sample_campaign
from incentive_engine.workflow.allocate import allocate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=300)
    parser.add_argument("--budget", default="200k")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        run, nothing = Path(folder) / "run", Path(folder) / "nothing.csv"
        allocate(None, options=BudgetOptions(amount=options.budget), scores=None, out=run)
        plan = pd.read_parquet(run / "allocation.parquet")
        plan[["user_id"]].assign(conversion=0).to_csv(nothing, index=False)
        campaign = read_campaign(run, nothing)
    sample = campaign.policy.data.sample
    assert sample is not None
    print(f"true gain {_true_gain(sample, campaign.choice):.1f}")
    assert campaign.rule is not None
    everybody = np.full(len(plan), fill_value=True)
    market, users = MARKETS[sample.name], campaign_users(sample)
    ruled, scores = campaign.rule >= 0, campaign.covariates.astype(np.float64)
    numbers = users.known.select_dtypes("number").drop(columns="user_id", errors="ignore")
    known = np.column_stack([scores, filled(numbers.to_numpy(dtype=np.float32))])
    nothing_known = scores[:, :0]
    compared = {
        "with the model's scores": (ruled, scores),
        "and what is known beside": (ruled, known),
        "without": (ruled, nothing_known),
        "all users, without": (everybody, nothing_known),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in compared}
    truth, arm = react(users, market), campaign.choice.astype(np.int64) + 1
    for seed in range(options.campaigns):
        did = outcomes_of(market, truth, arm, rng=np.random.default_rng(seed))
        bought = np.asarray(did["conversion"], dtype=np.float64)
        for name, (some, covariates) in compared.items():
            found[name].append(_measured(bought, some, campaign, covariates))
    for name, each in found.items():
        gain, error = np.array(each).T
        held = np.abs(gain - _true_gain(sample, campaign.choice)) <= 1.96 * error
        print(
            f"{name:24} mean {gain.mean():.1f}, deviation {gain.std(ddof=1):.1f}, "
            f"stated error {error.mean():.1f}, held the truth in {held.mean():.1%}"
        )


def _measured(
    outcome: FloatArray, some: BoolArray, campaign: FinishedCampaign, covariates: FloatArray
) -> tuple[float, float]:
    found = difference_from_holdout(
        outcome[some],
        held=campaign.held[some],
        stratum=campaign.stratum[some],
        covariates=covariates[some] if covariates.size else None,
    )
    users = int((some & ~campaign.held).sum())
    return found.value * users, found.standard_error * users


def _true_gain(sample: Sample, choice: ChoiceArray) -> float:
    truth = sample_campaign(sample).truth
    names = [f"conversion__{offer.id}" for offer in MARKETS[sample.name].offers]
    effect = truth[names].to_numpy()
    given = np.flatnonzero(choice >= 0)
    return float(effect[given, choice[given]].sum())


if __name__ == "__main__":
    main()
