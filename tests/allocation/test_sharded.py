"""Sweeps over shards of the users, on processes: the plan of one machine, choice by choice."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from incentive_engine import knobs
from incentive_engine.allocation.limits import sum_limit
from incentive_engine.allocation.params import PLAN
from incentive_engine.allocation.plans.plan import solve, solve_population
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.population import Population
from incentive_engine.allocation.population.shards import mapped as mapping
from incentive_engine.allocation.population.shards.mapped import (
    ShardFile,
    mapped,
    staged,
    write_shard,
)
from incentive_engine.allocation.population.shards.sharded import ShardedUsers
from incentive_engine.allocation.population.shards.spread import in_shards
from incentive_engine.allocation.problem import Problem
from incentive_engine.errors import DataError, InfeasibleError, SetupError
from incentive_engine.fleet import Processes, Result, Shard, SharedWork
from incentive_engine.knobs import MemoryParams

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


def test_the_plan_is_the_same_where_columns_are_too_many_to_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of so many users stays in shards, and users are fetched once they are known."""
    monkeypatch.setattr(knobs, "MEMORY", MemoryParams(answer=2_000))
    many = campaign(60_000, k=4, seed=2, dtype=np.float32)
    alone = solve(many)
    plan = solve(many, shared=SharedWork(fleet=HERE, folder=tmp_path, shards=5))
    np.testing.assert_array_equal(plan.choice, alone.choice)
    assert plan.certificate.to_dict() == alone.certificate.to_dict()
    assert list(tmp_path.iterdir()) == []


def test_limits_that_cannot_hold_are_named_alike(problem: Problem, tmp_path: Path) -> None:
    floor = sum_limit("many", "issued", at_least=2_900.0)
    impossible = replace(problem, limits=(*problem.limits, floor))
    words = []
    for shared in (None, SharedWork(fleet=HERE, folder=tmp_path, shards=7)):
        with pytest.raises(InfeasibleError) as said:
            solve(impossible, shared=shared)
        words.append(str(said.value))
    assert words[0] == words[1]


def test_mapped_users_are_a_population_and_travel_by_name(
    problem: Problem, tmp_path: Path
) -> None:
    users = users_of(problem)
    file = write_shard(users, slice(0, users.n), tmp_path / "all", plan=tmp_path)
    population: Population = mapped(file, users.units)
    sent = pickle.dumps(population)
    assert len(sent) < 5_000
    ours, theirs = (
        solve_population(problem, everyone)
        for everyone in (users, pickle.loads(sent))  # noqa: S301
    )
    assert theirs.certificate.to_dict() == ours.certificate.to_dict()
    np.testing.assert_array_equal(theirs.draft.everybody(population), ours.draft.everybody(users))


def test_only_few_users_come_back_however_many_there_are(tmp_path: Path) -> None:
    problem = campaign(200_000, k=4, floors=False, dtype=np.float32)
    with in_shards(users_of(problem), SharedWork(fleet=HERE, folder=tmp_path)) as everyone:
        solved = solve_population(problem, everyone)
    assert solved.optimum.step is not None
    assert len(solved.optimum.step.core.index) <= PLAN.largest_core_users
    assert len(solved.draft.index) <= PLAN.largest_core_users


@dataclass
class CountedJobs:
    """Workers that count what they are asked."""

    jobs: int = 0

    def map(self, task: Callable[[Shard], Result], shards: Sequence[Shard]) -> list[Result]:
        self.jobs += 1
        return HERE.map(task, shards)


def test_several_prices_go_out_with_one_job(problem: Problem, tmp_path: Path) -> None:
    users, fleet = users_of(problem), CountedJobs()
    shape = (users.shape[0] - 1, *users.shape[1:])
    prices = [np.full(shape, price) for price in (0.0, 0.01, 0.05)]
    with in_shards(users, SharedWork(fleet=fleet, folder=tmp_path, shards=7)) as everyone:
        tables = everyone.usages(prices)
    assert fleet.jobs == 1
    for table, price in zip(tables, prices, strict=True):
        np.testing.assert_array_equal(table.totals, users.usage(price).totals)


def test_shards_may_be_empty(tmp_path: Path) -> None:
    users = users_of(campaign(100, seed=4))
    work = SharedWork(fleet=HERE, folder=tmp_path, shards=users.n + 5)
    with in_shards(users, work) as more:
        assert isinstance(more, ShardedUsers)
        assert min(file.users for file in more.files) == 0
        assert sum(file.users for file in more.files) == users.n


def staged_twice(problem: Problem, folder: Path) -> tuple[Path, Path]:
    """Return where a worker reads the second of two shards, asked twice in one plan."""
    with in_shards(users_of(problem), SharedWork(fleet=HERE, folder=folder, shards=2)) as users:
        assert isinstance(users, ShardedUsers)
        first, second = (staged(users.files[1]) for _ in range(2))
    return first, second


def test_a_shard_is_staged_once_and_whole_and_the_next_plan_finds_it(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    monkeypatch.setenv("INCENTIVE_STAGE", str(own))
    first, second = staged_twice(problem, tmp_path / "a")
    made = first.stat().st_mtime_ns
    assert (first, first) == (second, staged_twice(problem, tmp_path / "a")[0])
    assert first.stat().st_mtime_ns == made
    assert [path.name for path in own.iterdir()] == [first.name]
    assert {path.name for path in first.iterdir()} == {
        "value.npy", "columns.npy", "cell.npy", "key.npy",
    }  # fmt: skip


def test_a_copy_that_differs_from_its_shard_is_not_kept(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    monkeypatch.setenv("INCENTIVE_STAGE", str(own))
    work = SharedWork(fleet=HERE, folder=tmp_path / "a", shards=2)
    with in_shards(users_of(problem), work) as users:
        assert isinstance(users, ShardedUsers)
        shard = users.files[0]
        with (Path(shard.folder) / "cell.npy").open("r+b") as file:
            file.truncate(200)
        with pytest.raises(SetupError, match="cannot be read where a task runs: OSError"):
            mapped(shard, users.units)
    assert list(own.iterdir()) == []


def test_copies_may_be_emptied_while_they_are_read(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    monkeypatch.setenv("INCENTIVE_STAGE", str(own))

    def staged_and_gone(shard: ShardFile) -> Path:
        copy = staged(shard)
        shutil.rmtree(own)
        return copy

    monkeypatch.setattr(mapping, "staged", staged_and_gone)
    alone = solve(problem)
    plan = solve(problem, shared=SharedWork(fleet=HERE, folder=tmp_path / "a", shards=2))
    np.testing.assert_array_equal(plan.choice, alone.choice)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
def test_a_worker_lets_go_of_the_files_of_earlier_plans(problem: Problem, tmp_path: Path) -> None:
    for _ in range(3):
        solve(problem, shared=SharedWork(fleet=HERE, folder=tmp_path, shards=3))
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    plans = {Path(line.split()[5]).parents[1] for line in maps if str(tmp_path) in line}
    assert len(plans) == 1


def test_a_shard_that_a_worker_cannot_read_says_what_must_be_shared(tmp_path: Path) -> None:
    lost = ShardFile(folder=str(tmp_path / "gone"), plan=str(tmp_path), users=5, digest="0")
    with pytest.raises(SetupError, match="keep INCENTIVE_CACHE on a file system that executors"):
        mapped(lost, users_of(campaign(10)).units)


def test_a_folder_without_room_is_refused(
    problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    work = SharedWork(fleet=HERE, folder=tmp_path, shards=2)
    with pytest.raises(DataError, match="has no room for"), in_shards(users_of(problem), work):
        pass
