from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incentive_engine.config.policy import Policy
from incentive_engine.run.format import read_manifest
from incentive_engine.verify.files import read_run
from incentive_engine.verify.proof import dual_bound
from incentive_engine.verify.recomputed.rules import groups
from incentive_engine.verify.recomputed.users import as_attribute, matching, read_users, weights
from incentive_engine.verify.verification import look, rules_of

from .runs import HandMadeRun, policy_by_hand

PRICE = st.floats(0, 2)
PRICES = st.fixed_dictionaries(
    {
        "budget": PRICE,
        "vip floor": PRICE.map(lambda price: -price),
        "region cap[east]": PRICE,
        "region cap[west]": PRICE,
        "stock": PRICE,
        "roi": PRICE,
    }
)


@given(prices=PRICES)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_price_vector_bounds_below_the_best_plan(
    prices: dict[str, float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = HandMadeRun()
    for name, price in prices.items():
        run.limit(name)["price"] = price
    directory = run.write(tmp_path_factory.mktemp("dual") / "run")
    read = read_run(directory, read_manifest(directory))
    users = read_users(directory / "scores.parquet", read.policy.attribute_columns)
    _, sums, _ = look(read, rules_of(read, users))
    bound = dual_bound(read, sums).amount
    assert bound >= 1.44 - 1e-12
    assert bound == pytest.approx(by_hand(prices), abs=1e-9)


def by_hand(price: dict[str, float]) -> float:
    """Write out the formula of the contract for the six users, term by term."""
    east, west = price["region cap[east]"], price["region cap[west]"]
    budget, floor, roi, stock = (price[x] for x in ("budget", "vip floor", "roi", "stock"))

    def net(
        value: float, cost: float, spend: float, region: float, *, vip: bool, b: bool
    ) -> float:
        money = budget + region + (floor if vip else 0.0)
        return value - money * cost - (stock if b else 0.0) - roi * (1.5 * cost - spend)

    users = [
        max(
            0.0,
            net(0.6, 1.000001, 5, east, vip=True, b=False),
            net(1.2, 3, 9, east, vip=True, b=True),
        ),
        max(
            0.0,
            net(0.24, 1, 3, west, vip=True, b=False),
            net(0.27, 2.5, 6, west, vip=True, b=True),
        ),
        max(0.0, net(0.06, 1.5, 2, east, vip=False, b=False)),
        max(0.0, net(-0.01, 1, 1, east, vip=False, b=False)),
    ]
    return sum(users) + 4 * budget + 2 * floor + 3.2 * (east + west) + 1 * stock


# --- conditions, weights, bounds


def frame(**columns: Any) -> pa.Table:
    table = pa.Table.from_pandas(pd.DataFrame(columns), preserve_index=False)
    return pa.table({name: as_attribute(table[name]) for name in table.column_names})


@pytest.mark.parametrize(
    ("column", "condition", "expected"),
    [
        (["a", "b", None], "a", [True, False, False]),
        (["a", "b", None], ["a", "b"], [True, True, False]),
        (["1", "2", None], 1, [False, False, False]),
        ([1.0, 2.0, np.nan], 1, [True, False, False]),
        ([1, 2, 3], "1", [False, False, False]),
        ([59.9, 60.0, np.nan], {"at_least": 60}, [False, True, False]),
        ([60.0, 90.0, 89.9], {"at_least": 60, "below": 90}, [True, False, True]),
        ([-1.0, 0.0, np.nan], {"below": 0}, [True, False, False]),
        ([True, False, True], True, [True, False, True]),
        (pd.to_datetime(["2025-11-11", "2025-11-12", "NaT"]), "2025-11-11", [False] * 3),
    ],
)
def test_a_condition_matches_as_the_contract_says(
    column: Any, condition: Any, expected: list[bool]
) -> None:
    where = Policy.model_validate(
        {**policy_by_hand(), "eligibility": [{"offers": ["a"], "where": {"x": condition}}]}
    )
    assert matching(frame(x=column), where.eligibility[0].where).tolist() == expected


def test_several_columns_mean_all_of_them() -> None:
    where = Policy.model_validate(
        {**policy_by_hand(), "eligibility": [{"offers": ["a"], "where": {"x": 1, "y": "q"}}]}
    )
    table = frame(x=[1, 1, 2], y=["q", "r", "q"])
    assert matching(table, where.eligibility[0].where).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("column", "factor", "expected"),
    [
        (["a", "b", None], {"values": {"a": 3, "c": 9}}, [3.0, 1.0, 1.0]),
        ([1, 2, 3], {"values": {1: 3, 3: 0}}, [3.0, 1.0, 0.0]),
        ([100.0, 400.0, 25.0], {"power": 0.5}, [1.0, 2.0, 0.5]),
        ([1.0, 1e9, 1e9, np.nan], {"power": -1}, [10.0, 1.0, 1.0, 1.0]),
        ([1e9, 1.0, 1.0, np.nan], {"power": 1}, [10.0, 1.0, 1.0, 1.0]),
        ([4.0, -4.0, 16.0], {"power": 1, "clip": [0, 3]}, [1.0, 0.0, 3.0]),
        ([4.0, 0.0, 4.0], {"power": -1}, [1.0, 10.0, 1.0]),
        ([0.0, 0.0, 5.0], {"power": 1}, [0.1, 0.1, 5.0]),  # a median of 0 counts 1
        ([np.nan, np.nan, np.nan], {"power": 1}, [1.0, 1.0, 1.0]),
    ],
)
def test_a_weight_follows_its_factor(
    column: Any, factor: dict[str, Any], expected: list[float]
) -> None:
    policy = Policy.model_validate(
        {**policy_by_hand(), "objective": {"weight": [{"column": "x", **factor}]}}
    )
    assert weights(frame(x=column), policy) == pytest.approx(expected)


def test_percentages_are_exact_and_ratios_with_two_bounds_become_two_limits() -> None:
    policy = Policy.model_validate(
        {
            **policy_by_hand(),
            "budget": {"amount": 200_000},
            "limits": [
                {"name": "cap", "sum": "cost", "at_most": "7%"},
                {"name": "some", "sum": "issued", "at_least": "10%"},
                {"name": "roi", "ratio": ["spend", "cost"], "at_least": 1.5, "at_most": 3},
            ],
        }
    )
    table = frame(tier=["88VIP"] * 15)
    found = {name: group for group in groups(policy, table) for name in group.names}
    assert set(found) == {"budget", "cap", "some", "roi[at_least]", "roi[at_most]"}
    assert found["cap"].at_most == 14_000
    assert found["some"].at_least == Fraction(3, 2)
    assert found["roi[at_most]"].at_least is None
