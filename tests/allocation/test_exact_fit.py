"""Bounds that hardly any plan hits: a budget that must be spent to the last millionth."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp

from incentive_engine.allocation.integer.exchanges.exact_fit import fit
from incentive_engine.allocation.integer.programs.cp_sat import Selection
from incentive_engine.allocation.limits import LinearLimit, sum_limit
from incentive_engine.allocation.params import PLAN, RelaxationParams, SolveParams
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import FloatArray
from incentive_engine.errors import InfeasibleError

GOLD = np.arange(3) == 0


def draw(seed: int, users: int, *, share: float) -> tuple[Problem, FloatArray]:
    """Return users with costs of six decimals, all of a budget to spend, and their costs.

    Parameters
    ----------
    share
        Of the budget that users of the first of three cells must get, no more and no less; 0 for
        any share.
    """
    rng = np.random.default_rng(seed)
    cost = np.round(rng.gamma(2.0, 2.0, (3, users)), 6)
    amount = round(0.3 * float(cost.mean()) * users, 6)
    limits: list[LinearLimit] = [
        sum_limit("budget", "cost", at_most=amount), sum_limit("floor", "cost", at_least=amount),
    ]  # fmt: skip
    if share:
        own = round(share * amount, 6)
        limits.append(sum_limit("gold", "cost", at_least=own, at_most=own, cells=GOLD))
    problem = Problem(
        offers=("a", "b", "c"),
        value=rng.gamma(2.0, 0.1, (3, users)),
        measures=("cost",),
        columns=cost[None],
        face=np.array([5.0, 10.0, 15.0]),
        cell=rng.integers(0, 3, users).astype(np.uint16),
        n_cells=3,
        limits=tuple(limits),
    )
    return problem, cost


@pytest.mark.parametrize("share", [0.0, 0.1])
@pytest.mark.parametrize("users", [200, 400, 3_000])
def test_a_budget_is_spent_to_the_last_millionth(users: int, share: float) -> None:
    problem, cost = draw(users, users, share=share)
    plan = solve(problem)
    taken = np.flatnonzero(plan.choice >= 0)
    micros = np.round(cost[plan.choice[taken], taken] * 1e6).astype(np.int64)
    bounds = [round(limit.at_most * 1e6) for limit in problem.limits if limit.at_most is not None]
    assert micros.sum() == bounds[0]
    if share:
        assert micros[GOLD[problem.cell[taken]]].sum() == bounds[1]
    assert plan.certificate.feasible
    assert plan.certificate.gap < 10.0 / users  # the last few users pay for it, nobody else


def test_where_nothing_may_be_spent_nobody_gets_anything() -> None:
    problem, _ = draw(0, 30, share=0.0)
    nothing = (
        sum_limit("budget", "cost", at_most=0.0),
        sum_limit("gold", "cost", at_least=0.0, at_most=1e-9, cells=GOLD),
    )
    plan = solve(replace(problem, limits=nothing))
    assert plan.certificate.feasible
    assert (plan.choice == -1).all()


def selection(rng: np.random.Generator) -> tuple[Selection, FloatArray]:
    """Return a few users' pairs, bounds that meet or are open, and scores."""
    users, rows = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    group = np.repeat(np.arange(users), rng.integers(1, 4, users))
    amounts = rng.integers(0, 6, (rows, len(group))) * rng.integers(0, 2, (rows, len(group)))
    some = rng.random(len(group)) < 0.4
    usual = amounts[:, some].sum(axis=1)
    bounds = [None if rng.random() < 0.3 else int(x) for x in usual]
    hint = np.zeros(len(group), dtype=bool)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    forced = bool(rng.random() < 0.3)
    hint[starts[(rng.random(users) < 0.5) | forced]] = True
    made = Selection(
        objective=np.zeros(len(group)),
        group=group,
        forced=forced,
        matrix=sp.csr_array(amounts),
        lower=tuple(bounds),
        upper=tuple(bounds),
        hint=hint,
        elastic=np.empty(0),
    )
    return made, rng.normal(size=len(group))


def holds(asked: Selection, chosen: np.ndarray) -> bool:
    """Return whether a selection keeps every row, and each user's one pair."""
    each = np.bincount(asked.group, chosen, minlength=asked.group[-1] + 1)
    if each.max() > 1 or (asked.forced and each.min() < 1):
        return False
    used = asked.matrix @ chosen.astype(np.int64)
    return all(
        (low is None or x >= low) and (high is None or x <= high)
        for x, low, high in zip(used, asked.lower, asked.upper, strict=True)
    )


def test_what_is_fitted_holds_and_few_sets_are_missed() -> None:
    fitted = possible = 0
    for seed in range(400):
        asked, score = selection(np.random.default_rng(seed))
        pairs = len(asked.group)
        exists = pairs <= 10 and any(
            holds(asked, np.array(chosen, dtype=bool)) for chosen in product((0, 1), repeat=pairs)
        )
        answer = fit(asked, score, most=PLAN.fitted_changes)
        if answer.found:
            assert holds(asked, answer.chosen)
        if exists and len(asked.lower) == 1:  # rows are fitted one after the other
            possible += 1
            fitted += answer.found
    assert possible > 70
    assert fitted > 0.9 * possible


def test_what_is_not_ruled_out_is_not_called_impossible() -> None:
    problem, _ = draw(0, 12, share=0.0)
    params = SolveParams(relaxation=RelaxationParams(effort=1e-3))
    with pytest.raises(InfeasibleError, match="was found that keeps it, though none is ruled out"):
        solve(problem, params=params)
