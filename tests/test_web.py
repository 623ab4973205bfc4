"""Where servers listen, and what they say when they cannot."""

from __future__ import annotations

import re
import socket

import pytest

from incentive_engine.errors import ConfigError, DataError
from incentive_engine.web import address_of, listening, refuse_open_door


def test_a_port_that_is_taken_is_said_in_words_and_leaves_nothing_open() -> None:
    with listening("127.0.0.1", 0, waiting=1) as first:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address_of(first))
        port = first.getsockname()[1]
        # a socket left open would end this test with a warning
        with pytest.raises(DataError) as caught, listening("127.0.0.1", port, waiting=1):
            pass
    (fault,) = caught.value.faults
    assert str(fault) == (
        f"127.0.0.1:{port}: cannot be listened on: something else listens there already; "
        "stop what uses it, or take another --port"
    )
    assert "无法监听：" in fault.text("zh")


def test_an_address_of_another_machine_is_said_in_words() -> None:
    with (
        pytest.raises(DataError, match="this machine has no such address"),
        listening("192.0.2.77", 0, waiting=1),
    ):
        pass


@pytest.mark.parametrize("host", ["a..b", "a" * 64, ".b"])
def test_a_name_that_cannot_be_looked_up_is_no_address(host: str) -> None:
    with (
        pytest.raises(DataError, match=rf"--host {re.escape(host)}: is no address, expected such"),
        listening(host, 0, waiting=1),
    ):
        pass


def test_a_port_is_free_again_at_once() -> None:
    with listening("127.0.0.1", 0, waiting=1) as first:
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), first.accept()[0]:
            pass
    with listening("127.0.0.1", port, waiting=1) as second:
        assert second.getsockname()[1] == port


def test_a_door_that_others_can_reach_needs_keys() -> None:
    refuse_open_door("localhost")
    with pytest.raises(ConfigError, match=r"--host 0\.0\.0\.0: would let everybody in"):
        refuse_open_door("0.0.0.0")  # noqa: S104 - refused
