"""Replay of a logged randomised trial: learn from some rows, value on the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from incentive_engine.config.amounts import Bound
from incentive_engine.config.policy import Limit, Policy
from incentive_engine.config.scenario import Replay, Scenario
from incentive_engine.data.scores import holdout_of
from incentive_engine.data.trials.trial import Trial
from incentive_engine.data.users import UserTable
from incentive_engine.domain import OUTCOMES, IntArray
from incentive_engine.simulation.offpolicy import ChoiceValuation, Nuisance, ReplayResult, value
from incentive_engine.simulation.situations import (
    check_budgets,
    favoured_of,
    rank_of,
    situation_of,
    situation_with,
)
from incentive_engine.simulation.strategy.learning import LearnedTrial, UserForecast
from incentive_engine.simulation.strategy.planning import Planner, Situation
from incentive_engine.simulation.strategy.strategies import plan_of
from incentive_engine.simulation.variants import SweepVariant


def run_replay(
    variants: tuple[SweepVariant, ...], trial: Trial, draw: int
) -> dict[int, tuple[ReplayResult, ...]]:
    """Split the trial once and value every strategy and budget; the draw to one per variant.

    A row is valued by strategies that learnt from the other folds only: models never see it, and
    neither does any choice. Each fold has its part of the budget and of limits in absolute
    numbers.
    """
    learned: dict[str, LearnedTrial] = {}
    return {draw: tuple(_replay(variant, trial, draw, learned) for variant in variants)}


def fold_of(trial: Trial, *, folds: int, seed: int, draw: int) -> IntArray:
    """Return the fold of each row, (n,) int64, of equal size within each arm."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(10, draw)))
    order = np.lexsort((rng.random(trial.n_rows), trial.arm))
    fold = np.empty(trial.n_rows, dtype=np.int64)
    fold[order] = np.arange(trial.n_rows) % folds
    return fold


def rows_of_trial(trial: Trial, rows: IntArray) -> Trial:
    """Return some rows of a trial."""
    return replace(
        trial,
        user_id=trial.user_id.iloc[rows].reset_index(drop=True),
        features=trial.features.iloc[rows].reset_index(drop=True),
        arm=trial.arm[rows],
        conversion=trial.conversion[rows],
        spend=trial.spend[rows],
        cost=trial.cost[rows],
        propensity=trial.propensity[rows],
    )


def _replay(
    variant: SweepVariant, trial: Trial, draw: int, learned: dict[str, LearnedTrial]
) -> ReplayResult:
    scenario = variant.scenario
    replayed = scenario.trial or Replay()
    shape = (len(scenario.strategies), len(scenario.budgets))
    size = (*shape, trial.n_rows, 3, len(OUTCOMES))
    rows = np.zeros(size, dtype=np.float32)
    planned, favoured = np.zeros(shape), np.zeros((*shape, 2))
    valuations: dict[tuple[int, int], list[ChoiceValuation]] = {}
    fold = fold_of(trial, folds=replayed.folds, seed=scenario.seed, draw=draw)
    for number in range(replayed.folds):
        mine, others = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        settings = variant.policy.model_dump_json(include={"offers", "eligibility", "features"})
        key = f"{replayed.folds} {number} {settings}"
        if key not in learned:
            rows_learnt = rows_of_trial(trial, others)
            learned[key] = LearnedTrial.of(rows_learnt, variant.policy, seed=_seed(scenario, draw))
        stage = _stage(variant, learned[key], rows_of_trial(trial, mine), draw)
        for (s, b), situation, choice in _choices(scenario, stage):
            valuation = value(stage.valued, choice, stage.nuisance, clip=replayed.clip)
            rows[s, b, mine] = valuation.rows
            valuations.setdefault((s, b), []).append(
                replace(valuation, rows=np.empty((0, 3, 3), dtype=np.float32))
            )
            got = np.flatnonzero(choice >= 0)
            charge = situation.charge[got, choice[got]]
            planned[s, b] += charge.sum()
            theirs = stage.favoured[got]
            favoured[s, b] += (theirs.sum(), charge[theirs].sum())
    return ReplayResult(rows=rows, valuations=valuations, planned=planned, favoured=favoured)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stage:
    """One fold: what is known, and what is valued."""

    valued: Trial
    situation: Situation
    policy: Policy
    nuisance: Nuisance
    share: float
    favoured: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


def _seed(scenario: Scenario, draw: int) -> int:
    sequence = np.random.SeedSequence(scenario.seed, spawn_key=(11, draw))
    return int(sequence.generate_state(1)[0]) % 2**31


def _stage(variant: SweepVariant, learned: LearnedTrial, valued: Trial, draw: int) -> _Stage:
    scenario = variant.scenario
    share = valued.n_rows / (valued.n_rows + learned.trial.n_rows)
    policy = scaled(variant.policy, share)
    users = UserTable(user_id=valued.user_id, features=valued.features)
    forecast = learned.forecast(users, policy)
    holdout = holdout_of(policy, forecast.scores)
    planner = Planner(
        policy=policy,
        forecast=forecast.scores,
        truth=None,
        blocked=holdout,
    )
    come = np.random.default_rng(np.random.SeedSequence(scenario.seed, spawn_key=(12, draw)))
    situation = situation_of(
        planner,
        order=come.permutation(valued.n_rows),
        likely=forecast.likely,
        rank=rank_of(scenario, valued.features),
    )
    return _Stage(
        valued=valued,
        situation=situation,
        policy=policy,
        nuisance=_nuisance(forecast),
        share=share,
        favoured=favoured_of(scenario, valued.features),
    )


def scaled(policy: Policy, share: float) -> Policy:
    """Return a policy for a share of the users: absolute bounds of sums shrink with it."""

    def part(bound: Bound | None) -> Bound | None:
        return bound if bound is None or bound.is_share else Bound(bound.value * share)

    def limit_part(limit: Limit) -> Limit:
        if limit.sum is None:
            return limit
        return limit.model_copy(
            update={"at_most": part(limit.at_most), "at_least": part(limit.at_least)}
        )

    return policy.model_copy(update={"limits": tuple(map(limit_part, policy.limits))})


def _nuisance(forecast: UserForecast) -> Nuisance:
    estimates = forecast.estimates
    arms = np.stack(
        [estimates.conversion_by_arm, estimates.spend_by_arm, estimates.cost_by_arm], axis=2
    )
    return Nuisance(base=arms[:, 0], effect=arms[:, 1:] - arms[:, :1])


def _choices(
    scenario: Scenario, stage: _Stage
) -> Iterator[tuple[tuple[int, int], Situation, np.ndarray[tuple[int, ...], np.dtype[np.int16]]]]:
    check_budgets(scenario, stage.situation, share=stage.share)
    for b, budget in enumerate(scenario.budgets):
        situation = situation_with(stage.situation, stage.policy, budget * stage.share)
        for s, strategy in enumerate(scenario.strategies):
            yield (s, b), situation, plan_of(strategy)(situation)
