"""Sweeps over shards of the users, on processes: the plan of one machine, choice by choice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from incentive_engine.allocation import Problem, solve
from incentive_engine.allocation.population import sharded
from incentive_engine.allocation.population.sharded import ShardFile, in_shards, mapped, staged
from incentive_engine.allocation.population.users import users_of
from incentive_engine.errors import DataError, SetupError
from incentive_engine.fleet import Processes, SharedWork

from .campaign import campaign

HERE = Processes(workers=1)


@pytest.fixture(scope="module")
def problem() -> Problem:
    """Return a campaign with limits of every kind."""
    return campaign(3_000, seed=4)


@pytest.mark.parametrize("shards", [1, 7, 64])
def test_the_plan_is_the_same_for_any_number_of_shards(
    problem: Problem, shards: int, tmp_path: Path
) -> None:
    alone = solve(problem)
    plan = solve(problem, shared=SharedWork(fleet=HERE, folder=tmp_path, shards=shards))
    np.testing.assert_array_equal(plan.choice, alone.choice)
    assert plan.certificate.to_dict() == alone.certificate.to_dict()
    assert list(tmp_path.iterdir()) == []


def test_shards_may_be_empty(problem: Problem, tmp_path: Path) -> None:
    users = users_of(problem)
    work = SharedWork(fleet=HERE, folder=tmp_path, shards=users.n + 5)
    with in_shards(users, work) as more:
        assert more.shards is not None
        assert min(file.users for file in more.shards.files) == 0
        assert sum(file.users for file in more.shards.files) == users.n


def test_a_shard_is_staged_once_and_whole(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv(sharded.STAGE, str(own))
    work = SharedWork(fleet=HERE, folder=tmp_path / "a", shards=2)
    with in_shards(users_of(problem), work) as users:
        assert users.shards is not None
        first, second = (staged(users.shards.files[1]) for _ in range(2))
    assert first == second
    assert first.parent == own
    assert [path.name for path in own.iterdir()] == [first.name]
    assert {path.name for path in first.iterdir()} == {"value.npy", "columns.npy", "cell.npy"}


def test_a_shard_that_a_worker_cannot_read_says_what_must_be_shared(tmp_path: Path) -> None:
    lost = ShardFile(folder=str(tmp_path / "gone"), users=5, digest="00000000")
    with pytest.raises(SetupError, match="keep INCENTIVE_CACHE on a file system that executors"):
        mapped(lost)


def test_a_folder_without_room_is_refused(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharded, "FREE", 1e15)
    work = SharedWork(fleet=HERE, folder=tmp_path, shards=2)
    with pytest.raises(DataError, match="has no room for"), in_shards(users_of(problem), work):
        pass
