"""The solver's settings: in range, and each with an effect that one can see."""

from __future__ import annotations

from dataclasses import fields

import pytest

from incentive_engine.allocation.params import (
    CurveParams,
    LinearParams,
    RelaxationParams,
    SolveParams,
)
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.solver_report import PriceStatus
from incentive_engine.errors import ConfigError

from .campaign import campaign


def test_settings_out_of_range_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        SolveParams(plan_gap=-1.0, core_users=0, price_gap=float("nan"))
    assert [fault.where for fault in refused.value.faults] == [
        "SolveParams: price_gap",
        "SolveParams: core_users",
        "SolveParams: plan_gap",
    ]


def test_every_default_is_in_its_range_and_at_its_ends_the_range_is_closed() -> None:
    for group in (SolveParams, LinearParams, RelaxationParams, CurveParams):
        for knob in fields(group):
            for end in ("least", "most") if knob.metadata else ():
                group(**{knob.name: knob.metadata[end]})


def test_any_settings_give_a_plan_within_its_own_bound_and_looser_ones_a_wider_gap() -> None:
    problem = campaign(2_000, seed=1)
    tight = solve(problem).certificate
    loose = solve(problem, params=SolveParams(plan_gap=0.2, price_gap=0.1, core_users=50, turns=0))
    assert loose.certificate.feasible
    assert loose.certificate.bound >= tight.value
    assert tight.gap <= loose.certificate.gap <= 0.3
    assert tight.solver.prices is PriceStatus.OPTIMAL
