"""A campaign that a server decided, from its calls to the next model: everything by commands."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from .servers import PROGRAM, serving

USERS, EVER = 900, 700
"""Users of the campaign, and those of them who came."""
OFFERS = {"off5": 5, "off10": 10}
HOLDOUT, EXPLORE = 0.1, 0.3


def policy(folder: Path, name: str, *, explore: float = EXPLORE, **data: object) -> Path:
    content = {
        "version": 1,
        "name": name,
        "offers": [{"id": offer, "face_value": face} for offer, face in OFFERS.items()],
        "budget": {"amount": 3000},
        "holdout": HOLDOUT,
        "explore": explore,
        "seed": 3,
        **({"data": data} if data else {}),
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def people(count: int, prefix: str, rng: np.random.Generator) -> pd.DataFrame:
    visits = rng.poisson(4, count)
    names = [f"{prefix}{n}" for n in range(count)]
    return pd.DataFrame({"user_id": names, "visits": visits, "age": rng.integers(18, 70, count)})


def first_trial(rng: np.random.Generator) -> pd.DataFrame:
    frame = people(1500, "t", rng)
    arm = rng.integers(0, 3, len(frame))
    bought = rng.random(len(frame)) < 0.15 + 0.05 * arm
    return frame.assign(
        offer=np.array(["control", *OFFERS])[arm],
        conversion=bought.astype(int),
        spend=60.0 * bought,
        cost=np.array([0, *OFFERS.values()])[arm] * bought,
        propensity=1 / 3,
    )


def command(*words: object) -> str:
    done = subprocess.run(  # noqa: S603 - our own program
        [*PROGRAM, *map(str, words)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run, its users, the ledger of what a server decided, and orders."""
    folder, rng = tmp_path_factory.mktemp("served"), np.random.default_rng(2)
    users = people(USERS, "u", rng)
    users.to_parquet(folder / "users.parquet", index=False)
    scores = users[["user_id"]].copy()
    for offer, face in OFFERS.items():
        scores[f"conversion__{offer}"] = rng.normal(0.04 * face / 5, 0.03, USERS)
        scores[f"spend__{offer}"] = 60 * scores[f"conversion__{offer}"]
        scores[f"cost__{offer}"] = rng.uniform(0.1, 0.4, USERS) * face
    scores.to_parquet(folder / "scores.parquet", index=False)
    run = folder / "live"
    command(
        "allocate", policy(folder, "live"), "--scores", folder / "scores.parquet", "--out", run
    )
    orders = []
    with serving(run, "--ledger", str(folder / "ledger")) as server:
        caller = server.caller()
        for user in users["user_id"][:EVER]:
            decided = caller.decide(user)
            assert decided.status == 200, decided.json
            if rng.random() < 0.2:
                orders.append({"user_id": user, "amount": 60.0})
                if decided.json["offer_id"] is not None:
                    face = OFFERS[decided.json["offer_id"]]
                    assert caller.redeem(decided.json["decision_id"], str(face)).status == 200
    pd.DataFrame(orders).to_csv(folder / "orders.csv", index=False)
    return folder


def learned(served: Path) -> pd.DataFrame:
    trials = served / "trials"
    if not trials.exists():
        command(
            "learn", served / "live", "--outcomes", served / "orders.csv",
            "--ledger", served / "ledger", "--users", served / "users.parquet", "--into", trials,
        )  # fmt: skip
    return pd.read_parquet(trials / "live.parquet")


def test_who_came_and_was_held_out_or_explored_is_a_trial_with_what_was_redeemed(
    served: Path,
) -> None:
    rows = learned(served).set_index("user_id")
    command("ledger", served / "ledger", "--out", served / "entries.parquet")
    entries = pd.read_parquet(served / "entries.parquet").drop_duplicates("user_id", keep="last")
    plan = pd.read_parquet(served / "live" / "allocation.parquet").set_index("user_id")
    came = plan.iloc[:EVER]
    explored = came[(came["propensity"] < 1) & (came["reason"] != "holdout")]
    held = came[came["reason"] == "holdout"]
    assert {*rows.index} == {*explored.index, *held.index}
    assert len(explored) > 100
    given = rows.loc[explored.index, "offer"]
    assert given.tolist() == explored["offer_id"].fillna("control").tolist()
    paid = entries.set_index("user_id")["amount_micros"].reindex(rows.index).fillna(0) / 1e6
    assert rows["cost"].to_numpy() == pytest.approx(paid.to_numpy())
    logged = entries.set_index("user_id").loc[explored.index, "propensity"]
    assert logged.to_numpy() == pytest.approx(1 / 3)
    orders = pd.read_csv(served / "orders.csv").set_index("user_id")["amount"]
    assert rows["spend"].to_numpy() == pytest.approx(orders.reindex(rows.index).fillna(0))


def test_its_propensities_are_those_among_holdout_and_explorers(served: Path) -> None:
    rows = learned(served)
    share = HOLDOUT + (1 - HOLDOUT) * EXPLORE
    drawn = (1 - HOLDOUT) * EXPLORE / 3
    control = rows["offer"] == "control"
    assert rows.loc[~control, "propensity"].to_numpy() == pytest.approx(drawn / share, rel=0.01)
    assert rows.loc[control, "propensity"].to_numpy() == pytest.approx(
        (HOLDOUT + drawn) / share, rel=0.01
    )


def test_the_next_model_learns_from_the_first_trial_and_from_the_campaign(served: Path) -> None:
    learned(served)
    first_trial(np.random.default_rng(5)).to_parquet(served / "first.parquet", index=False)
    following = policy(
        served,
        "next",
        explore=0,
        users="users.parquet",
        trial=["first.parquet", "trials/live.parquet"],
    )
    command("allocate", following, "--budget", "500", "--out", served / "next-run")
    command("verify", served / "next-run")
    page = (served / "next-run" / "report.html").read_text(encoding="utf-8")
    assert f"live: {len(learned(served))} rows" in page
    assert "Nobody explores" in page  # now, so that a share is proposed
    assert "Proposed share: " in page
    assert re.search(r"first[^:]*: 1,500 rows", page)
