"""A campaign whose tables lie in databases and have names of their own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pandas as pd
import psycopg
import pyarrow.parquet as pq
import pytest

from export.postgres_server import binaries, server
from incentive_engine.config.inputs import Sample
from incentive_engine.synthetic.sample import write_sample

from .conftest import SMALL, Incentive

PASSWORD = "hunter2?#hunter2"  # noqa: S105 - of a server that asks for none
NAMES = "columns: {trial: {uid: user_id, group: offer, converted: conversion}}"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("campaign")
    sample = Sample(name="double11", users=2000, trial_rows=12000, seed=3)
    write_sample(sample, folder)
    return folder


@pytest.fixture(scope="module")
def plain(campaign: Path) -> pd.DataFrame:
    return pd.read_parquet(campaign / "trial.parquet")


def policy_file(folder: Path, *, users: str, trial: str, more: str = "") -> Path:
    data = f"data:\n  users: {users}\n  trial: {trial}\n" + (f"  {more}\n" if more else "")
    sample = SMALL[SMALL.index("data:") : SMALL.index("offers:")]
    (folder / "policy.yaml").write_text(SMALL.replace(sample, data))
    return folder / "policy.yaml"


@pytest.fixture(scope="module")
def of_files(campaign: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    users, trial = campaign / "users.parquet", campaign / "trial.parquet"
    return policy_file(folder, users=str(users), trial=str(trial))


def renamed(trial: pd.DataFrame) -> pd.DataFrame:
    names = {"user_id": "uid", "offer": "group", "conversion": "converted"}
    return trial.rename(columns=names)


def test_databases_and_other_names_give_the_plan_of_plain_files(
    incentive: Incentive, campaign: Path, plain: pd.DataFrame, of_files: Path, tmp_path: Path
) -> None:
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        connection.execute("CREATE TABLE users AS SELECT * FROM read_parquet($1)",
                           [str(campaign / "users.parquet")])  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        renamed(plain).to_sql("trial", connection, index=False)
    policy = policy_file(
        tmp_path,
        users="duckdb:///crm.duckdb?table=users",
        trial="sqlite:///log.db?table=trial",
        more=NAMES,
    )
    assert incentive("allocate", of_files, "--out", "a").returncode == 0
    made = incentive("allocate", policy, "--out", "b")
    assert made.returncode == 0, made.stderr
    first, second = (tmp_path / run / "allocation.parquet" for run in ("a", "b"))
    assert pq.read_table(first).equals(pq.read_table(second))
    assert incentive("verify", "b").returncode == 0
    again = incentive("reproduce", "b")
    assert again.returncode == 0, again.stdout + again.stderr
    inputs = json.loads((tmp_path / "b" / "manifest.json").read_text())["inputs"]
    assert inputs["users"]["path"] == f"duckdb:///{tmp_path}/crm.duckdb?table=users"


@pytest.fixture(scope="module")
def postgres(campaign: Path, plain: pd.DataFrame) -> Iterator[str]:
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed: make postgres")
    with server(programs) as url:
        with psycopg.connect(url) as connection:
            for name, frame in (("users", pd.read_parquet(campaign / "users.parquet")),
                                ("trial", plain)):  # fmt: skip
                kinds = {"i": "bigint", "f": "double precision", "b": "boolean"}
                columns = ", ".join(
                    f"{column} {kinds.get(kind.kind, 'text')}"
                    for column, kind in frame.dtypes.items()
                )
                connection.execute(f"CREATE TABLE {name} ({columns})")
                with connection.cursor().copy(f"COPY {name} FROM STDIN CSV") as copy:
                    copy.write(frame.to_csv(index=False, header=False))
        yield url


def test_no_password_reaches_a_run_or_a_message(
    incentive: Incentive, postgres: str, tmp_path: Path
) -> None:
    url = postgres.replace("tester@", f"tester:{PASSWORD}@")
    policy = policy_file(tmp_path, users=f"'{url}&table=users'", trial=f"'{url}&table=trial'")
    made = incentive("allocate", policy, "--out", "run")
    assert made.returncode == 0, made.stderr
    assert incentive("verify", "run").returncode == 0
    for file in (tmp_path / "run").rglob("*"):
        assert b"hunter2" not in file.read_bytes(), file
    policy_file(tmp_path, users=f"'{url}&table=user'", trial=f"'{url}&table=trial'")
    wrong = incentive("allocate", policy, "--out", "other")
    assert wrong.returncode == 2
    assert "did you mean `users`?" in wrong.stderr
    setting = f"data.users={url}&table=none"
    odd = incentive("whatif", policy, "--budgets", "1k", "--set", setting, "--out", "x")
    assert odd.returncode == 2
    assert "hunter2" not in made.stdout + made.stderr + wrong.stderr + odd.stderr


def test_scores_and_outcomes_may_lie_in_a_database(
    incentive: Incentive, of_files: Path, tmp_path: Path
) -> None:
    assert incentive("allocate", of_files, "--out", "a").returncode == 0
    scores = pd.read_parquet(tmp_path / "a" / "scores.parquet")
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        scores.to_sql("scores", connection, index=False)
        outcomes = pd.DataFrame({"user_id": scores["user_id"], "conversion": 0})
        outcomes.to_sql("outcomes", connection, index=False)
    table = f"sqlite:///{tmp_path}/s.db?table="
    made = incentive("allocate", of_files, "--scores", f"{table}scores", "--out", "b")
    assert made.returncode == 0, made.stderr
    measured = incentive("measure", "b", "--outcomes", f"{table}outcomes")
    assert measured.returncode == 0, measured.stderr
    wrong = incentive("allocate", of_files, "--scores", "mysql://db/x?table=t", "--out", "c")
    assert wrong.returncode == 2
    assert "--scores: `mysql://` cannot be read" in wrong.stderr
