import threading
from concurrent.futures import Future

import pytest

from incentive_engine.parallel import go_on, side_threads


def waits_for_its_end(began: threading.Event) -> None:
    began.set()
    while True:
        go_on()


def test_what_works_beside_an_interrupted_block_ends_with_it() -> None:
    waiting: list[Future[None]] = []

    def block() -> None:
        began = threading.Event()
        with side_threads() as side:
            waiting.append(side.submit(waits_for_its_end, began))
            began.wait()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        block()
    assert isinstance(waiting[0].exception(), KeyboardInterrupt)


def test_work_after_an_interrupted_block_is_not_asked_to_stop() -> None:
    with pytest.raises(KeyboardInterrupt), side_threads():
        raise KeyboardInterrupt
    ended: list[BaseException] = []

    def later() -> None:
        try:
            go_on()
        except KeyboardInterrupt as error:
            ended.append(error)

    thread = threading.Thread(target=later)
    thread.start()
    thread.join()
    assert ended == []
