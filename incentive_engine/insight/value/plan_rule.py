"""What a plan's prices alone give each user: known of the holdout, too."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from incentive_engine.allocation import build_problem, choices_at
from incentive_engine.config import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import Choices


def plan_rule(policy: Policy, table: ScoreTable, prices: Mapping[str, float]) -> Choices:
    """Return the offer that each user would get at some prices, (n,) int16, −1 for none.

    Nobody is held out or explores, so that it is a rule by which both sides can be compared.
    """
    nobody = np.zeros(table.n_users, dtype=np.bool_)
    return choices_at(build_problem(policy.without_exploring(), table, nobody), prices)
