"""Whether a plan's stated gain and cost come true, over many trials whose truth is known.

    python benchmarks/uplift_coverage.py [--trials 100] [--rows 10000] [--first-seed 0]
        [--markets nominal,ladder] [--keep DIRECTORY]

Per trial a model is fitted, and a plan for 5,000 other users is made from its scores, within a
budget that is a share of what it costs to give everybody an offer by lot. Gain and cost are stated
from the trial as `incentive allocate` does, and compared with what the plan truly brings and costs
those users. Columns, per market, budget and measure: the mean error in standard errors (its own
noise is 1 / √trials), how often the 95 % interval holds the truth, how often the truth is below
and above it, and two ratios of totals over all trials: what the scores sum to over what the trial
says, and over the truth. With `--keep` each trial's figures stay in a file of their own, so that
a run that was stopped goes on where it was, and lines are printed of what there is.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from uplift_markets import MARKETS, Market, draw_people, logged_trial, policy_of

from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.plans.rule import rehearse
from incentive_engine.allocation.problem import BudgetPool, Problem
from incentive_engine.config.policy import Policy
from incentive_engine.domain import CONVERSION, COST, MICROS, FloatArray
from incentive_engine.uplift.doubly_robust.plan_value import valued
from incentive_engine.uplift.estimates import Estimates
from incentive_engine.uplift.model import estimate, fit

BUDGETS = (0.1, 0.3, 0.8)
USERS = 5_000
MINE = {market.name: market for market in MARKETS}
MEASURES = (CONVERSION, COST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One measure of one plan, per user."""

    scores: float
    stated: float
    error: float
    """Standard error of what is stated."""
    truth: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--markets", default="nominal,ladder")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    print(f"{options.rows:,} rows, {options.trials} trials a line")
    print("market     budget measure     error   held  below  above  ÷ trial  ÷ truth")
    for name in options.markets.split(","):
        first = options.first_seed
        runs = [
            _kept(MINE[name], options.rows, seed, options.keep)
            for seed in range(first, first + options.trials)
        ]
        for at, budget in enumerate(BUDGETS):
            for measure in MEASURES:
                _line(name, budget, measure, [run[at][measure] for run in runs])


def _line(name: str, budget: float, measure: str, outcomes: list[Outcome]) -> None:
    errors = np.array([(o.stated - o.truth) / o.error if o.error > 0 else 0.0 for o in outcomes])
    held, below, above = (np.abs(errors) <= 1.96), errors > 1.96, errors < -1.96
    rates = "".join(f"{which.mean():7.0%}" for which in (held, below, above))
    scores, stated, truth = (
        sum(getattr(o, part) for o in outcomes) for part in ("scores", "stated", "truth")
    )
    print(
        f"{name:10} {budget:6.0%} {measure:10} {errors.mean():+6.2f}{rates}"
        f"{scores / stated:9.2f}{scores / truth if truth else np.nan:9.2f}",
        flush=True,
    )


def _kept(
    market: Market, rows: int, seed: int, directory: Path | None
) -> list[dict[str, Outcome]]:
    """Return what `_run` does, which it reads where it was kept."""
    if directory is None:
        return _run(market, rows, seed)
    file = directory / f"{market.name}-{rows}-{seed}.json"
    if not file.exists():
        told = [
            {name: asdict(outcome) for name, outcome in run.items()}
            for run in _run(market, rows, seed)
        ]
        directory.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(told))
    return [
        {name: Outcome(**fields) for name, fields in run.items()}
        for run in json.loads(file.read_text())
    ]


def _run(market: Market, rows: int, seed: int) -> list[dict[str, Outcome]]:
    """Return what each budget's plan brings and costs, as stated and in truth."""
    rng = np.random.default_rng(5000 + seed)
    policy = policy_of(market)
    learned, users = draw_people(market, rows, rng), draw_people(market, USERS, rng)
    trial = logged_trial(policy.offer_ids, learned, rng)
    model = fit(trial, policy, seed=seed)
    scores, mine = estimate(model, users.features, where="users"), model.out_of_fold
    brought = valued(trial, mine)
    runs = []
    for share in BUDGETS:
        budget = share * float(users.cost.mean(axis=1).sum())
        plan = solve(_problem(policy, scores, budget))
        choice = rehearse(
            _problem(policy, mine.estimates, budget),
            plan.prices,
            fold=mine.fold,
            cost=float(plan.cost_micros.sum()) / MICROS / USERS,
            rng=np.random.default_rng(seed),
        )
        stated = brought.of_plan(choice)
        pairs = {CONVERSION: (scores.conversion, users.effect), COST: (scores.cost, users.cost)}
        runs.append(
            {
                name: Outcome(
                    scores=_mean(plan, score),
                    stated=stated[name].value,
                    error=stated[name].standard_error,
                    truth=_mean(plan, true),
                )
                for name, (score, true) in pairs.items()
            }
        )
    return runs


def _mean(plan: Allocation, of_pairs: FloatArray) -> float:
    given = np.flatnonzero(plan.choice >= 0)
    return float(of_pairs[given, plan.choice[given]].sum()) / USERS


def _problem(policy: Policy, scores: Estimates, budget: float) -> Problem:
    return Problem(
        offers=policy.offer_ids,
        value=np.ascontiguousarray(scores.conversion.T),
        measures=(COST,),
        columns=np.ascontiguousarray(scores.cost.T)[None],
        face=np.array([offer.face_value for offer in policy.offers]),
        limits=(sum_limit("budget", COST, at_most=budget),),
        pool=BudgetPool(amount=budget),
    )


if __name__ == "__main__":
    main()
