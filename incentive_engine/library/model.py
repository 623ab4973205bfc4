"""The uplift model in memory: fit, score, gain, evaluate."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.tables.files import atomic_directory
from incentive_engine.data.trials.trial import Trial
from incentive_engine.data.users import UserTable
from incentive_engine.domain import CONVERSION, COST, SPEND
from incentive_engine.errors import ConfigError, DataError, Fault, nearest
from incentive_engine.insight.value.gain import gain_of_plan, trial_problem, value_trial
from incentive_engine.insight.value.plan_gain import PlanGain
from incentive_engine.language import say
from incentive_engine.library.arguments import named_by_argument
from incentive_engine.library.evaluation import Evaluation
from incentive_engine.pipeline.quality import ModelQuality, evaluation_text, quality_of
from incentive_engine.run.format import RunFile
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift import model as uplift
from incentive_engine.uplift.diagnosis.diagnose import diagnose
from incentive_engine.uplift.diagnosis.verdicts import Diagnosis, check_acceptable
from incentive_engine.uplift.evaluation.evaluation import evaluate as judge
from incentive_engine.uplift.evaluation.explanation import explain_sample
from incentive_engine.uplift.params import FIT, FitParams
from incentive_engine.uplift.storage import load_model, save_model

if TYPE_CHECKING:
    from incentive_engine.library.plan import Plan


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class UpliftModel:
    """What each offer changes for each user, with the trial that taught it.

    Made by `fit`, or by `UpliftModel.load` from what `incentive train` or `save` wrote.

    Attributes
    ----------
    fitted
        What was learned.
    trial
        What it was learned from; it values plans.
    policy
        Says which offers form a ladder and who could get which offer.
    """

    fitted: uplift.EffectModel
    trial: Trial
    policy: Policy

    @property
    def offers(self) -> tuple[str, ...]:
        """The offers that the trial tried."""
        return self.fitted.facts.offers

    def score(self, users: object, policy: Policy | None = None) -> ScoreTable:
        """Return what each offer changes, and costs, for each user.

        Parameters
        ----------
        users
            A frame of pandas, polars or Arrow: `user_id`, the policy's attributes, features.
        policy
            Of the campaign; left out, that of the trial.

        Raises
        ------
        DataError
            With every column that is missing or of the wrong kind.
        """
        policy = self.policy if policy is None else policy
        table = UserTable.from_frame(users, policy)
        scores = uplift.predict(self.fitted, table, policy)
        return ScoreTable.from_frame(scores, policy)

    def gain(self, plan: Plan, measure: str = CONVERSION) -> Estimate:
        """Return what a plan brings over giving nobody anything, by the trial, out of fold.

        Parameters
        ----------
        measure
            `conversion`, `spend` or `cost`, summed over the plan's users.

        Raises
        ------
        ConfigError
            When the measure is another one.
        DataError
            When the trial did not try an offer of the plan, or lacks a column of its policy.
        """
        gain = self.gain_by_measure(plan)
        by_measure = {CONVERSION: gain.conversions, SPEND: gain.spend, COST: gain.cost}
        if measure not in by_measure:
            what = say("`{measure}` is not measured by a trial", measure=measure)
            raise ConfigError(Fault("measure", what, remedy=nearest(measure, by_measure)))
        return by_measure[measure]

    def gain_by_measure(self, plan: Plan) -> PlanGain:
        """Return all that the trial says of a plan."""
        policy = plan.policy
        self.check_policy(policy)
        valued = value_trial(self.trial, self.fitted.out_of_fold, policy)
        valued = valued.with_costs(plan.stated.correction.factor)
        problem, users = trial_problem(valued, policy), plan.stated.decided
        return gain_of_plan(valued, problem, policy, plan.solved, users=users)

    def check_policy(self, policy: Policy) -> None:
        """Refuse a policy whose plans the trial cannot value.

        Raises
        ------
        DataError
            With every offer that it did not try and every column that it lacks.
        """
        faults = uplift.unknown_offers(self.fitted, policy)
        faults += [
            Fault(
                "trial",
                say("has no column `{column}`, which the policy names", column=column),
                "",
                "add it",
            )
            for column in policy.attribute_columns
            if column not in self.trial.features
        ]
        if faults:
            raise DataError(*faults)

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """The checks of the trial."""
        return diagnose(self.trial, self.policy)

    @cached_property
    def quality(self) -> ModelQuality:
        """What a plan should know of the model."""
        content: dict[str, Any] = json.loads(self._evaluation_text)
        return quality_of(content)

    @cached_property
    def _evaluation_text(self) -> str:
        drivers = explain_sample(self.fitted, self.trial.features).drivers()
        evaluation = judge(self.fitted, self.trial, self.policy)
        return evaluation_text(self.diagnosis, evaluation.to_dict(), drivers)

    def save(self, directory: str | Path) -> None:
        """Write the model as `incentive train` does, whole or not at all.

        Raises
        ------
        DataError
            When the directory exists or cannot be written.
        """
        with atomic_directory(Path(directory)) as inside:
            file = inside / RunFile.EVALUATION
            file.write_text(self._evaluation_text + "\n", encoding="utf-8")
            save_model(self.fitted, inside)

    @classmethod
    def load(cls, directory: str | Path, trial: Trial, policy: Policy) -> UpliftModel:
        """Read a saved model, for the trial that it was fitted on.

        Raises
        ------
        DataError
            When files are missing or broken, or the trial is another one.
        """
        fitted = load_model(Path(directory))
        if trial.digest() != fitted.facts.trial:
            what = "is not the trial that the model was trained on"
            raise DataError(Fault("trial", what, remedy="train again"))
        return cls(fitted=fitted, trial=trial, policy=policy)

    def __repr__(self) -> str:
        features = len(self.fitted.encoder.features)
        return (
            f"UpliftModel({self.fitted.facts.rows:,} trial rows × {features} features; "
            f"offers {', '.join(self.offers)})"
        )


def fit(
    trial: Trial,
    policy: Policy,
    *,
    seed: int | None = None,
    accept: Collection[str] = (),
    params: FitParams = FIT,
) -> UpliftModel:
    """Return the uplift model that a randomised trial teaches.

    Parameters
    ----------
    seed
        Of folds and boosting; the same trial and seed give the same model. Left out, the
        policy's.
    accept
        Names of refusals that the caller answers for, such as ``trial-arm-sizes``.
    params
        How far the learner adapts, and which of its stages are left out.

    Raises
    ------
    ConfigError
        When nobody can answer for a name of `accept`.
    DataError
        When the trial cannot teach effects: an arm with too few rows, nobody who converts, arms
        that were not dealt by chance.
    """
    if trial.offers != policy.offer_ids:
        what = say("was made for the offers {offers}", offers=tuple(trial.offers))
        expected, remedy = ", ".join(policy.offer_ids), "make it with this policy"
        raise DataError(Fault("trial", what, expected, remedy))
    with named_by_argument():
        check_acceptable(accept)
        diagnose(trial, policy).refuse(accept)
    fitted = uplift.fit(trial, policy, seed=policy.seed if seed is None else seed, params=params)
    return UpliftModel(fitted=fitted, trial=trial, policy=policy)


def evaluate(model: UpliftModel, trial: Trial, policy: Policy) -> Evaluation:
    """Return how good a model is on its trial, out of fold.

    Raises
    ------
    DataError
        When the trial is not the one that the model was fitted on.
    """
    return Evaluation(
        evaluation=judge(model.fitted, trial, policy),
        diagnosis=diagnose(trial, policy),
        currency=policy.currency,
    )
