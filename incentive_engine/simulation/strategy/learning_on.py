"""A way of planning that learns from its own campaigns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from incentive_engine.allocation.build import build_problem
from incentive_engine.data.trials.campaigns import TrialColumn
from incentive_engine.data.trials.exploring import explored_share, propensity_by_lot
from incentive_engine.data.trials.holdout import held_shares
from incentive_engine.data.trials.trial import Trial
from incentive_engine.data.users import UserTable
from incentive_engine.domain import (
    CONTROL,
    CONVERSION,
    COST,
    SPEND,
    USER_ID,
    BoolArray,
    ChoiceArray,
    FloatArray,
    IntArray,
)
from incentive_engine.simulation.market.settlement import PotentialOutcomes
from incentive_engine.simulation.strategy.learning import LearnedTrial
from incentive_engine.simulation.strategy.planning import Planner


@dataclass(slots=True, kw_only=True, eq=False)
class Learner:
    """What a way has learned so far.

    Attributes
    ----------
    by_lot
        Whether it learns from the holdout and from explorers alone. Otherwise it takes as many
        users, whoever decided on them, as if all had been dealt by chance.
    seed
        For the uplift model, and for which users are taken.
    learned
        By which it plans.
    rows
        Of the trial, and of each campaign, as of a trial.
    """

    by_lot: bool
    seed: int
    learned: LearnedTrial
    rows: list[pd.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with the trial."""
        trial = self.learned.trial
        names = np.array([CONTROL, *trial.offers], dtype=object)[trial.arm]
        seen: dict[str, Any] = {CONVERSION: trial.conversion, SPEND: trial.spend, COST: trial.cost}
        # how the trial before the series is called
        columns: dict[str, Any] = {
            USER_ID: trial.user_id,
            TrialColumn.CAMPAIGN: "trial",
            TrialColumn.OFFER: names,
        }
        self.rows.append(
            trial.features.assign(**columns, **seen, **{TrialColumn.PROPENSITY: trial.propensity})
        )

    def learn(
        self,
        users: UserTable,
        planner: Planner,
        choice: ChoiceArray,
        happens: PotentialOutcomes,
        *,
        explore: float,
    ) -> None:
        """Add a campaign, and learn anew.

        Parameters
        ----------
        users
            Those of the campaign.
        planner
            Who decided; its policy explores where the way learns by lot.
        choice
            What they got.
        happens
            What came of it.
        explore
            Share of the users outside the holdout that explores, or that would.
        """
        policy = planner.policy
        rows = by_lot(planner) if self.by_lot else self._some(planner, explore)
        got = choice[rows].astype(np.int64) + 1
        columns: dict[str, Any] = {
            USER_ID: users.user_id.iloc[rows],
            TrialColumn.CAMPAIGN: f"c{len(self.rows):03}",
            TrialColumn.OFFER: np.array([CONTROL, *policy.offer_ids], dtype=object)[got],
            CONVERSION: happens.conversion[rows, got],
            SPEND: happens.spend[rows, got],
            COST: happens.cost[rows, got],
        }
        if self.by_lot:
            reach = _reach(planner)[rows]
            columns[TrialColumn.PROPENSITY] = _propensity(planner, choice, rows, reach)
            offers = np.array(policy.offer_ids, dtype=object)
            columns[TrialColumn.ARMS] = [" ".join(offers[each]) for each in reach]
        self.rows.append(users.features.iloc[rows].assign(**columns))
        trial = Trial.from_frame(pd.concat(self.rows, ignore_index=True), policy)
        self.learned = LearnedTrial.of(trial, policy, seed=self.seed)

    def _some(self, planner: Planner, explore: float) -> IntArray:
        """Return as many users as the holdout and explorers are, ascending."""
        holdout = planner.blocked
        size = int(holdout.sum()) + round(explore * int((~holdout).sum()))
        rng = np.random.default_rng([self.seed, len(self.rows)])
        return np.sort(rng.choice(len(holdout), size=size, replace=False))


def without_lots(planner: Planner) -> Planner:
    """Return the planner of a policy by which nobody explores."""
    policy = planner.policy.without_exploring()
    return replace(planner, policy=policy, forecast_plans={})


def explorers_of(planner: Planner) -> IntArray:
    """Return the rows of those who explore, ascending."""
    explorers = build_problem(planner.policy, planner.forecast, planner.blocked).explorers
    return np.empty(0, np.int64) if explorers is None else explorers.users


def by_lot(planner: Planner) -> IntArray:
    """Return the rows of the holdout and of those who explore, ascending."""
    return np.sort(np.concatenate([np.flatnonzero(planner.blocked), explorers_of(planner)]))


def _reach(planner: Planner) -> BoolArray:
    """Return (n, k) bool, which offers each user could get if he explored."""
    nobody = np.zeros(len(planner.blocked), dtype=np.bool_)
    problem = build_problem(planner.policy.without_exploring(), planner.forecast, nobody)
    return np.asarray((problem.value > -np.inf).T)


def _propensity(
    planner: Planner, choice: ChoiceArray, rows: IntArray, reach: BoolArray
) -> FloatArray:
    """Return how likely each row's arm was, as a finished campaign is learned from."""
    policy, holdout = planner.policy, planner.blocked
    strata = planner.forecast.attributes.select(policy.holdout_strata)
    return propensity_by_lot(
        choice[rows],
        offers=reach.sum(axis=1),
        held=held_shares(strata, holdout)[rows],
        explored=explored_share(holdout, share=policy.explore),
        with_control=policy.assignment == "at_most_one",
    )
