"""How far a plan's true cost is from what it states: bias, chance, and what a trial leaves open.

    python benchmarks/uplift_costs.py [--rows 100000] [--first-seed 20] [--seeds 4]
        [--markets ladder,nominal,…] [--keep DIRECTORY]

Per market and seed a model is fitted to a trial, and plans for 50,000 other users spend 10, 20 and
50 % of what the best plan would. Columns, per market and budget, in percent of the stated cost:

* `bias`, the mean over seeds of true less stated cost, with its standard error; `spread`, its
  standard deviation over seeds: one plan's own error, which no mean over trials shows.
* `rms`, the root of the mean square, before and after costs were corrected by the trial.
* `by the trial`, the mean standard error of the trial's own estimate of the plan's cost, and
  `held`, how often its 95 % interval holds the true cost.
* `true shape`, the rms that is left where costs are the true ones times one factor per offer,
  which makes the offer's total come true in the trial: what no method can be without, as totals
  are learned from the same redemptions.

`promise` is what the scores of the corrected plan sum to over its true gain, and `by the trial`
the same for the trial's estimate, with its standard error and how often its interval holds the
true gain.

Trials of one seed share their draw, and with it the luck of averages. `averages known` states
the bias and the promise of the same plans, each with its standard error, where that luck is taken
away: every offer's costs are multiplied, and its effects moved, until they are right on average.
What is left is due to which users and offers the plan chose.

With `--keep` what models say stays in files, and is not learned again.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
from uplift_markets import MARKETS, Market, best_plan, draw_people, logged_trial, policy_of

from incentive_engine.domain import CONVERSION, COST, FloatArray, IntArray
from incentive_engine.insight.value.cost_correction import cost_correction
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.doubly_robust.increments import Increments
from incentive_engine.uplift.doubly_robust.plan_value import valued
from incentive_engine.uplift.evaluation.price_paths import FoldedPath, PlanPath
from incentive_engine.uplift.model import estimate, fit

BUDGETS: Final = (0.1, 0.2, 0.5)
USERS: Final = 50_000
HEAD: Final = (
    "market    budget          bias  spread  rms before  after  by the trial  held  true shape"
    "  promise  by the trial     ±  held  averages known: bias       promise"
)
NAMES: Final = "ladder,nominal,mixed,patchy,joint,even,rare"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """What a model says of n trial rows out of fold and of m users, and what is true of these.

    Increments are those of `Valuation`; `shape` is the trial's true cost per row and offer.
    """

    effect: FloatArray
    cost: FloatArray
    fold: IntArray
    gained: Increments
    paid: Increments
    arm: IntArray
    outlay: FloatArray
    shape: FloatArray
    user_effect: FloatArray
    user_cost: FloatArray
    true_effect: FloatArray
    true_cost: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One plan's figures, relative to the cost that it states, or to its true gain."""

    before: float
    after: float
    error: float
    held: bool
    shape: float
    promise: float
    evaluated: float
    gain_error: float
    gain_held: bool
    chosen_cost: float
    chosen_promise: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--first-seed", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--markets", default=NAMES)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    last = options.first_seed + options.seeds - 1
    print(f"{options.rows:,} rows, seeds {options.first_seed} to {last}; % of the stated cost")
    print(HEAD)
    every: list[Plan] = []
    for name in options.markets.split(","):
        market = next(each for each in MARKETS if each.name == name)
        said = [_said(market, options.rows, seed, options.keep) for seed in seeds]
        for budget in BUDGETS:
            plans = [_plan(each, budget) for each in said]
            _line(name, f"{budget:.0%}", plans)
            every += plans
    _line("all", "", every)


def _line(name: str, budget: str, plans: list[Plan]) -> None:
    of = {
        each.name: np.array([getattr(plan, each.name) for plan in plans]) for each in fields(Plan)
    }
    after, chosen = of["after"], of["chosen_promise"]
    bias, chosen_bias = (
        f"{100 * each.mean():+.1f} ± {100 * _error(each):.1f}"
        for each in (after, of["chosen_cost"])
    )
    print(
        f"{name:9} {budget:>6} {bias:>13} {100 * _error(after) * len(plans) ** 0.5:7.1f}"
        f" {100 * _rms(of['before']):11.1f} {100 * _rms(after):6.1f}"
        f" {100 * of['error'].mean():13.1f} {of['held'].mean():5.0%}"
        f" {100 * _rms(of['shape']):11.1f} {of['promise'].mean():8.2f}"
        f" {of['evaluated'].mean():13.2f} {of['gain_error'].mean():5.2f}"
        f" {of['gain_held'].mean():5.0%} {chosen_bias:>21}"
        f" {chosen.mean():8.2f} ± {_error(chosen):.2f}",
        flush=True,
    )


def _error(values: FloatArray) -> float:
    """Return the standard error of the mean of plans' figures."""
    return float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else np.nan


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _plan(said: Said, share: float) -> Plan:
    """Return what a plan costs that spends a share of what the best plan would."""
    unlimited = (said.true_cost * best_plan(said.true_effect, said.true_cost, np.inf)).sum()
    budget = share * float(unlimited)
    first = _chosen(said.user_effect, said.user_cost, budget)
    _, evaluated = _by_trial(said, said.cost, budget)
    factor = cost_correction(evaluated, _sum(said.user_cost, first)).factor
    mine = _chosen(said.user_effect, factor * said.user_cost, budget)
    gain, again = _by_trial(said, factor * said.cost, budget)
    stated, true = factor * _sum(said.user_cost, mine), _sum(said.true_cost, mine)
    shaped = said.true_cost * _totals(said)
    like = _chosen(said.user_effect, shaped, budget)
    brought = _sum(said.true_effect, mine)
    lucky = said.user_effect.mean(axis=0) - said.true_effect.mean(axis=0)
    dear = said.user_cost.mean(axis=0) / said.true_cost.mean(axis=0)
    return Plan(
        before=_sum(said.true_cost, first) / _sum(said.user_cost, first) - 1,
        after=true / stated - 1,
        error=again.standard_error / again.value,
        held=again.low <= true <= again.high,
        shape=_sum(said.true_cost, like) / _sum(shaped, like) - 1,
        promise=_sum(said.user_effect, mine) / brought if brought else np.nan,
        evaluated=gain.value / brought if brought else np.nan,
        gain_error=gain.standard_error / brought if brought else np.nan,
        gain_held=gain.low <= brought <= gain.high,
        chosen_cost=true / _sum(said.user_cost / dear, mine) - 1,
        chosen_promise=_sum(said.user_effect - lucky, mine) / brought if brought else np.nan,
    )


def _by_trial(said: Said, cost: FloatArray, budget: float) -> tuple[Estimate, Estimate]:
    """Return what a plan's rule gains and costs all users, by the trial's rows out of fold."""
    everybody = np.ones(cost.shape, dtype=np.bool_)
    rows, users = len(cost), len(said.user_cost)
    path = FoldedPath.of(said.effect, cost, everybody, said.fold)
    choice = path.plan(budget * rows / users)
    gain, paid = (each.mean(each.part(choice)) for each in (said.gained, said.paid))
    return gain.times(users), paid.times(users)


def _totals(said: Said) -> FloatArray:
    """Return paid over true cost of the trial's rows that got each offer, (k,)."""
    factors = []
    for offer in range(said.shape.shape[1]):
        got = said.arm == offer + 1
        factors.append(said.outlay[got].sum() / said.shape[got, offer].sum())
    return np.array(factors)


def _chosen(effect: FloatArray, cost: FloatArray, budget: float) -> IntArray:
    path = PlanPath.of(effect, cost, np.ones(cost.shape, dtype=np.bool_))
    return path.plan(budget)


def _sum(values: FloatArray, choice: IntArray) -> float:
    given = np.flatnonzero(choice >= 0)
    return float(values[given, choice[given]].sum())


def _said(market: Market, rows: int, seed: int, directory: Path | None) -> Said:
    """Return what a model fitted to a trial says; read it where it was kept."""
    file = directory / f"{market.name}-{rows}-{seed}.npz" if directory else None
    if file is not None and file.exists():
        return _read(file)
    rng = np.random.default_rng(9000 + seed)
    policy = policy_of(market)
    learned, users = draw_people(market, rows, rng), draw_people(market, USERS, rng)
    trial = logged_trial(policy.offer_ids, learned, rng)
    model = fit(trial, policy, seed=seed)
    scores = estimate(model, users.features, where="users")
    brought, mine = valued(trial, model.out_of_fold), model.out_of_fold.estimates
    said = Said(
        effect=mine.conversion,
        cost=mine.cost,
        fold=model.out_of_fold.fold,
        gained=brought.by_measure[CONVERSION],
        paid=brought.by_measure[COST],
        arm=np.asarray(trial.arm, dtype=np.int64),
        outlay=trial.cost,
        shape=learned.cost,
        user_effect=scores.conversion,
        user_cost=scores.cost,
        true_effect=users.effect,
        true_cost=users.cost,
    )
    if file is not None:
        _write(said, file)
    return said


PLAIN: Final = ("effect", "cost", "fold", "arm", "outlay", "shape")
OF_USERS: Final = ("user_effect", "user_cost", "true_effect", "true_cost")
SUMS: Final = ("expected", "surprise", "noise")


def _write(said: Said, file: Path) -> None:
    content = {name: getattr(said, name) for name in (*PLAIN, *OF_USERS)}
    for name in ("gained", "paid"):
        content |= {f"{name}_{part}": getattr(getattr(said, name), part) for part in SUMS}
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, **content)


def _read(file: Path) -> Said:
    with np.load(file) as content:
        plain = {name: content[name] for name in (*PLAIN, *OF_USERS)}
        sums = {
            name: Increments(arm=plain["arm"], **{p: content[f"{name}_{p}"] for p in SUMS})
            for name in ("gained", "paid")
        }
        return Said(**plain, gained=sums["gained"], paid=sums["paid"])


if __name__ == "__main__":
    main()
