"""Threads: independent work side by side, and work beside the main thread that ends with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")
First = TypeVar("First")
Second = TypeVar("Second")
Advance = Callable[[float], None]
"""Is told which further share of long work, or how many more of its parts, are done."""

stop_heard = threading.Event()
"""Set where work that was asked to stop goes on, to keep what is finished of it."""

_ended = threading.Event()


def unheard(_done: float) -> None:
    """Tell nobody how far work is."""


def side_by_side(task: Callable[[int], Result], count: int) -> list[Result]:
    """Return ``[task(0), …, task(count - 1)]``, computed on a few threads.

    LightGBM, numba and NumPy release Python's lock while they work on arrays, and every task is
    deterministic by itself.

    >>> side_by_side(lambda number: number * number, 4)
    [0, 1, 4, 9]
    """
    if count < 2:
        return [task(number) for number in range(count)]
    # threads that share the work; each of them holds what its own task needs
    workers = 2
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(task, range(count)))


def together(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """Return what two tasks give, the second computed on a thread of its own."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        other = pool.submit(second)
        return first(), other.result()


@contextmanager
def blas_on_one_thread() -> Iterator[None]:
    """Keep NumPy's linear algebra on the thread that asks for it; decorates functions, too.

    What runs side by side fills the processors already. Where these are busy, threads of the
    library that wait for each other made a fit of 5,000 rows thirty times slower; and sums depend
    on their number, so that the same trial gave other last digits on another machine.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def in_blocks(task: Callable[[slice], None], rows: int) -> None:
    """Call a task for every block of so many rows, on a few threads."""
    # rows of a block: what sums over functions need of them stays in the processor's memory
    size = 1 << 14
    starts = range(0, rows, size)
    side_by_side(
        lambda number: task(slice(starts[number], min(starts[number] + size, rows))), len(starts)
    )


def interruptible(work: Callable[[], Result], *, stop: Callable[[], object]) -> Result:
    """Return what a long call of a library gives, in which this thread still hears signals.

    Python runs signal handlers in the main thread between two of its own instructions, and a
    solver's call is a single one. So the call runs on another thread, and this one waits.

    Parameters
    ----------
    work
        The call; it releases Python's lock.
    stop
        Asks the library to end the call early. One that does not listen is left to its own
        bound on a thread that does not hold up the end of the process.
    """
    outcome: Future[Result] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        # seconds within which a thread that waits for a library notices that it need not
        heard = 0.2
        while not wait((outcome,), timeout=heard).done:
            go_on()
    except BaseException:
        stop()
        raise
    return outcome.result()


@contextmanager
def side_threads() -> Iterator[ThreadPoolExecutor]:
    """Give threads that are asked to stop when the block ends by an exception.

    Without that Ctrl-C would wait for all that was begun. They notice it at their next pass over
    the users (`go_on`), and clean up on their way out; later work is not asked to stop.
    """
    try:
        # tasks beside the main thread: more than wait for each other, so that none is kept from it
        with ThreadPoolExecutor(max_workers=16) as side:
            try:
                yield side
            except BaseException:
                _ended.set()
                raise
    finally:
        _ended.clear()


def go_on() -> None:
    """Return, unless this thread works for something that has ended.

    Raises
    ------
    KeyboardInterrupt
        In a thread other than the main one, once the block of `side_threads` has ended by an
        exception.
    """
    if _ended.is_set() and threading.current_thread() is not threading.main_thread():
        raise KeyboardInterrupt
