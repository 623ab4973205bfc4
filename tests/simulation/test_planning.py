from typing import Any

import numpy as np
import pandas as pd
import pytest

from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.simulation.strategy.planning import Planner, remaining_limits, with_costs

N = 400
POLICY = Policy.model_validate(
    {
        "version": 1,
        "name": "p",
        "offers": [{"id": "a", "face_value": 10}, {"id": "b", "face_value": 20}],
        "objective": {
            "maximise": "conversion",
            "weight": [{"column": "tier", "values": {"V": 4}}],
        },
        "limits": [
            {"name": "floor", "sum": "cost", "where": {"tier": "V"}, "at_least": "30%"},
            {"name": "stock", "sum": "issued", "offers": ["b"], "at_most": 20},
            {"name": "each", "sum": "cost", "for_each": "tier", "at_most": "90%"},
            {"name": "roi", "ratio": ["conversion", "cost"], "at_least": 0.001},
        ],
        "budget": {"amount": 100},
    }
)


def scores(seed: int = 1) -> ScoreTable:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"user_id": np.arange(N), "tier": np.where(np.arange(N) < 80, "V", "r")})
    for offer, face in (("a", 10), ("b", 20)):
        frame[f"conversion__{offer}"] = rng.normal(0.01, 0.01, N)
        frame[f"cost__{offer}"] = rng.uniform(0.02, 0.10, N) * face
    return ScoreTable.from_frame(frame, POLICY)


def planner(**changes: Any) -> Planner:
    usual: dict[str, Any] = {
        "policy": POLICY,
        "forecast": scores(),
        "truth": scores(2),
        "blocked": np.zeros(N, dtype=np.bool_),
    }
    return Planner(**{**usual, **changes})


def spent(plan: Allocation) -> float:
    return float(plan.cost_micros.sum()) / 1e6


def test_the_engine_keeps_its_budget_and_its_limits() -> None:
    plan = planner().solved(100.0, favouring=True)
    members = plan.cost_micros[:80].sum() / 1e6
    assert members >= 30
    assert (plan.choice == 1).sum() <= 20
    assert 99 < spent(plan) <= 100


def test_not_favouring_members_gives_them_less() -> None:
    one = planner()
    favoured, alike = (one.plan(100.0, favouring=on)[:80] for on in (True, False))
    assert (favoured >= 0).sum() > (alike >= 0).sum()


def test_the_oracle_decides_by_the_truth() -> None:
    one = planner()
    assert not np.array_equal(
        one.plan(100.0, favouring=True), one.plan(100.0, favouring=True, knowing_truth=True)
    )


def test_a_plan_is_made_once() -> None:
    one = planner()
    assert one.solved(100.0, favouring=True) is one.solved(100.0, favouring=True)


def test_limits_shrink_by_what_is_out() -> None:
    issued = np.full(N, -1, dtype=np.int16)
    issued[:3] = 1
    left = {limit.name: limit for limit in remaining_limits(POLICY, scores(), issued)}
    used = float(scores().measure("cost", "b")[:3].sum())
    assert left["floor"].at_least is not None
    assert left["floor"].at_least.value == pytest.approx(30 - used)
    assert left["stock"].at_most is not None
    assert left["stock"].at_most.value == 17
    assert left["each[V]"].at_most is not None
    assert left["each[V]"].at_most.value == pytest.approx(90 - used)
    assert left["roi"] == POLICY.limits[3]


def test_a_later_wave_keeps_the_campaigns_limits_and_those_who_had_their_turn() -> None:
    one = planner()
    first = one.plan(100.0, favouring=True)
    gone = np.zeros(N, dtype=np.bool_)
    gone[::2] = True
    issued = np.where(gone, first, -1).astype(np.int16)
    later = one.after(issued, gone, cost_factor=1.2).plan(40.0, favouring=True)
    assert (later[gone] == -1).all()
    assert (issued == 1).sum() + (later == 1).sum() <= 20


def test_floors_that_can_no_longer_hold_are_given_up_before_the_campaign_is() -> None:
    one = planner()
    nobody = np.full(N, -1, dtype=np.int16)
    members_gone = np.arange(N) < 80
    later = one.after(nobody, members_gone, cost_factor=1.0).plan(50.0, favouring=True)
    assert (later >= 0).any()


def test_costs_are_scaled_and_nothing_else() -> None:
    double = with_costs(scores(), 2.0)
    assert np.allclose(double.measure("cost", "a"), 2 * scores().measure("cost", "a"))
    assert np.array_equal(double.measure("conversion", "b"), scores().measure("conversion", "b"))


def test_a_budget_at_risk_spends_less_the_surer_it_is_to_be() -> None:
    def at(confidence: float) -> float:
        risky = POLICY.with_budget(basis="at-risk", confidence=confidence)
        return spent(planner(policy=risky).solved(100.0, favouring=True))

    even, likely, sure = at(0.5), at(0.9), at(0.99)
    assert 99 < even <= 100
    assert sure < likely < even
