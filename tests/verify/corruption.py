"""Corruptions with fresh digests, so that only the recomputation can catch them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from incentive_engine.verify.verification import verify_run

from .runs import HandMadeRun

Corruption = Callable[[HandMadeRun], None]


class Cases:
    """Corruptions, each with the check that must fail and what its detail must say."""

    def __init__(self) -> None:
        self.parameters: list[Any] = []

    def __call__(self, check: str, *words: str) -> Callable[[Corruption], Corruption]:
        """Return a decorator that registers a corruption."""

        def add(corrupt: Corruption) -> Corruption:
            self.parameters.append(pytest.param(corrupt, check, words, id=corrupt.__name__))
            return corrupt

        return add


def assert_refused(corrupt: Corruption, check: str, words: tuple[str, ...], place: Path) -> None:
    """Corrupt a right run and see the named check fail, with the words in its detail."""
    run = HandMadeRun()
    corrupt(run)
    verification = verify_run(run.write(place / "run"))
    assert not verification.ok
    failed = {check.name: check.detail for check in verification.failures}
    assert check in failed, failed
    for word in words:
        assert word in failed[check]


def give(run: HandMadeRun, row: int, offer: str, reason: str = "offered") -> None:
    """Give a user an offer, with every number of the pair as in the scores."""
    scores = run.scores
    cost = int(np.ceil(np.round(np.nan_to_num(scores.loc[row, f"cost__{offer}"]) * 1e6, 3)))
    run.rows.loc[row, ["offer_id", "reason"]] = [offer, reason]
    run.rows.loc[row, "conversion"] = scores.loc[row, f"conversion__{offer}"]
    run.rows.loc[row, "spend"] = scores.loc[row, f"spend__{offer}"]
    run.rows.loc[row, "cost_micros"] = cost
    run.rows.loc[row, "cost"] = cost / 1e6


def set_budget(run: HandMadeRun, amount: float) -> None:
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy["budget"]["amount"] = amount
    run.certificate["budget"]["amount"] = amount


def set_limit(run: HandMadeRun, position: int, **changes: Any) -> None:
    for policy in (run.policy, run.policy_file):
        assert policy is not None
        policy["limits"][position].update(changes)
