from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.errors import ConfigError
from incentive_engine.export import selection
from incentive_engine.export.selection import Filters, read_filters, select
from incentive_engine.run.finished import FinishedRun, read_run
from verify.runs import HandMadeRun

from .exports import everyone_treated


def users_of(run: FinishedRun, **filters: Any) -> list[int]:
    selected = select(run, Filters(**filters))
    found = [user for batch in selected.batches() for user in batch.column("user_id").to_pylist()]
    assert len(found) == selected.total
    return found


@pytest.fixture
def run(tmp_path: Path) -> FinishedRun:
    """Six users with offers b a b a b a; 101 and 102 are 88VIP, 106 has no tier."""
    return read_run(everyone_treated(tmp_path / "run", range(101, 107)))


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (["tier=88VIP"], [101, 102]),
        (["tier=88VIP", "tier=gold"], [101, 102, 103, 104, 105]),
        (["tier=88VIP", "region=west"], [102]),
        (["spend_12m=400"], [101]),
    ],
)
def test_a_filter_leaves_users_with_any_value_of_each_column(
    only: list[str], expected: list[int], run: FinishedRun
) -> None:
    filters = read_filters(only, offers=(), min_budget_left=None)
    assert users_of(run, only=filters.only) == expected


@pytest.mark.parametrize(
    ("kind", "value"), [(pa.bool_(), "true"), (pa.float64(), "true"), (pa.float64(), "1")]
)
def test_truth_values_with_gaps_are_filtered_as_those_without(
    tmp_path: Path, kind: pa.DataType, value: str
) -> None:
    directory = everyone_treated(tmp_path / "run", range(101, 107))
    scores = pq.read_table(directory / "scores.parquet")
    member = pa.array([True, False] * 3).cast(kind)
    pq.write_table(scores.append_column("member", member), directory / "scores.parquet")
    assert users_of(read_run(directory), only={"member": (value,)}) == [101, 103, 105]


def test_a_filter_leaves_users_of_an_offer(run: FinishedRun) -> None:
    assert users_of(run, offers=("a",)) == [102, 104, 106]
    assert users_of(run, offers=("a",), only={"tier": ("gold",)}) == [104]


def test_batches_do_not_change_what_a_filter_leaves(
    run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "ROWS", 4)
    assert users_of(run, only={"region": ("east",)}) == [101, 103, 105]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"only": {"teir": ("88VIP",)}}, "did you mean `tier`"),
        (
            {"only": {"tier": ("88VP",)}},
            "no user with an offer is left by --only tier=88VP; ask for less",
        ),
        ({"only": {"spend_12m": ("much",)}}, "the column holds double, expected a value of it"),
        ({"offers": ("c",)}, "there is no offer `c`"),
        ({"min_budget_left": 9.0}, "at most 4.00 can be left"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(
    filters: dict[str, Any], message: str, tmp_path: Path
) -> None:
    plan = read_run(HandMadeRun().write(tmp_path / "run"))
    with pytest.raises(ConfigError) as raised:
        select(plan, Filters(**filters))
    assert message in str(raised.value)


@pytest.mark.parametrize("word", ["tier", "=gold"])
def test_a_word_that_is_no_condition_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="expected COLUMN=VALUE"):
        read_filters([word], offers=(), min_budget_left="10k")


def test_a_reserve_costs_the_least_valuable_offer_first(tmp_path: Path) -> None:
    # 101: value 6 x 0.2 for 3; 102: 3 x 0.08 for 1. The plan spends the budget of 4.
    plan = read_run(HandMadeRun().write(tmp_path / "run"))
    assert users_of(plan, min_budget_left=0.0) == [101, 102]
    assert users_of(plan, min_budget_left=0.5) == [101]
    assert users_of(plan, min_budget_left=1.0) == [101]
    with pytest.raises(ConfigError, match="no user with an offer is left"):
        select(plan, Filters(min_budget_left=1.1))


def test_a_reserve_of_a_budget_of_faces_counts_faces(tmp_path: Path) -> None:
    made = HandMadeRun()
    made.policy["budget"] = {"amount": 30.0, "basis": "face"}
    plan = read_run(made.write(tmp_path / "run"))
    assert users_of(plan, min_budget_left=5.0) == [101]


@given(data=st.data())
def test_a_reserve_is_kept_and_no_more_is_left_out_than_it_takes(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    micros = data.draw(st.lists(st.integers(1, 9_000_000), min_size=6, max_size=6))
    weight = data.draw(st.lists(st.floats(0.1, 10), min_size=6, max_size=6))
    plan = HandMadeRun()
    plan.rows["offer_id"] = ["b", "a"] * 3
    plan.rows["cost_micros"], plan.rows["weight"] = np.array(micros), weight
    plan.rows["conversion"] = 0.1
    plan.certificate["budget"]["spent"] = sum(micros) / 1e6
    plan.policy["budget"]["amount"] = sum(micros) / 1e6
    run = read_run(plan.write(tmp_path_factory.mktemp("reserve") / "run"))
    asked = data.draw(st.integers(0, sum(micros) - max(micros)))
    kept = set(users_of(run, min_budget_left=asked / 1e6))
    dropped = [n for n in range(6) if 101 + n not in kept]
    left = sum(micros[n] for n in dropped)
    assert left >= asked - 1
    density = [weight[n] / micros[n] for n in range(6)]
    if dropped:
        best = max(dropped, key=lambda n: density[n])
        assert left - micros[best] < asked + 1
        assert all(density[best] <= density[n] for n in range(6) if n not in dropped)
