"""What groups of users get of a plan whose last users are split."""

from __future__ import annotations

import numpy as np

from incentive_engine.allocation.budgets.efficient_steps import Split
from incentive_engine.allocation.budgets.split_plans import Relaxed
from incentive_engine.allocation.users import Users
from incentive_engine.domain import FloatArray


def sums_by_group(users: Users, plan: Relaxed, split: Split) -> FloatArray:
    """Return (G, 2 + a) float64: per group value, users with an offer, and the amounts.

    Parameters
    ----------
    users
        Those that the plan was solved for.
    """
    user, offer, part = plan.pairs(users)
    group = split.group[user]
    taken = [users.value[offer, user], np.ones(len(user))]
    taken += [columns[offer, user] for columns in split.amounts]
    return np.stack(
        [np.bincount(group, weights=part * each, minlength=split.groups) for each in taken],
        axis=1,
    )
