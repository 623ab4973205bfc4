"""Users whom a run does not know, decided from features that come with the request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, User
from incentive_engine.data.columns.attributes import missing_attributes, misused_attributes, uses
from incentive_engine.data.scores import scaled_costs
from incentive_engine.domain import COST
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.live.campaign import LiveCampaign

if TYPE_CHECKING:
    from incentive_engine.features.one_user import UserEvents

Feature = str | int | float | bool | None


class Newcomers:
    """Scores one user at a time with the model of a policy, as `score` would, to the last bit.

    Parameters
    ----------
    model
        What `train` has written.
    frozen
        The run's policy.
    cost_factor
        What the run's costs were multiplied by, as the trial asked.

    Raises
    ------
    DataError
        When the model does not say what the policy needs.
    """

    WHERE: ClassVar = "features"

    LARGEST: ClassVar = 1 << 63
    """Integers from here on are no integers of a table."""

    def __init__(self, model: Path, frozen: FrozenPolicy, *, cost_factor: float) -> None:
        from incentive_engine.features.one_user import UserEvents, UserHistory  # loads numba
        from incentive_engine.uplift.one_user import UserScorer  # loads LightGBM
        from incentive_engine.uplift.storage import load_model

        fitted = load_model(model)
        self._scorer = UserScorer(fitted, frozen.policy)
        names = {feature.name for feature in fitted.encoder.features}
        self._history = UserHistory.of(frozen.policy, {*names, *frozen.policy.attribute_columns})
        if self._history is not None:
            self._history.features(UserEvents(time=(), kind=""), 0)  # compiled before one waits
        self._frozen = frozen
        self._cost_factor = cost_factor
        self._numeric = {use.column for use in uses(frozen.policy) if use.numeric}
        if unknown := set(frozen.needed) - self._scorer.MEASURES:
            what = say("does not say what the policy needs: {names}", names=tuple(sorted(unknown)))
            raise DataError(Fault(str(model), what, remedy="serve the run without a model"))

    @classmethod
    def of(cls, model: Path, campaign: LiveCampaign) -> Self:
        """Return what a model says of users whom a campaign's run does not know."""
        evaluated = campaign.run.certificate.budget.evaluated
        cost_factor = 1.0 if evaluated is None else evaluated.correction
        return cls(model, campaign.frozen, cost_factor=cost_factor)

    @property
    def learned_from_history(self) -> bool:
        """Whether there are features that events are needed for."""
        return self._history is not None

    def features(self, events: UserEvents, moment: int) -> dict[str, Feature]:
        """Return the features that events make at a moment, microseconds since 1970, UTC.

        Raises
        ------
        DataError
            When no feature is made of events, or these are none.
        """
        if self._history is None:
            what = say("the model learned from no history")
            raise DataError(Fault("events", what, remedy="leave them out"))
        return {**self._history.features(events, moment)}

    def user(
        self,
        user_id: str,
        features: Mapping[str, Feature],
        *,
        events: UserEvents | None = None,
        moment: int = 0,
    ) -> User:
        """Return a user with what the model says of each offer.

        Parameters
        ----------
        events, moment
            What the user did, and the moment before which it counts, microseconds since 1970.

        Raises
        ------
        DataError
            With every feature that is missing, of another kind, or given besides its events.
        """
        if events is not None:
            from_events = self.features(events, moment)
            if both := sorted(from_events.keys() & features.keys()):
                what = say("holds what `events` make: {both}", both=tuple(both[:5]))
                raise DataError(Fault("features", what, remedy="leave one of both out"))
            features = {**features, **from_events}
        self._check(features)
        measures = self._scorer.measures(features, where=self.WHERE)
        costs = np.array(measures[COST])
        measures[COST] = scaled_costs(costs, self._cost_factor).tolist()
        return User(
            user_id=user_id,
            attributes={name: features[name] for name in self._frozen.kinds},
            measures=measures,
        )

    def _check(self, features: Mapping[str, Feature]) -> None:
        """Refuse features that no table of users could have."""
        policy = self._frozen.policy
        if any(name not in features for name in policy.attribute_columns):
            raise DataError(*missing_attributes(policy, tuple(features), where=self.WHERE))
        if any(isinstance(features[name], str) for name in self._numeric):
            numeric = {name: not isinstance(features[name], str) for name in self._numeric}
            raise DataError(*misused_attributes(policy, numeric, where=self.WHERE))
        for name, value in features.items():
            if isinstance(value, int) and not -self.LARGEST <= value < self.LARGEST:
                what = say("`{name}` has more than 64 bits", name=name)
                raise DataError(Fault(self.WHERE, what, remedy="send it as a float, or as text"))
