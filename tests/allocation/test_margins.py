from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incentive_engine.allocation.plans.per_user import margins
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import to_micros

from .problems import draw_solved

SEEDS = st.integers(0, 10**6)


def score(problem: Problem, prices: dict[str, float], offer: int, user: int) -> float:
    """Value − Σ price·usage of a pair, written out limit by limit."""
    amounts = {
        name: float(problem.columns[m, offer, user]) for m, name in enumerate(problem.measures)
    }
    amounts["cost"] = to_micros(amounts["cost"]).item() / 1e6
    assert problem.face is not None
    amounts |= {"issued": 1.0, "face": to_micros(problem.face[offer]).item() / 1e6}
    net = float(problem.value[offer, user])
    for limit in problem.enforced:
        inside = limit.cells is None or limit.cells[problem.cell[user]]
        counted = limit.offers is None or limit.offers[offer]
        if inside and counted:
            used = sum(each * amounts[name] for name, each in limit.terms)
            net -= prices[limit.name] * used
    return net


@given(seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_the_margin_is_the_distance_to_the_best_other_choice(seed: int) -> None:
    problem, plan = draw_solved(seed)
    found = margins(problem, plan.choice, plan.prices)
    for user in range(problem.n_users):
        scores = {
            offer: score(problem, dict(plan.prices), offer, user)
            for offer in range(len(problem.offers))
            if problem.value[offer, user] > -np.inf
        }
        if not problem.exactly_one:
            scores[-1] = 0.0
        own = scores.pop(int(plan.choice[user]), None)
        if own is None or not scores:
            assert np.isnan(found[user])
        else:
            assert found[user] == pytest.approx(own - max(scores.values()), abs=1e-9)


def test_users_without_a_choice_have_no_margin() -> None:
    value = np.array([[-np.inf, 1.0, 2.0], [-np.inf, -np.inf, 0.5]])
    problem = Problem(offers=("a", "b"), value=value, exactly_one=False)
    found = margins(problem, np.array([-1, 0, 0], dtype=np.int16), {})
    assert np.isnan(found[0])
    assert found[1:].tolist() == [1.0, 1.5]
    forced = Problem(offers=("a", "b"), value=value, exactly_one=True)
    found = margins(forced, np.array([-1, 0, 1], dtype=np.int16), {})
    assert np.isnan(found[:2]).all()
    assert found[2] == -1.5
