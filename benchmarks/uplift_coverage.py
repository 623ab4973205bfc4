"""Whether the stated gain of a plan comes true, over many trials whose truth is known.

    python benchmarks/uplift_coverage.py [--trials 100] [--rows 10000] [--offers 4]
        [--markets null,even,nominal,ladder]

Per trial a model of conversions is fitted, and a plan for 5,000 other users is made from its
scores and the true costs, within a budget that is a share of what it costs to give everybody an
offer by lot. Its gain is stated from the trial as `incentive allocate` does, and compared with
what the plan truly brings those users. Columns, per market and budget: the mean error in standard
errors (its own noise is 1 / √trials), how often the 95 % interval holds the truth, and how often
the truth is below and above it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from uplift_markets import (
    MARKETS,
    SHARES,
    Draw,
    Market,
    constant,
    draw_people,
    logged_trial,
    policy_of,
)

from incentive_engine.allocation import Plan, Pool, Problem, solve, sum_limit
from incentive_engine.config import Policy
from incentive_engine.data.trial import Trial
from incentive_engine.domain import CONVERSION, COST, MICROS, FloatArray
from incentive_engine.simulation.rehearsal import rehearse
from incentive_engine.uplift.crossfit import draw_folds
from incentive_engine.uplift.doubly_robust.plan_value import increments
from incentive_engine.uplift.effects.basis import learn_basis
from incentive_engine.uplift.effects.ladder import ladders
from incentive_engine.uplift.effects.support import learn_support
from incentive_engine.uplift.model import FOLDS
from incentive_engine.uplift.nuisance.event_probability import fit_chances
from incentive_engine.uplift.nuisance.features import learn_encoder
from incentive_engine.uplift.rows import Rows, Telling
from incentive_engine.uplift.trial_design import even_lottery, shares

BUDGETS = (0.1, 0.3, 0.8)
USERS = 5_000
SIMPLE = Market(name="constant", base=0.06, effects=constant(0.01))
MINE = {market.name: market for market in (SIMPLE, *MARKETS)}
USED = {1: (3,), 2: (1, 3), 4: (0, 1, 2, 3)}
"""Number of offers to which ones."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--offers", type=int, choices=list(USED), default=4)
    parser.add_argument("--markets", default="null,even,nominal,ladder")
    options = parser.parse_args()
    print(f"{options.rows:,} rows, {options.offers} offers, {options.trials} trials a line")
    print("market     budget  error   held  below  above")
    for name in options.markets.split(","):
        runs = [
            _run(MINE[name], options.rows, USED[options.offers], seed)
            for seed in range(options.trials)
        ]
        for budget, errors in zip(BUDGETS, np.array(runs).T, strict=True):
            held, below, above = (np.abs(errors) <= 1.96), errors > 1.96, errors < -1.96
            rates = "".join(f"{which.mean():7.0%}" for which in (held, below, above))
            print(f"{name:10} {budget:6.0%} {errors.mean():+6.2f}{rates}", flush=True)


def _run(market: Market, rows: int, used: tuple[int, ...], seed: int) -> list[float]:
    """Return stated minus true gain in standard errors, per budget."""
    rng = np.random.default_rng(5000 + seed)
    policy = policy_of(market)
    learned, users = draw_people(market, rows, rng), draw_people(market, USERS, rng)
    trial = logged_trial(policy.offer_ids, learned, rng)
    trial, learned, policy = _only(used, trial, learned, policy)
    users = _with_offers(used, users)
    encoder = learn_encoder(trial.features)
    known = _rows(trial, seed)
    chances = fit_chances(known, event=trial.conversion, rungs=ladders(policy.offers), seed=seed)
    matrix = encoder.encode(users.features, where="users")
    basis, _ = learn_basis(known.matrix, encoder)
    phi = basis(matrix)
    dealt = shares(known.lottery.odds, np.ones((USERS, len(used)), dtype=np.bool_))
    scores = chances.predict(matrix, phi, dealt, folds=None).effect
    mine = chances.predict(known.matrix, known.phi, known.lottery.share, folds=known.folds)
    brought = increments(trial, CONVERSION, mine.by_arm)
    errors = []
    for share in BUDGETS:
        budget = share * float(users.cost.mean(axis=1).sum())
        plan = solve(_problem(policy, scores, users.cost, budget))
        choice = rehearse(
            _problem(policy, mine.effect, learned.cost, budget),
            plan.prices,
            fold=known.folds.label,
            cost=float(plan.cost_micros.sum()) / MICROS / USERS,
            rng=np.random.default_rng(seed),
        )
        stated = brought.mean(brought.part(choice))
        error = stated.standard_error
        errors.append((stated.value - _truth(plan, users)) / error if error > 0 else 0.0)
    return errors


def _truth(plan: Plan, users: Draw) -> float:
    given = np.flatnonzero(plan.choice >= 0)
    return float(users.effect[given, plan.choice[given]].sum()) / USERS


def _problem(policy: Policy, effect: FloatArray, cost: FloatArray, budget: float) -> Problem:
    return Problem(
        offers=policy.offer_ids,
        value=np.ascontiguousarray(effect.T),
        measures=(COST,),
        columns=np.ascontiguousarray(cost.T)[None],
        face=np.array([offer.face_value for offer in policy.offers]),
        limits=(sum_limit("budget", COST, at_most=budget),),
        pool=Pool(amount=budget),
    )


def _only(
    used: tuple[int, ...], trial: Trial, draw: Draw, policy: Policy
) -> tuple[Trial, Draw, Policy]:
    """Return a trial, its people and its policy with some of the offers."""
    arms = (0, *(offer + 1 for offer in used))
    rows = np.flatnonzero(np.isin(trial.arm, arms))
    place = {arm: at for at, arm in enumerate(arms)}
    offers = tuple(policy.offers[offer] for offer in used)
    smaller = replace(
        trial,
        offers=tuple(offer.id for offer in offers),
        user_id=trial.user_id.iloc[rows].reset_index(drop=True),
        features=trial.features.iloc[rows].reset_index(drop=True),
        arm=np.array([place[arm] for arm in trial.arm[rows]], dtype=np.int16),
        conversion=trial.conversion[rows],
        spend=trial.spend[rows],
        cost=trial.cost[rows],
        propensity=trial.propensity[rows] / sum(SHARES[arm] for arm in arms),
    )
    people = _with_offers(used, draw)
    kept = replace(people, effect=people.effect[rows], cost=people.cost[rows])
    return smaller, kept, policy.model_copy(update={"offers": offers})


def _with_offers(used: tuple[int, ...], draw: Draw) -> Draw:
    return replace(draw, effect=draw.effect[:, used], cost=draw.cost[:, used])


def _rows(trial: Trial, seed: int) -> Rows:
    encoder = learn_encoder(trial.features)
    matrix = encoder.encode(trial.features, where="trial")
    basis, phi = learn_basis(matrix, encoder)
    folds = draw_folds(trial.user_id, count=FOLDS, rng=np.random.default_rng(seed))
    return Rows(
        matrix=matrix,
        telling=Telling.of(matrix, trial.conversion > 0, folds, seed=seed),
        phi=phi,
        columns=basis.columns,
        support=learn_support(
            matrix, encoder.is_number(matrix.shape[1]), even_lottery(trial, ()), seed=seed
        ),
        lottery=even_lottery(trial, ()),
        folds=folds,
    )


if __name__ == "__main__":
    main()
