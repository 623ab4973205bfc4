"""Users whom the run does not know are decided by the policy's model, from their features."""

from __future__ import annotations

from pathlib import Path

import incentive_engine as ie
from library.market import model, people, policy

from .servers import serving


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
