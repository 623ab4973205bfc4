"""Runs to serve: two offers, two regions, a stock, and a budget that leaves some users out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import yaml

from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.workflow.allocate import allocate


def policy(budget: dict[str, Any], **offer: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "spring",
        "timezone": "UTC",
        "offers": [{"id": "a", "face_value": 10, **offer}, {"id": "b", "face_value": 20, **offer}],
        "limits": [
            {"name": "region", "sum": "cost", "for_each": "region", "at_most": "60%"},
            {"name": "stock", "sum": "issued", "offers": ["b"], "at_most": 5},
            {"name": "north floor", "sum": "cost", "where": {"region": "north"}, "at_least": 1},
            {"name": "roi", "ratio": ["spend", "cost"], "at_least": 0.5},
        ],
        "budget": budget,
        "holdout": 0.1,
        "seed": 3,
    }


def scores(users: int, *, numbers: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    ids = [n if numbers else f"用户/{n}" for n in range(users)]
    table: dict[str, Any] = {"user_id": ids, "region": rng.choice(["north", "south"], users)}
    for offer, face in (("a", 10.0), ("b", 20.0)):
        table[f"conversion__{offer}"] = rng.normal(0.04, 0.03, users)
        table[f"cost__{offer}"] = rng.uniform(0.1, 0.5, users) * face
        table[f"spend__{offer}"] = rng.uniform(2.0, 9.0, users)
    return pd.DataFrame(table)


def solved(
    folder: Path,
    *,
    users: int = 40,
    budget: dict[str, Any] | None = None,
    numbers: bool = False,
    demands: dict[str, Any] | None = None,
    unscored: dict[str, int] | None = None,
    campaign: dict[str, Any] | None = None,
    **offer: Any,
) -> Path:
    """Return the directory of a run that was planned in a folder.

    Parameters
    ----------
    demands
        More of the policy.
    unscored
        Offer to the row of a user of whom nothing is known with it.
    offer
        More of each offer.
    """
    folder.mkdir(exist_ok=True)
    content = policy(budget or {"amount": 60.0}, **offer) | (demands or {})
    if campaign is not None:
        content["campaign"] = campaign
    text = yaml.safe_dump(content, sort_keys=False)
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    table = scores(users, numbers=numbers)
    for name, row in (unscored or {}).items():
        table.loc[row, [f"{measure}__{name}" for measure in ("conversion", "cost", "spend")]] = (
            np.nan
        )
    table.to_parquet(folder / "scores.parquet", index=False)
    allocate(
        folder / "policy.yaml",
        options=BudgetOptions(),
        scores=folder / "scores.parquet",
        out=folder / "run",
    )
    return folder / "run"


def plan(run: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's allocation."""
    rows: list[dict[str, Any]] = pq.read_table(run / "allocation.parquet").to_pylist()
    return rows
