"""The one session of this process: started, answered by an executor, and heard."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from typing import IO, Any, TypeVar

from incentive_engine.errors import Fault, SetupError
from incentive_engine.language import Text, say
from incentive_engine.spark.surroundings import (
    check_java,
    check_master,
    check_memory,
    last_error,
)

Result = TypeVar("Result")


@lru_cache(maxsize=1)
def context_of(master: str | None) -> Any:  # noqa: ANN401 - PySpark is an extra
    """Return the context of this process, started and answered by an executor.

    Raises
    ------
    SetupError
        When PySpark or Java is missing, a master does not answer, this process is bound to
        another one, no executor takes a task, or executors have another version of this program.
    """
    try:
        from pyspark import SparkConf, SparkContext
    except ImportError as error:
        what = "PySpark is not installed"
        remedy = "pip install 'incentive-engine[spark]', or --engine local"
        raise SetupError(Fault("--engine spark", what, remedy=remedy)) from error
    check_java()
    conf = SparkConf()
    if master is not None or not conf.contains("spark.master"):
        local = "local[*]"
        conf.setMaster(master or local)
    check_master(str(conf.get("spark.master")))
    # what a session is started with; `spark-submit --conf` and spark-defaults.conf go first
    settings = {
        "spark.app.name": "incentive-engine",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
    }
    for key, value in settings.items():
        conf.setIfMissing(key, value)
    if str(conf.get("spark.master")).startswith("local"):
        # nothing but this machine takes part, so nothing listens to the network
        conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1")
        conf.setIfMissing("spark.driver.host", "127.0.0.1")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    check_memory(str(conf.get("spark.driver.memory") or "1g"))
    with tempfile.TemporaryFile() as log, _heard_by(log):
        context = collected(lambda: SparkContext.getOrCreate(conf))
    if master not in {None, context.master}:  # a process has one context, whatever is asked for
        first = context.master
        bound = say("this process works with {first}, not with {other}", first=first, other=master)
        remedy = "leave it out, or use a process of its own"
        raise SetupError(Fault("--master", bound, remedy=remedy))
    context.setLogLevel("ERROR")
    first_task(context)
    return context


@contextmanager
def _heard_by(log: IO[bytes]) -> Iterator[None]:
    """Let the Java process that is started inside write to a log, not to the terminal."""
    sys.stderr.flush()
    own = os.dup(2)
    try:
        os.dup2(log.fileno(), 2)
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)


def first_task(context: Any, *, seconds: float = 120.0) -> None:  # noqa: ANN401
    """Wait for an executor, and see that it has this program.

    Raises
    ------
    SetupError
        When none has answered within so many seconds, or it lacks the program.
    """
    done: list[tuple[str, str]] = []
    lost: list[BaseException] = []

    def ask() -> None:
        try:
            done.extend(context.parallelize([0], 1).map(_version).collect())
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            lost.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    end = time.monotonic() + seconds
    while asking.is_alive() and time.monotonic() < end:
        asking.join(0.1)  # short, so that a signal is heard
    here = _version(0)
    wanted = say("{engine} on Python {python}", engine=here[0], python=here[1])
    if asking.is_alive():
        context.cancelAllJobs()
        what = say("no executor has taken a task within {start:g} s", start=seconds)
        remedy = "see that workers run and have the memory that is asked for"
        raise SetupError(Fault("--master", what, remedy=remedy))
    if lost:
        raise _unready(lost[0], wanted) from lost[0]
    if done[0] != here:
        engine, python = done[0]
        there = say("they have {engine} on Python {python}", engine=engine, python=python)
        raise SetupError(_lacking(there, wanted))


def _unready(error: BaseException, wanted: Text) -> SetupError:
    """Return what it means that executors could not do a first task."""
    last = last_error(str(error))
    if re.search(r"\b(Module|Package)NotFoundError\b", last):
        return SetupError(_lacking(say("they lack a package: {error}", error=last), wanted))
    there = say("they failed at a first task: {error}", error=last)
    return SetupError(Fault("executors", there, remedy="executors' logs say more"))


def _lacking(there: Text, wanted: Text) -> Fault:
    remedy = "give executors an environment with this program (docs/spark.md)"
    return Fault("executors", there, wanted, remedy)


def _version(_shard: int) -> tuple[str, str]:
    """Return the versions of this program and of Python where a task runs."""
    return version("incentive-engine"), "{}.{}".format(*sys.version_info)


def collected(work: Callable[[], Result]) -> Result:
    """Return what Spark gives; what Java has to say becomes one line.

    Raises
    ------
    SetupError
        When a task has failed as often as Spark tries, or Spark did not start.
    """
    try:
        return work()
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in {"py4j", "pyspark"}:
            raise
        remedy = "executors' logs say more; often their memory ran out"
        raise SetupError(Fault("spark", last_error(str(error)), remedy=remedy)) from error
