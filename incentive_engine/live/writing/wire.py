"""Commands and answers between processes: MessagePack in frames that begin with their length.

A frame of commands is a list of (number, kind, command); one of answers states how long the commit
took and how many commands it held, then (number, kind, answer). Needs the extra `serve`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Raw, msgpack

from incentive_engine.language import say
from incentive_engine.live.ledger.commands import (
    Act,
    Actions,
    Answer,
    Cancel,
    Command,
    Decided,
    Find,
    Pool,
    Preview,
    Previewed,
    Publish,
    Published,
    Recall,
    Redeem,
    Refused,
    Reserve,
    ShowActions,
    ShowPool,
    ShowPrices,
)

Sent = TypeVar("Sent")


class Commit(NamedTuple):
    """What one transaction took, microseconds, and how many commands it held."""

    micros: int
    commands: int


class Kinds(Generic[Sent]):
    """Encodes and decodes values of a few types, each with its place among them."""

    def __init__(self, kinds: tuple[type[Any], ...]) -> None:
        self._place = {kind: place for place, kind in enumerate(kinds)}
        self._read = [msgpack.Decoder(kind) for kind in kinds]
        self._encoder = msgpack.Encoder()

    def rows(self, values: Iterable[tuple[int, Sent]]) -> list[tuple[int, int, Sent]]:
        """Return numbered values with their kinds."""
        return [(number, self._place[type(value)], value) for number, value in values]

    def read(self, rows: Iterable[tuple[int, int, Raw]]) -> list[tuple[int, Sent]]:
        """Return numbered values.

        Raises
        ------
        ValueError
            When they are not ours.
        """
        return [(number, self._read[kind].decode(raw)) for number, kind, raw in rows]


_commands: Kinds[Command] = Kinds(
    (
        Reserve,
        Redeem,
        Cancel,
        Recall,
        Find,
        Preview,
        ShowPool,
        Publish,
        ShowPrices,
        Act,
        ShowActions,
    )
)
_answers: Kinds[Answer] = Kinds(
    (
        Decided,
        Previewed,
        Pool,
        Refused,
        Actions,
        Published,
    )
)
_encode = msgpack.Encoder().encode
_command_rows = msgpack.Decoder(list[tuple[int, int, Raw]])
_answer_rows = msgpack.Decoder(tuple[Commit, list[tuple[int, int, Raw]]])


def commands_frame(commands: Iterable[tuple[int, Command]]) -> bytes:
    """Return a frame of numbered commands."""
    return _frame(_encode(_commands.rows(commands)))


def read_commands(content: bytes) -> list[tuple[int, Command]]:
    """Return the commands of a frame.

    Raises
    ------
    ValueError
        When it holds something else.
    """
    try:
        return _commands.read(_command_rows.decode(content))
    except (msgspec.MsgspecError, IndexError) as error:
        raise ValueError("is no frame of commands") from error


def answers_frame(commit: Commit, answers: Iterable[tuple[int, Answer]]) -> bytes:
    """Return a frame of numbered answers."""
    return _frame(_encode((commit, _answers.rows(answers))))


def read_answers(content: bytes) -> tuple[Commit, list[tuple[int, Answer]]]:
    """Return the answers of a frame, which a writer sent."""
    commit, rows = _answer_rows.decode(content)
    return commit, _answers.read(rows)


def _frame(content: bytes) -> bytes:
    return len(content).to_bytes(Frames.HEADER, "big") + content


class Frames:
    """Cuts a stream of bytes into the contents of its frames."""

    HEADER: ClassVar[int] = 4
    """Bytes before each, which say how long it is."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the contents of all frames that are complete now.

        Raises
        ------
        ValueError
            When a frame is too long to be one.
        """
        buffer = self._rest
        buffer += data
        while len(buffer) >= self.HEADER:
            size = int.from_bytes(buffer[: self.HEADER], "big")
            # bytes of a frame; a longer one is no frame of ours
            if size > (1 << 24):
                raise ValueError(say("{size} bytes are no frame", size=size))
            if len(buffer) < self.HEADER + size:
                return
            content = bytes(buffer[self.HEADER : self.HEADER + size])
            del buffer[: self.HEADER + size]
            yield content
