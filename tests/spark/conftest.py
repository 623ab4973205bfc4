"""One session of Spark for all tests of this folder."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from incentive_engine.spark import session


@pytest.fixture(scope="session", autouse=True)
def _session() -> Iterator[None]:
    """Let executors import the tasks of tests, and end what was started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        yield
    if session.context_of.cache_info().currsize:
        from pyspark import SparkContext

        SparkContext.getOrCreate().stop()


@pytest.fixture(autouse=True)
def _sockets() -> Iterator[None]:
    """Collect the sockets that PySpark leaves open, whose warning would be an error elsewhere.

    Filters belong to the process: a thread that leaves those of an earlier test behind takes away
    what a mark has set, so they are set here again, before and after.
    """
    _ignore_sockets()
    yield
    _ignore_sockets()
    gc.collect()


def _ignore_sockets() -> None:
    warnings.filterwarnings("ignore", message="unclosed <socket", category=ResourceWarning)
