"""Runs whose attributes are dates, times and zoned timestamps, planned and verified."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from incentive_engine.config.access.location import local
from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.verify.verification import verify_run
from incentive_engine.workflow.allocate import allocate

POLICY = """\
version: 1
name: times
offers: [{id: a, face_value: 5}]
limits: [{name: cap, sum: cost, for_each: column, at_most: 8}]
holdout: 0.2
holdout_strata: [column]
"""

DAYS = [date(2025, 11, 10), date(2025, 11, 11), None]
TIMES = [time(8, 30), time(20, 0), None]
MOMENTS = [datetime(2025, 11, 11, tzinfo=UTC), datetime(2025, 11, 11, 8, tzinfo=UTC), None]

COLUMNS: dict[str, Any] = {
    "date32": pa.array(DAYS, pa.date32()),
    "date64": pa.array(DAYS, pa.date64()),
    "time32": pa.array(TIMES, pa.time32("s")),
    "time64": pa.array(TIMES, pa.time64("ns")),
    "zoned": pa.array(MOMENTS, pa.timestamp("us", tz="Asia/Shanghai")),
    "seconds": pa.array(MOMENTS, pa.timestamp("s")),
    "nanoseconds": pa.array(MOMENTS, pa.timestamp("ns")),
    "whole numbers with gaps": pa.array([1, 2, None], pa.int32()),
    "truth with gaps": pa.array([True, False, None]),
    "small numbers": pa.array([1.5, 2.5, None], pa.float32()),
    "decimals": pa.array([1, 2, None], pa.decimal128(10, 2)),
    "codes": pa.array(["a", "b", None]).dictionary_encode(),
    "large texts": pa.array(["a", "b", None], pa.large_string()),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_limit_for_each_value_of_any_kind_of_column_verifies(kind: str, tmp_path: Path) -> None:
    n = 60
    rng = np.random.default_rng(3)
    column = COLUMNS[kind].take(pa.array(np.arange(n) % 3))
    table = pa.table(
        {
            "user_id": np.arange(n),
            "column": column,
            "conversion__a": rng.uniform(0, 0.2, n),
            "cost__a": rng.uniform(0.5, 2.0, n),
        }
    )
    pq.write_table(table, tmp_path / "scores.parquet")
    policy = tmp_path / "times.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    allocate(
        policy,
        options=BudgetOptions(amount="15"),
        scores=local(tmp_path / "scores.parquet"),
        out=tmp_path / "run",
        brief=True,
    )
    verification = verify_run(tmp_path / "run")
    assert verification.ok, verification.failures
