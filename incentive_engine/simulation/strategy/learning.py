"""What strategies know: forecasts learnt from a trial, the same for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.rule import rehearse
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.trials.trial import Trial
from incentive_engine.data.users import UserTable
from incentive_engine.domain import CONVERSION, COST, SPEND, FloatArray, score_column
from incentive_engine.simulation.market.settlement import PotentialOutcomes
from incentive_engine.uplift.doubly_robust.plan_value import PlanValue, plan_value
from incentive_engine.uplift.estimates import Estimates
from incentive_engine.uplift.model import EffectModel, estimate, fit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UserForecast:
    """What is believed about n users.

    Attributes
    ----------
    scores
        As `incentive score` writes them.
    likely : (n,) float64
        Probability of converting, averaged over the arms.
    estimates
        Outcomes per arm.
    """

    scores: ScoreTable
    likely: FloatArray
    estimates: Estimates


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LearnedTrial:
    """What a trial teaches."""

    trial: Trial
    model: EffectModel

    @classmethod
    def of(cls, trial: Trial, policy: Policy, *, seed: int) -> LearnedTrial:
        """Fit all models that strategies use."""
        return cls(trial=trial, model=fit(trial, policy, seed=seed))

    def forecast(self, users: UserTable, policy: Policy) -> UserForecast:
        """Score users."""
        estimates = estimate(self.model, users.features, where="users")
        frame = estimates.score_frame(users.user_id, users.features, policy)
        return UserForecast(
            scores=ScoreTable.from_frame(frame, policy, where="forecast"),
            likely=estimates.conversion_by_arm.mean(axis=1),
            estimates=estimates,
        )

    def rehearsal(self, policy: Policy) -> ScoreTable:
        """Return the trial's rows, scored out of fold."""
        frame = self.model.out_of_fold.score_frame(self.trial.user_id, self.trial.features, policy)
        return ScoreTable.from_frame(frame, policy, where="out-of-fold scores")

    def stated(
        self, policy: Policy, rehearsal: ScoreTable, prices: Mapping[str, float], *, cost: float
    ) -> PlanValue:
        """Return the out-of-fold gain per user that a plan is stated to have.

        The plan is known by its prices and by its cost per user, currency units.
        """
        nobody = np.zeros(rehearsal.n_users, dtype=np.bool_)
        choice = rehearse(
            build_problem(policy.without_exploring(), rehearsal, nobody),
            prices,
            fold=self.model.out_of_fold.fold,
            cost=cost,
            rng=np.random.default_rng(policy.seed),
        )
        return plan_value(self.trial, self.model.out_of_fold.estimates, choice)


def truth_scores(users: UserTable, policy: Policy, outcomes: PotentialOutcomes) -> ScoreTable:
    """Return the true expectations as a score table, for the oracle."""
    frame: dict[str, object] = {"user_id": users.user_id}
    frame |= {name: users.features[name] for name in policy.attribute_columns}
    measures = {CONVERSION: outcomes.conversion, SPEND: outcomes.spend, COST: outcomes.cost}
    for name, measure in measures.items():
        for arm, offer in enumerate(policy.offer_ids, start=1):
            frame[score_column(name, offer)] = measure[:, arm] - measure[:, 0]
    return ScoreTable.from_frame(pd.DataFrame(frame), policy, where="truth")
