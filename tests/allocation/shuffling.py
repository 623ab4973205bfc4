"""The same problem with its users, offers and limits in another order."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np

from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import IntArray
from incentive_engine.errors import InfeasibleError


def solved(problem: Problem) -> Allocation | None:
    """Return the plan, None where the limits cannot hold."""
    with suppress(InfeasibleError):
        return solve(problem)
    return None


def shuffled(problem: Problem, users: IntArray, offers: IntArray) -> Problem:
    """Return a problem with users and offers in the orders given, and limits backwards."""
    return replace(
        problem,
        offers=tuple(problem.offers[j] for j in offers),
        value=np.ascontiguousarray(problem.value[offers][:, users]),
        columns=np.ascontiguousarray(problem.columns[:, offers][:, :, users]),
        face=None if problem.face is None else problem.face[offers],
        cell=problem.cell[users],
        key=None if problem.key is None else problem.key[users],
        limits=tuple(
            replace(x, offers=None if x.offers is None else x.offers[offers])
            for x in reversed(problem.limits)
        ),
    )


def solved_in_both_orders(problem: Problem, users: IntArray, offers: IntArray) -> bool:
    """Assert that another order changes no choice, price or bound; return if there is a plan."""
    other = shuffled(problem, users, offers)
    one, two = solved(problem), solved(other)
    assert (one is None) == (two is None)
    if one and two:
        names, other_names = (np.array([*each.offers, ""]) for each in (problem, other))
        assert names[one.choice[users]].tolist() == other_names[two.choice].tolist()
        assert one.prices == two.prices
        assert one.certificate.bound == two.certificate.bound
    return one is not None
