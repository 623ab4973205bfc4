"""A plan as a rule: what its prices give any users, and the rows of a trial fold by fold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.choosers import Choosers, choices_at
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.domain import COST, ChoiceArray, FloatArray, IntArray


def plan_rule(policy: Policy, table: ScoreTable, prices: Mapping[str, float]) -> ChoiceArray:
    """Return the offer that each user would get at some prices, (n,) int16, −1 for none.

    Nobody is held out or explores, so that it is a rule by which both sides can be compared.
    """
    nobody = np.zeros(table.n_users, dtype=np.bool_)
    return choices_at(build_problem(policy.without_exploring(), table, nobody), prices)


def rehearse(
    problem: Problem,
    prices: Mapping[str, float],
    *,
    fold: IntArray,
    cost: float,
    rng: np.random.Generator,
) -> npt.NDArray[np.int16]:
    """Return what a plan's rule gives each row of a trial, (n,) int16, -1 for none.

    A fold's scores come from models that never saw it. They promise most for the fold whose own
    outcomes were poor, and at common prices that fold would get the most offers. So each fold has
    prices of its own, the plan's times a factor at which it costs as much per row as the plan does
    per user. Where prices do not matter they stay as they are. Rows that are tied at the prices
    (where effects and costs are constant, these are all) are treated in part, by lot.

    Parameters
    ----------
    problem
        The trial's n rows, scored out of fold.
    prices
        Limit to price, of the plan.
    fold
        (n,) from 0.
    cost
        What the plan costs per user, currency units.
    """
    users, count = Choosers.of(problem), int(fold.max()) + 1
    # a fold's prices are at most 2^3 times the plan's, or 2^-3
    furthest = 3.0
    low, high = np.full(count, -furthest), np.full(count, furthest)
    cheap, dear = (_choice(users, prices, log[fold]) for log in (low, high))
    falls = _costs(problem, cheap, fold) > _costs(problem, dear, fold)
    if not falls.all():
        as_it_is = _choice(users, prices, np.zeros(len(fold)))
        stays = ~falls[fold]
        cheap[stays] = dear[stays] = as_it_is[stays]
    # 10: halvings of the range of prices; what is left between two is dealt out by lot
    for _ in range(10 if falls.any() else 0):
        middle = (low + high) / 2
        choice = _choice(users, prices, middle[fold])
        more = falls & (_costs(problem, choice, fold) > cost)
        less = falls & ~more
        low, high = np.where(more, middle, low), np.where(less, middle, high)
        cheap[more[fold]], dear[less[fold]] = choice[more[fold]], choice[less[fold]]
    most, least = _costs(problem, cheap, fold), _costs(problem, dear, fold)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(most > least, (cost - least) / (most - least), 1.0).clip(0, 1)
    return np.where(rng.random(len(fold)) < share[fold], cheap, dear).astype(np.int16)


def _choice(
    users: Choosers, prices: Mapping[str, float], log: FloatArray
) -> npt.NDArray[np.int16]:
    """Return the choice at prices times 2^log, (n,): the same as at values that much smaller."""
    return users.worth(np.exp2(-log)).at(prices)


def _costs(problem: Problem, choice: ChoiceArray, fold: IntArray) -> FloatArray:
    """Return the mean cost of each fold's rows, currency units."""
    taken = np.flatnonzero(choice >= 0)
    paid = problem.columns[problem.measures.index(COST)][choice[taken], taken]
    return np.asarray(np.bincount(fold[taken], paid, len(np.bincount(fold))) / np.bincount(fold))
