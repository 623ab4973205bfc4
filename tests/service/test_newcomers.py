"""Users whom the run does not know are decided by the policy's model, from their features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import incentive_engine as ie
from features.examples import MOMENT, declaration, made, random_log
from library.market import model, people, policy, trial_frame

from .servers import Caller, serving


def test_a_user_from_features_gets_what_the_same_user_of_the_run_gets(tmp_path: Path) -> None:
    users = people(200, seed=5).assign(user_id=[f"u{row}" for row in range(200)])
    plan = ie.allocate(model().score(users, policy()), policy(), budget=120)
    plan.save(tmp_path / "run")
    model().save(tmp_path / "model")
    frame = plan.to_frame()
    clear = frame[(frame["reason"] != "holdout") & (frame["margin"] > 0)].head(30)
    with serving(tmp_path / "run", "--model", str(tmp_path / "model")) as server:
        caller = server.caller()
        given = 0
        for row in clear.to_dict("records"):
            features = users.loc[users["user_id"] == row["user_id"]].drop(columns="user_id")
            (body,) = features.to_dict("records")
            known = caller.user(row["user_id"]).json
            answer = caller.decide(f"new {row['user_id']}", features=body)
            if answer.json["reason"] == "holdout":
                continue  # another id may be drawn
            assert answer.json["offer_id"] == known["offer_id"]
            assert answer.json["cost_micros"] == known["cost_micros"]
            given += answer.json["state"] == "reserved"
        assert given > 3
        assert caller.decide("nobody").status == 404
        lacking = caller.decide("nobody", features={"age": 3.0})
        assert (lacking.status, lacking.headers["content-type"]) == (
            422,
            "application/problem+json",
        )
        wrong = caller.decide("nobody", features={"age": "old", "visits": 1.0, "region": "north"})
        assert wrong.status == 422
        large = caller.decide("nobody", features={"age": 1 << 63, "visits": 1, "region": "north"})
        assert (large.status, b"64 bits" in large.content) == (422, True)
        elsewhere = caller.decide("nobody", features={"age": 30.0, "visits": 1.0})
        assert (elsewhere.status, b"region" in elsewhere.content) == (422, True)


DECLARED: list[dict[str, Any]] = [
    {"count": ["order"], "within": ["30d"]},
    {"recency": ["order"]},
    {"mean": "amount", "of": ["order"], "within": ["90d"]},
    {"entropy": "category", "of": ["order"], "within": ["365d"]},
]


def remembering() -> ie.Policy:
    log = {"source": "log.parquet", "time": "time", "kind": "kind"}
    log |= {"category": "category", "amount": "amount"}
    moments = {"users": MOMENT.isoformat()}
    return policy(history={"events": [log], "moments": moments, "features": DECLARED})


def remembered(rows: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the features of their users' events."""
    asked = pd.DataFrame({"user_id": rows["user_id"].astype(str), "moment": MOMENT})
    table, _ = made(log, asked, [declaration(**written) for written in DECLARED])
    return rows.reset_index(drop=True).join(table)


def test_a_user_with_events_gets_what_their_features_in_the_run_get(tmp_path: Path) -> None:
    rng, declared = np.random.default_rng(5), remembering()
    trial = trial_frame(4000).assign(user_id=[f"u{row % 300}" for row in range(4000)])
    log = random_log(rng, users=300, events=6000).drop(columns="known")
    log = log[log["kind"] == "order"]  # other kinds, which no feature counts, are refused
    trial = remembered(trial, log).assign(user_id=range(4000))
    users = remembered(people(120, seed=5).assign(user_id=[f"u{n}" for n in range(120)]), log)
    fitted = ie.fit(ie.Trial.from_frame(trial, declared), declared, seed=2)
    plan = ie.allocate(fitted.score(users, declared), declared, budget=70)
    plan.save(tmp_path / "run")
    fitted.save(tmp_path / "model")
    clear = plan.to_frame()
    clear = clear[(clear["reason"] != "holdout") & (clear["margin"] > 0)].head(20)
    with serving(tmp_path / "run", "--model", str(tmp_path / "model")) as server:
        caller, given = server.caller(), 0
        for user in clear["user_id"]:
            own = users.loc[users["user_id"] == user, ["region", "visits", "age"]]
            body, known = own.to_dict("records")[0], caller.user(user).json
            sent, moment = events(log[log["user_id"] == user]), MOMENT.isoformat()
            answer = caller.decide(f"new {user}", features=body, events=sent, moment=moment)
            assert answer.status == 200, answer.content
            if answer.json["reason"] != "holdout":  # another id may be drawn
                assert answer.json["offer_id"] == known["offer_id"]
                assert answer.json["cost_micros"] == known["cost_micros"]
                given += answer.json["state"] == "reserved"
        assert given > 3
        again = caller.decide("again", key="k", features=body, events=sent, moment=moment)
        assert caller.decide(
            "again", key="k", features=body, events=sent, moment=moment
        ).content == (again.content)
        assert caller.decide("again", key="k", features=body, events=sent).status == 422
        _refused(caller, body)


def events(log: pd.DataFrame) -> dict[str, Any]:
    plain = log.astype(object).where(log.notna(), None)
    return {
        "time": [moment.isoformat() for moment in log["time"]],
        "kind": plain["kind"].tolist(),
        "category": plain["category"].tolist(),
        "amount": [value if value is None else int(value) for value in plain["amount"]],
    }


def _refused(caller: Caller, body: dict[str, Any]) -> None:
    """See that what are no events is told by its place, and that nothing is reserved."""
    before = caller.pool()
    time = ["2026-11-09T10:00:00Z"]
    for sent, moment, where, told in (
        ({"time": ["2026-11-09 10:00"], "kind": "order"}, None, "events: time", "no zone"),
        ({"time": ["soon"], "kind": "order"}, None, "events: time", "is no time"),
        ({"time": time, "kind": "oder"}, None, "events: kind", "no feature counts"),
        ({"time": time, "kind": ["order"] * 2}, None, "events: kind", "2 values"),
        ({"time": time, "kind": "order", "amount": ["1"]}, None, "events.amount", "int"),
        ({"time": time, "kind": "order", "amount": [10**13]}, None, "events", "beyond"),
        ({"time": time * 100_001, "kind": "order"}, None, "events.time", "100000"),
        ({"time": time, "kind": "order"}, "2026-11-10 20:00", "moment", "no zone"),
        ({"time": time, "kind": "order"}, "2999-01-01T00:00:00Z", "moment", "future"),
        ({"kind": "order"}, None, "events", "missing required field"),
    ):
        more = {} if moment is None else {"moment": moment}
        answer = caller.decide("someone", features=body, events=sent, **more)
        assert answer.status == 422, (sent.keys(), answer.content)
        assert answer.headers["content-type"] == "application/problem+json"
        assert where in answer.json["where"], answer.json
        assert told in answer.json["what"], answer.json
    twice = caller.decide(
        "someone", features={**body, "recency_order": 1.0}, events={"time": time, "kind": "order"}
    )
    assert (twice.status, "recency_order" in twice.json["what"]) == (422, True)
    large = caller.call("POST", "/v1/decisions", b" " * ((16 << 20) + 1), Idempotency_Key="large")
    assert large.status == 413
    assert caller.pool() == before
