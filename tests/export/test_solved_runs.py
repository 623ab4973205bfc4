"""Plans of the real solver, written, read back, and judged by the code that knows no solver."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incentive_engine.allocation.budgets.smallest_budget import smallest_budgets
from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.decisions.freezing import freeze_policy
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.per_user import margins, propensities, reasons
from incentive_engine.allocation.plans.plan import freeze_prices, solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.trials.holdout import draw_holdout, held_shares
from incentive_engine.domain import BoolArray, FloatArray, score_column
from incentive_engine.run.directory import (
    AllocationTable,
    RunFiles,
    RunRecord,
    write_run,
    written_policy,
)
from incentive_engine.run.statements import StatedExploring, StatedHoldout
from incentive_engine.verify.verification import verify_run
from verify.runs import reseal

OFFERS = ("off10", "off20", "vip50")


def scores(n_users: int, seed: int) -> pd.DataFrame:
    """Return a score table with strata, missing attributes, missing scores and bad effects."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "user_id": [f"u{i:06d}" for i in rng.permutation(n_users)],
            "tier": rng.choice(
                np.array(["88VIP", "gold", "silver", None]), n_users, p=[0.1, 0.3, 0.5, 0.1]
            ),
            "region": rng.choice(["华东", "华南", "west"], n_users),
            "age": np.where(rng.random(n_users) < 0.1, np.nan, rng.integers(18, 90, n_users)),
            "spend_12m": rng.lognormal(6, 1, n_users) * (rng.random(n_users) > 0.05),
        }
    )
    for j, offer in enumerate(OFFERS):
        lift = rng.normal(0.01 * (j + 1), 0.01, n_users)
        lift[rng.random(n_users) < 0.02] = np.nan
        frame[score_column("conversion", offer)] = lift
        frame[score_column("cost", offer)] = rng.gamma(2, 0.3 * (j + 1), n_users)
        frame[score_column("spend", offer)] = 90 * np.nan_to_num(lift) + rng.normal(
            0.5, 0.3, n_users
        )
        frame[score_column("points", offer)] = rng.random(n_users)
    return frame


def policy(**changes: Any) -> Policy:
    content: dict[str, Any] = {
        "version": 1,
        "name": "solved",
        "offers": [
            {"id": offer, "face_value": face}
            for offer, face in zip(OFFERS, (10, 20, 50.5), strict=True)
        ],
        "objective": {
            "maximise": {"conversion": 1.0, "spend": 0.001, "cost": -0.0001},
            "weight": [
                {"column": "tier", "values": {"88VIP": 3}},
                {"column": "spend_12m", "power": 0.25},
            ],
        },
        "eligibility": [
            {"offers": ["vip50"], "where": {"tier": ["88VIP", "gold"]}},
            {"offers": ["vip50", "off20"], "where": {"age": {"at_least": 20, "below": 80}}},
        ],
        "limits": [
            {"name": "vip floor", "sum": "cost", "where": {"tier": "88VIP"}, "at_least": "25%"},
            {"name": "region cap", "sum": "cost", "for_each": "region", "at_most": "40.3%"},
            {"name": "stock", "sum": "issued", "offers": ["off20"], "at_most": "5%"},
            {"name": "roi", "ratio": ["spend", "cost"], "at_least": 0.6, "at_most": 9},
            {"name": "points", "sum": "points", "at_most": 14.5},
            {"name": "faces", "sum": "face", "where": {"region": "west"}, "at_most": 240},
            {
                "name": "watch",
                "sum": "issued",
                "for_each": "tier",
                "at_most": 1,
                "report_only": True,
            },
        ],
        "budget": {"amount": 29.99},
        "holdout": 0.05,
        "holdout_strata": ["tier"],
        "seed": 7,
    }
    return Policy.model_validate({**content, **changes})


def allocation(
    plan: Allocation, table: ScoreTable, problem: Problem, held: FloatArray
) -> AllocationTable:
    chosen = np.flatnonzero(plan.choice >= 0)

    def of_chosen(measure: str) -> Any:
        columns = np.stack([table.measure(measure, offer) for offer in OFFERS])
        result = np.zeros(table.n_users)
        result[chosen] = columns[plan.choice[chosen], chosen]
        return result

    return AllocationTable(
        user_id=table.user_id,
        offers=OFFERS,
        choice=plan.choice,
        conversion=of_chosen("conversion"),
        spend=of_chosen("spend"),
        cost_micros=plan.cost_micros,
        weight=np.ones(table.n_users) if problem.weight is None else problem.weight,
        reason=reasons(problem, plan.choice),
        propensity=propensities(problem, held),
        margin=margins(problem, plan.choice, plan.prices),
        smallest_budget=smallest_budgets(problem),
    )


def certificate(plan: Allocation, table: ScoreTable) -> dict[str, Any]:
    chosen = plan.choice >= 0
    spend = np.stack([table.measure("spend", offer) for offer in OFFERS])
    total = float(spend[plan.choice[chosen], chosen].sum())
    cost = int(plan.cost_micros.sum()) / 1e6
    returns = {"spend": total, "cost": cost, "roi": total / cost if cost else None}
    return {
        **plan.certificate.to_dict(),
        "returns": {**returns, "marginal_roi": None},
        "mandate": {"min_roi": None, "min_marginal_roi": None, "cap": None},
    }


def write_solved(directory: Path, asked: Policy, frame: pd.DataFrame) -> Allocation:
    table = ScoreTable.from_frame(frame, asked)
    held: BoolArray = np.zeros(table.n_users, dtype=np.bool_)
    strata = table.attributes.select(asked.holdout_strata)
    if asked.holdout:
        held = draw_holdout(table.user_id, strata, share=asked.holdout, seed=asked.seed)
    problem = build_problem(asked, table, held)
    plan = solve(problem)
    frozen = freeze_policy(asked, table, held)
    write_run(
        directory,
        RunFiles(
            allocation=allocation(plan, table, problem, held_shares(strata, held)),
            scores=table.to_blocks(3),
            certificate=certificate(plan, table),
            frozen_policy=frozen.to_dict(),
            prices=freeze_prices(problem, plan, frozen).to_dict(),
            policy_text=written_policy(asked.model_dump(mode="json")),
            report="<!doctype html>",
            record=RunRecord(
                policy=asked.model_dump(mode="json"),
                policy_file=None,
                seed=asked.seed,
                holdout=StatedHoldout(share=asked.holdout or 0.0, users=int(held.sum())),
                explored=StatedExploring(
                    share=asked.explore or 0.0, users=int(problem.explores.sum())
                ),
            ),
        ),
    )
    return plan


NO_LIMITS: dict[str, Any] = {"limits": [], "holdout": 0}
CASES = {
    "many limits": {},
    "no weights": {"objective": {"maximise": "conversion"}},
    "exploring": {"explore": "20%"},
    "exploring for faces": {
        "explore": "20%",
        "budget": {"amount": 399.5, "basis": "face"},
        "limits": [],
    },
    "exploring at risk": {
        "explore": 0.1,
        "budget": {"amount": 399.5, "basis": "at-risk"},
        "limits": [],
    },
    "exploring one offer each": {
        "assignment": "exactly_one",
        "eligibility": [],
        "explore": 0.2,
        "budget": {"amount": 240},
        **NO_LIMITS,
    },
    "face budget": {"budget": {"amount": 399.5, "basis": "face"}, "limits": []},
    "no budget": {"budget": None, **NO_LIMITS},
    "budget of zero": {"budget": {"amount": 0}, **NO_LIMITS},
    "one offer each": {
        "assignment": "exactly_one",
        "eligibility": [],
        "budget": {"amount": 190},
        **NO_LIMITS,
    },
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("n_users", [6, 150])
def test_a_solved_plan_passes_every_check(
    changes: dict[str, Any], n_users: int, tmp_path: Path
) -> None:
    frame = scores(n_users, seed=n_users)
    if changes.get("assignment"):
        frame = frame.fillna({score_column("conversion", offer): -0.01 for offer in OFFERS})
    asked = policy(**changes)
    if n_users == 6 and "limits" not in changes:
        keep = ("stock", "points", "watch")
        asked = asked.model_copy(
            update={"limits": tuple(x for x in asked.limits if x.name in keep)}
        )
    plan = write_solved(tmp_path / "run", asked, frame)
    verification = verify_run(tmp_path / "run")
    assert verification.ok, verification.to_text()
    assert plan.certificate.gap < 0.05 or n_users == 6


def test_the_same_inputs_give_the_same_allocation_byte_for_byte(tmp_path: Path) -> None:
    write_solved(tmp_path / "one", policy(), scores(150, seed=3))
    write_solved(tmp_path / "two", policy(), scores(150, seed=3))
    first, second = (
        (tmp_path / name / "allocation.parquet").read_bytes() for name in ("one", "two")
    )
    assert first == second


def forge_arm(rows: pd.DataFrame) -> None:
    explorer = int(np.flatnonzero(rows["reason"] == "explored")[0])
    rows.loc[explorer, "reason"] = "priced_out"


def forge_propensity(rows: pd.DataFrame) -> None:
    explorer = int(np.flatnonzero((rows["propensity"] < 1) & (rows["reason"] == "offered"))[0])
    rows.loc[explorer, "propensity"] = 0.9


def forge_an_explorer(rows: pd.DataFrame) -> None:
    planned = int(np.flatnonzero((rows["propensity"] == 1) & (rows["reason"] == "offered"))[0])
    rows.loc[planned, "propensity"] = 0.25


def take_an_arm_away(rows: pd.DataFrame) -> None:
    explorer = int(np.flatnonzero((rows["propensity"] < 1) & (rows["reason"] == "offered"))[0])
    rows.loc[explorer, ["offer_id", "reason"]] = [None, "explored"]
    rows.loc[explorer, ["conversion", "spend", "cost"]] = 0.0
    rows.loc[explorer, "cost_micros"] = 0


@pytest.mark.parametrize(
    ("forge", "check"),
    [
        (forge_arm, "reasons"),
        (forge_propensity, "exploring"),
        (forge_an_explorer, "exploring"),
        (take_an_arm_away, "exploring"),
    ],
)
def test_lots_that_were_not_drawn_so_are_refused(
    forge: Callable[[pd.DataFrame], None], check: str, tmp_path: Path
) -> None:
    write_solved(tmp_path / "run", policy(explore=0.2, holdout=0.05), scores(150, seed=150))
    rows = pd.read_parquet(tmp_path / "run" / "allocation.parquet")
    forge(rows)
    rows.to_parquet(tmp_path / "run" / "allocation.parquet", index=False)
    reseal(tmp_path / "run")
    assert check in {found.name for found in verify_run(tmp_path / "run").failures}
