"""Users whom a run does not know, decided from features that come with the request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from incentive_engine.allocation.decision import User
from incentive_engine.allocation.frozen_policy import FrozenPolicy
from incentive_engine.data.scores import scaled_costs
from incentive_engine.domain import COST, score_column

Feature = str | int | float | bool | None


class Newcomers:
    """Scores one user at a time with the model of a policy.

    Parameters
    ----------
    model
        What `train` has written.
    frozen
        The run's policy.
    cost_factor
        What the run's costs were multiplied by, as the trial asked.
    """

    def __init__(self, model: Path, frozen: FrozenPolicy, *, cost_factor: float) -> None:
        from incentive_engine.uplift.model import UpliftModel, predict  # loads LightGBM

        self._predict = predict
        self._model = UpliftModel.load(model)
        self._frozen = frozen
        self._cost_factor = cost_factor

    def user(self, user_id: str, features: Mapping[str, Feature]) -> User:
        """Return a user with what the model says of each offer.

        Raises
        ------
        DataError
            With every feature that is missing, or of another kind.
        """
        from incentive_engine.data.users import UserTable  # loads pandas

        frame = pa.Table.from_pylist([{**features, "user_id": user_id}])
        table = UserTable.from_frame(frame, self._frozen.policy, where="features")
        scores = self._predict(self._model, table, self._frozen.policy)
        for offer in self._frozen.policy.offer_ids:
            column = score_column(COST, offer)
            scores[column] = scaled_costs(scores[column].to_numpy(), self._cost_factor)
        (row,) = scores.to_dict("records")
        named = {str(name): _known(value) for name, value in row.items()}
        return User.from_row(named, self._frozen)


def _known(value: object) -> object:
    return None if value != value else value  # noqa: PLR0124 - NaN is missing
