"""What Spark needs of its surroundings, and what it says when something fails."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from urllib.parse import urlsplit

from incentive_engine.errors import Fault, SetupError
from incentive_engine.language import say


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
            sizes = dict(line.split(":", 1) for line in lines)
        free = int(sizes["MemAvailable"].split()[0]) * 1024
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
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(Fault("--engine spark", "there is no Java", remedy=remedy)) from error
    match = re.search(r'version "(\d+)(?:\.(\d+))?', answer.stderr + answer.stdout)
    # before 9 the version began with 1.
    major = 0 if match is None else int(match[2] if match[1] == "1" and match[2] else match[1])
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
        When none of its addresses answers within ten seconds.
    """
    if not master.startswith("spark://"):
        return
    for place in master.removeprefix("spark://").split(","):
        address = urlsplit(f"//{place}")
        try:
            # 10.0: seconds within which a master must take a connection
            with socket.create_connection((address.hostname or "", address.port or 7077), 10.0):
                return
        except (OSError, ValueError):
            continue
    what = say("{master} does not answer", master=master)
    remedy = "see that it runs and can be reached from here, or --engine local"
    raise SetupError(Fault("--master", what, "spark://HOST:PORT of a running master", remedy))


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
