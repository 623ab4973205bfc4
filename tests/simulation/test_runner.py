import time

import pytest

from incentive_engine.simulation.runner import run_tasks


def square(number: int) -> int:
    return number * number


def failing(number: int) -> int:
    if number == 1:
        raise ValueError("the second task is bad")
    return number


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    alone = run_tasks(square, 5, workers=1)
    together = run_tasks(square, 5, workers=2)
    assert alone.results == together.results == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}
    assert list(together.results) == [0, 1, 2, 3, 4]
    assert not together.interrupted


def test_a_stop_keeps_what_is_finished() -> None:
    def stop(task: int) -> None:
        if task == 2:
            raise KeyboardInterrupt

    found = run_tasks(square, 5, workers=1, finished=stop)
    assert found.results == {0: 0, 1: 1, 2: 4}
    assert found.interrupted


def test_a_stop_ends_the_workers_at_once() -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    found = run_tasks(slow, 6, workers=2, finished=stop)
    assert found.interrupted
    assert found.results


def slow(number: int) -> int:
    time.sleep(0 if number == 0 else 60)
    return number


def test_a_stop_before_anything_is_finished_stays_a_stop() -> None:
    def interrupted(_: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tasks(interrupted, 3, workers=1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_of_one_task_ends_all(workers: int) -> None:
    with pytest.raises(ValueError, match="the second task is bad"):
        run_tasks(failing, 3, workers=workers)
