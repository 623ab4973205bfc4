"""Shards on Apache Spark: the answers of one machine, and clear words where Spark is not there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
import pytest

from allocation.campaign import campaign
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.errors import DataError, SetupError
from incentive_engine.fleet import SharedWork
from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.spark import session
from incentive_engine.spark.executors import Spark
from incentive_engine.spark.surroundings import check_java, check_master, check_memory
from incentive_engine.verify.verification import verify_run
from incentive_engine.workflow.allocate import allocate
from incentive_engine.workflow.features import make_features
from incentive_engine.workflow.in_parts.allocate import allocate_in_parts
from incentive_engine.workflow.model import score, train

from .tasks import FailAtFirst, double, fail, refuse_three

pytestmark = [
    pytest.mark.xdist_group("spark"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
FLEET = Spark(master="local[2,4]")
"""Two cores, and four tries of a task, as a cluster has."""
POLICY = """
version: 1
name: shards
data: {sample: {name: everyday, users: 700, trial_rows: 3000}}
history:
  events: sample
  features:
    - {recency: [order]}
    - {match: category, of: [order], within: [180d]}
offers:
  - {id: food15, face_value: 15, min_spend: 99, categories: [food, pets]}
  - {id: style25, face_value: 25, min_spend: 129, categories: [apparel, beauty]}
  - {id: home20, face_value: 20, min_spend: 119, categories: [home, baby]}
limits:
  - {name: food, sum: cost, offers: [food15], at_most: 30% of spent}
budget: {amount: 300}
holdout: 0.05
"""


def test_shards_come_back_in_their_order() -> None:
    assert FLEET.map(double, list(range(37))) == [2 * number for number in range(37)]
    assert FLEET.map(double, []) == []


def test_what_a_task_finds_wrong_is_said_as_it_says_it() -> None:
    with pytest.raises(DataError, match="shard 3: holds no users; look at the table"):
        FLEET.map(refuse_three, list(range(8)))


def test_a_task_that_fails_on_and_on_ends_in_a_clear_word() -> None:
    with pytest.raises(SetupError, match=r"spark: RuntimeError: shard \d cannot be done"):
        FLEET.map(fail, [1, 2])


@pytest.mark.parametrize("kill", [0, 1], ids=["fails", "killed"])
def test_a_task_that_fails_or_loses_its_worker_is_done_again(
    kill: Literal[0, 1], tmp_path: Path
) -> None:
    task = FailAtFirst(folder=str(tmp_path), times=2, kill=bool(kill))
    assert FLEET.map(task, list(range(6))) == list(range(6))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("shards", [1, 7, 64])
def test_the_plan_is_the_one_of_a_single_machine(shards: int, tmp_path: Path) -> None:
    problem = campaign(2_000, seed=9)
    alone = solve(problem)
    plan = solve(problem, shared=SharedWork(fleet=FLEET, folder=tmp_path, shards=shards))
    np.testing.assert_array_equal(plan.choice, alone.choice)
    assert plan.certificate.to_dict() == alone.certificate.to_dict()


def test_every_command_writes_the_files_of_a_single_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCENTIVE_CACHE", str(tmp_path / "cache"))
    shared = SharedWork(fleet=FLEET, folder=tmp_path / "shared", shards=3)
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    train(policy, out=tmp_path / "model")
    for name, work in (("alone", None), ("spark", shared)):
        place = tmp_path / name
        place.mkdir()
        make_features(policy, table="users", out=place / "features.parquet", shared=work)
        score(policy, model=tmp_path / "model", out=place / "scores.parquet", shared=work)
        allocate(
            policy,
            options=BudgetOptions(),
            scores=tmp_path / "alone" / "scores.parquet",
            out=place / "run",
            shared=work,
        )
    for file in (
        "features.parquet", "scores.parquet", "run/allocation.parquet", "run/certificate.json",
    ):  # fmt: skip
        ours, theirs = ((tmp_path / name / file).read_bytes() for name in ("alone", "spark"))
        assert ours == theirs, file
    run = tmp_path / "spark" / "run"
    assert verify_run(run, shared=shared).to_json() == verify_run(run).to_json()
    allocate_in_parts(
        policy,
        options=BudgetOptions(),
        scores=tmp_path / "alone" / "scores.parquet",
        out=tmp_path / "parts",
        shared=shared,
    )
    ours, theirs = (
        pq.read_table(place / "allocation.parquet").drop_columns("smallest_budget")
        for place in (tmp_path / "parts", run)
    )
    assert ours.equals(theirs)
    assert verify_run(tmp_path / "parts", shared=shared).ok
    assert list((tmp_path / "shared").iterdir()) == []


def test_without_pyspark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(SetupError, match=r"pip install 'incentive-engine\[spark\]', or --engine"):
        Spark(master="local[1]").map(double, [1])


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ('openjdk version "1.8.0_392"', "is Java 8, expected Java 17 or newer"),
        ('openjdk version "11.0.21" 2023-10-17', "is Java 11, expected"),
        ("what?", "is Java of an unknown version"),
    ],
)
def test_an_old_java_is_named(
    version: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho '{version}' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SetupError, match=words):
        check_java()


def test_a_missing_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SetupError, match="there is no Java; install Java 17"):
        check_java()


def test_a_master_that_does_not_answer_is_named_at_once() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # not listening
        master = f"spark://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(SetupError, match=f"{master} does not answer"):
            check_master(master)


def test_executors_that_never_come_are_not_waited_for() -> None:
    FLEET.map(double, [1])
    with pytest.raises(SetupError, match="no executor has taken a task within 0 s"):
        session.first_task(session.context_of(FLEET.master), seconds=0.0)


def test_executors_with_another_version_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    context = session.context_of(FLEET.master)
    monkeypatch.setattr(session, "version", lambda name: metadata.version(name) + ".other")
    with pytest.raises(SetupError, match="executors: they have"):
        session.first_task(context)


def test_a_driver_without_memory_is_told_before_it_starts() -> None:
    check_memory("1m")
    check_memory("as spark says")
    with pytest.raises(SetupError, match="the driver asks for 900t of memory, and"):
        check_memory("900t")


def test_a_process_that_has_a_master_refuses_another_one() -> None:
    FLEET.map(double, [1])
    with pytest.raises(SetupError, match=r"--master: this process works with local\[2,4\], not"):
        Spark(master="local[1]").map(double, [1])
    assert Spark().map(double, [1]) == [2]


def words_of_a_driver(python: Path, folder: Path) -> str:
    """Return what a process says whose executors run another Python."""
    script = """
from incentive_engine.errors import SetupError
from incentive_engine.spark.executors import Spark
try:
    Spark(master="local[1]").map(abs, [1])
except SetupError as error:
    print(error)
"""
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    answer = subprocess.run(  # noqa: S603
        [sys.executable, "-c", script],
        env=environ | {"PYSPARK_PYTHON": str(python)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return answer.stdout


def test_executors_without_the_package_are_named(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    words = words_of_a_driver(tmp_path / "bare" / "bin" / "python", tmp_path)
    assert "executors: they lack a package: ModuleNotFoundError: No module named" in words
    assert "give executors an environment with this program" in words


def test_executors_that_fail_otherwise_are_quoted(tmp_path: Path) -> None:
    words = words_of_a_driver(tmp_path / "gone", tmp_path)
    assert "executors: they failed at a first task" in words
    assert "lack" not in words
    assert f'Cannot run program "{tmp_path / "gone"}"' in words
