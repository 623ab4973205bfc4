"""Tasks on several processes; the same results for any number of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Generic, TypeVar

from incentive_engine.errors import Fault, SetupError
from incentive_engine.parallel import stop_heard

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedTasks(Generic[Result]):
    """Results of the tasks that finished."""

    results: dict[int, Result]
    """Task to its result, by rising number."""
    wanted: int
    """How many tasks there were to be."""

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped before all tasks were finished."""
        return len(self.results) < self.wanted


def run_tasks(
    work: Callable[[int], Result],
    tasks: int,
    *,
    workers: int,
    finished: Callable[[int], None] = lambda _: None,
) -> FinishedTasks[Result]:
    """Run all tasks; Ctrl-C keeps those that are finished.

    Parameters
    ----------
    work
        From the number of a task to its result; depends on nothing else. Must be picklable when
        there is more than one worker.
    tasks
        How many.
    workers
        How many processes; 1 stays in this one.
    finished
        Called with each task that ends.

    Raises
    ------
    KeyboardInterrupt
        When not a single task was finished.
    """
    results: dict[int, Result] = {}
    steps = _alone if workers == 1 or tasks == 1 else _together
    try:
        for task, result in steps(work, tasks, workers):
            results[task] = result
            finished(task)
    except KeyboardInterrupt:
        if not results:
            raise
        stop_heard.set()
    return FinishedTasks(results=dict(sorted(results.items())), wanted=tasks)


def _alone(
    work: Callable[[int], Result], tasks: int, _workers: int
) -> Iterator[tuple[int, Result]]:
    for task in range(tasks):
        yield task, work(task)


def _together(
    work: Callable[[int], Result], tasks: int, workers: int
) -> Iterator[tuple[int, Result]]:
    with _pool(min(workers, tasks)) as pool:
        running: dict[Future[Result], int] = {pool.submit(work, t): t for t in range(tasks)}
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), _result(future)


def _result(future: Future[Result]) -> Result:
    try:
        return future.result()
    except BrokenProcessPool:
        what, remedy = "a worker process died", "most likely memory ran out: use fewer workers"
        raise SetupError(Fault("simulate", what, remedy=remedy)) from None


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield processes that end at once when the work is broken off."""
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_leave_interrupts_to_the_parent
    )
    # workers inherit it: their threads sleep while they wait, for they share the processors, and
    # threads that spin for each other on busy processors are many times slower
    variable = "OMP_WAIT_POLICY"
    waiting = os.environ.get(variable)
    os.environ[variable] = "PASSIVE"
    try:
        yield pool
    except BaseException:
        for process in list((pool._processes or {}).values()):  # noqa: SLF001 - no public way
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    else:
        pool.shutdown()
    finally:
        del os.environ[variable]
        if waiting is not None:
            os.environ[variable] = waiting


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
