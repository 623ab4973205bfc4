"""Tasks over shards on Apache Spark.

What is large lies in files that driver and executors share (a folder of a network file system,
or this machine's disk with a local master), and a task carries their names: columns and scores
never travel with it. `features` sends the ids and moments of a shard's rows and gets their
features back, and `verify` sends what the rules say of a shard's users. Tasks depend on nothing
else, so one that is tried twice, or runs twice at once, gives the same.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import IO, Any, Final, TypeVar
from urllib.parse import urlsplit

from incentive_engine.errors import Fault, IncentiveError, SetupError
from incentive_engine.language import Text, say

Shard = TypeVar("Shard")
Result = TypeVar("Result")

ANSWER: Final = 10.0
"""Seconds within which a master must take a connection."""
START: Final = 120.0
"""Seconds within which an executor must have taken a first, empty task."""
SETTINGS: Final = {
    "spark.app.name": "incentive-engine",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
}
"""What a session is started with; `spark-submit --conf` and spark-defaults.conf go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """Executors of a Spark cluster, or of this machine.

    Attributes
    ----------
    master
        As `spark-submit` takes it: `local[2]`, `spark://host:7077`, `yarn`, `k8s://…`; left out,
        that of `spark-submit`, else all cores of this machine.
    """

    master: str | None = None

    def map(self, task: Callable[[Shard], Result], shards: Sequence[Shard]) -> list[Result]:
        """Return what the task gives for each shard, in the order of the shards.

        As many tasks run as there are cores, each with a list of shards.

        Raises
        ------
        SetupError
            When Spark cannot be reached or started, or a shard has failed as often as Spark
            tries.
        IncentiveError
            What a task itself says is wrong.
        """
        if not shards:
            return []
        context = _context(self.master)
        numbered = list(enumerate(shards))
        slices = min(len(numbered), max(1, context.defaultParallelism))
        job = context.parallelize(numbered, slices).mapPartitions(_Shards(task))
        answers = dict(_collected(job.collect))
        results = [answers[number] for number in range(len(numbered))]
        for result in results:
            if isinstance(result, _Refused):
                raise result.error
        return results


@dataclass(frozen=True, slots=True)
class _Refused:
    """What a task found wrong: the same however often it is tried, so it is no failure."""

    error: IncentiveError


@dataclass(frozen=True, slots=True)
class _Shards:
    """Does a task for the shards of one partition."""

    task: Callable[[Any], Any]

    def __call__(self, numbered: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
        for number, shard in numbered:
            try:
                yield number, self.task(shard)
            except IncentiveError as error:
                yield number, _Refused(error)


@lru_cache(maxsize=1)
def _context(master: str | None) -> Any:  # noqa: ANN401 - PySpark is an extra
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
    for key, value in SETTINGS.items():
        conf.setIfMissing(key, value)
    if str(conf.get("spark.master")).startswith("local"):
        # nothing but this machine takes part, so nothing listens to the network
        conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1")
        conf.setIfMissing("spark.driver.host", "127.0.0.1")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    check_memory(str(conf.get("spark.driver.memory") or "1g"))
    with tempfile.TemporaryFile() as log, _heard_by(log):
        context = _collected(lambda: SparkContext.getOrCreate(conf))
    if master not in {None, context.master}:  # a process has one context, whatever is asked for
        first = context.master
        bound = say("this process works with {first}, not with {other}", first=first, other=master)
        remedy = "leave it out, or use a process of its own"
        raise SetupError(Fault("--master", bound, remedy=remedy))
    context.setLogLevel("ERROR")
    _first_task(context)
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


def check_memory(asked: str) -> None:
    """Refuse to start a driver for which this machine has no memory.

    Parameters
    ----------
    asked
        As Spark writes it: `512m`, `1g`.

    Raises
    ------
    SetupError
        When less is free than is asked for.
    """
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:  # noqa: PTH123
            known = dict(line.split(":", 1) for line in lines)
        free = int(known["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        return  # this system does not say; Spark itself will
    number = re.fullmatch(r"(\d+)\s*([kmgt]?)b?", asked.strip().lower())
    if number is None:
        return  # Spark says what is wrong with its own setting
    needed = int(number[1]) * 1024 ** " kmgt".index(number[2] or " ")
    if free < needed:
        what = say(
            "the driver asks for {asked} of memory, and {free:.1f} GiB are free",
            asked=asked,
            free=free / 2**30,
        )
        remedy = "free some, or set spark.driver.memory lower in spark-defaults.conf"
        raise SetupError(Fault("--engine spark", what, remedy=remedy))


def check_java() -> None:
    """Refuse to go on without a Java that Spark runs on.

    Raises
    ------
    SetupError
        When there is none, or one that is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = os.path.join(home, "bin", "java") if home else shutil.which("java")  # noqa: PTH118
    # what PySpark 4 runs on
    oldest_java = 17
    remedy = say(
        "install Java {oldest} (make spark, on Debian), or name it in JAVA_HOME",
        oldest=oldest_java,
    )
    try:
        asked = [java or "java", "-version"]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(Fault("--engine spark", "there is no Java", remedy=remedy)) from error
    found = re.search(r'version "(\d+)(?:\.(\d+))?', said.stderr + said.stdout)
    # before 9 the version began with 1.
    major = 0 if found is None else int(found[2] if found[1] == "1" and found[2] else found[1])
    if major < oldest_java:
        what = say("{java} is Java of an unknown version", java=java)
        if major:
            what = say("{java} is Java {major}", java=java, major=major)
        raise SetupError(
            Fault(
                "--engine spark",
                what,
                say("Java {oldest} or newer", oldest=oldest_java),
                remedy,
            )
        )


def check_master(master: str) -> None:
    """Refuse a master of a Spark cluster that takes no connection.

    Raises
    ------
    SetupError
        When none of its addresses answers within `ANSWER` seconds.
    """
    if not master.startswith("spark://"):
        return
    for place in master.removeprefix("spark://").split(","):
        address = urlsplit(f"//{place}")
        try:
            with socket.create_connection((address.hostname or "", address.port or 7077), ANSWER):
                return
        except (OSError, ValueError):
            continue
    what = say("{master} does not answer", master=master)
    remedy = "see that it runs and can be reached from here, or --engine local"
    raise SetupError(Fault("--master", what, "spark://HOST:PORT of a running master", remedy))


def _first_task(context: Any) -> None:  # noqa: ANN401
    """Wait for an executor, and see that it has this program.

    Raises
    ------
    SetupError
        When none has answered within `START` seconds, or it lacks the program.
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
    end = time.monotonic() + START
    while asking.is_alive() and time.monotonic() < end:
        asking.join(0.1)  # short, so that a signal is heard
    here = _version(0)
    wanted = say("{engine} on Python {python}", engine=here[0], python=here[1])
    if asking.is_alive():
        context.cancelAllJobs()
        what = say("no executor has taken a task within {start:g} s", start=START)
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


def _collected(work: Callable[[], Result]) -> Result:
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


def last_error(text: str) -> str:
    """Return the line of Spark's words about a failure that says what went wrong.

    The last line of a Python traceback, else what Java says of the last task that failed.

    >>> last_error("Job aborted, most recent failure: Lost task 0 (driver): IOException: no disk")
    'IOException: no disk'
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    failure = re.search(r"most recent failure: .*?\): (.+)", text)
    missing = re.search(r"\b(Module|Package)NotFoundError: [^)\n]+", text)
    if missing is not None and not errors:  # a worker that could not even start
        return missing[0][:300]
    if errors or failure is None:
        return (errors or lines or ["it ended without a word"])[-1][:300]
    return failure[1][:300]
