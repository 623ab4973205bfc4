"""Columns in scratch files give the plan that columns in memory give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incentive_engine import knobs
from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.per_user import margins, reasons
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import read_scores
from incentive_engine.data.sources import open_source
from incentive_engine.data.tables import mapped_pages
from incentive_engine.knobs import MemoryParams

USERS = 3_000


def write_scores(path: Path) -> None:
    rng = np.random.default_rng(5)
    columns = {
        f"{measure}__{offer}": rng.gamma(2.0, size * (1 + at), USERS).astype(np.float32)
        for measure, size in (("conversion", 0.02), ("cost", 0.5))
        for at, offer in enumerate("ab")
    }
    columns["conversion__b"][::9] = np.nan
    tier = rng.choice(["gold", "basic"], USERS)
    frame = pd.DataFrame({"user_id": np.arange(USERS), "tier": tier, **columns})
    frame.to_parquet(path, index=False)


def policy() -> Policy:
    return Policy.model_validate(
        {
            "version": 1,
            "name": "mapped",
            "offers": [{"id": "a", "face_value": 5}, {"id": "b", "face_value": 10}],
            "eligibility": [{"offers": ["b"], "where": {"tier": "gold"}}],
            "limits": [{"name": "gold", "sum": "cost", "where": {"tier": "gold"}, "at_most": 200}],
            "budget": {"amount": 500},
        }
    )


def test_mapped_columns_give_the_same_plan(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_scores(tmp_path / "scores.parquet")
    found = []
    for largest in (MemoryParams().columns, 1_000):
        small = MemoryParams(columns=largest, stride=700, rows=800, mapped_users=500)
        monkeypatch.setattr(knobs, "MEMORY", small)
        table = read_scores(open_source(tmp_path / "scores.parquet"), policy())
        problem = build_problem(policy(), table, np.zeros(USERS, dtype=np.bool_))
        assert bool(mapped_pages.MAPPED) == (largest == 1_000)
        assert problem.columns.dtype == np.float32
        assert np.shares_memory(problem.columns, table.measures["cost"])
        plan = solve(problem)
        found.append(
            (
                plan.choice,
                reasons(problem, plan.choice),
                margins(problem, plan.choice, plan.prices),
            )
        )
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
