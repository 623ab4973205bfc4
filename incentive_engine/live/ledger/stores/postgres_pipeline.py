"""Prepared statements that go to PostgreSQL together, with the results of all of them.

This speaks to libpq, which psycopg wraps: its connections and cursors take 80 µs of processor for
a statement, more than the database itself does for most of a ledger's.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

Row = tuple[bytes | None, ...]
Call = tuple[str, Sequence[str | None]]
"""A statement's name, and its values as text."""

Value = str | float | bytes | None
Reader = Callable[[bytes], Any]


class Pipeline:
    """Runs statements of one connection.

    Parameters
    ----------
    connection
        Of psycopg.
    statements
        Name to statement; values are ``$1`` and so on.
    """

    def __init__(self, connection: Any, statements: Mapping[str, str]) -> None:  # noqa: ANN401 - the library is optional
        import psycopg

        self._library = psycopg
        self._succeeded = {psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK}
        self._own = connection.pgconn
        # statements that were sent and whose results were not received
        self._awaited = 0
        for name, statement in statements.items():
            self._expect(self._own.prepare(name.encode(), statement.encode()))

    def run(self, calls: Iterable[Call]) -> list[list[Row]]:
        """Return the rows of each statement.

        Raises
        ------
        psycopg.Error
            When a statement fails: those after it have not run.
        """
        self.send(calls)
        return self.receive()

    def send(self, calls: Iterable[Call], *, urgent: int = 0) -> None:
        """Have statements run; their rows are received before the next are sent.

        Parameters
        ----------
        urgent
            The rows of so many come as soon as they are there, while the others still run.

        Raises
        ------
        psycopg.Error
            When the connection breaks.
        """
        # all before the first goes out: results are awaited of whole sequences alone
        encoded = [
            (name.encode(), [None if value is None else value.encode() for value in values])
            for name, values in calls
        ]
        self._own.enter_pipeline_mode()
        for number, (name, texts) in enumerate(encoded, 1):
            self._own.send_query_prepared(name, texts)
            if number == urgent:
                self._own.send_flush_request()
        self._own.pipeline_sync()
        self._awaited = len(encoded)
        self._send()

    def receive(self, number: int | None = None) -> list[list[Row]]:
        """Return the rows of the next statements that were sent, or of all that are left.

        Raises
        ------
        psycopg.Error
            When a statement failed: those after it have not run.
        """
        return [self._expect(result) for result in self._results(number)]

    def discard(self) -> None:
        """Leave what was sent and is not received yet, where the connection still stands."""
        if self._awaited and self._is_connected():
            with suppress(self._library.OperationalError):
                self._results()

    def _results(self, number: int | None = None) -> list[Any]:
        results = []
        for _ in range(self._awaited if number is None else number):
            self._awaited -= 1
            results.append(self._result())
            self._result()  # none: the end of a statement's results
        if not self._awaited:
            self._result()  # the end of all of them
            if self._is_connected():
                self._own.exit_pipeline_mode()
        return results

    def _is_connected(self) -> bool:
        return bool(self._own.status == self._library.pq.ConnStatus.OK)

    def _send(self) -> None:
        """Send all that waits to be sent, and take what comes meanwhile."""
        place = [self._own.socket]
        # the server stops reading while nobody takes its answers: both sides would wait for ever
        while self._own.flush():
            if select.select(place, place, [])[0]:
                self._own.consume_input()

    def _result(self) -> Any:  # noqa: ANN401 - of the library
        """Return the next result once it has come; libpq would let no thread run meanwhile."""
        while self._own.is_busy():
            select.select([self._own.socket], [], [])
            self._own.consume_input()
        return self._own.get_result()

    def _expect(self, result: Any) -> list[Row]:  # noqa: ANN401 - of the library
        """Return the rows of a result.

        Raises
        ------
        psycopg.Error
            When it is an error, or the connection has broken.
        """
        if not self._is_connected() or result is None:
            raise self._library.OperationalError(self._own.get_error_message())
        if result.status not in self._succeeded:
            raise self._library.errors.error_from_result(result)
        columns = range(result.nfields)
        return [tuple(result.get_value(n, c) for c in columns) for n in range(result.ntuples)]


def typed(rows: Iterable[Row], readers: Sequence[Reader]) -> Iterator[list[Any]]:
    """Yield rows of text as values, one reader a column; what is null stays None."""
    for row in rows:
        yield [
            None if value is None else read(value)
            for value, read in zip(row, readers, strict=True)
        ]


def text_of(value: bytes) -> str:
    """Return what a column of text holds."""
    return value.decode()


def bytes_of(value: bytes) -> bytes:
    r"""Return what a column of bytes holds.

    >>> bytes_of(rb"\x0102")
    b'\x01\x02'
    """
    return bytes.fromhex(value[2:].decode())


def columns(rows: Sequence[Sequence[Value]], *, width: int) -> list[str | None]:
    """Return the columns of rows as arrays, so many also where there is no row."""
    return [*map(array, zip(*rows, strict=True))] if rows else [array(())] * width


def array(values: Iterable[Value]) -> str:
    r"""Return values as PostgreSQL writes an array; psycopg takes four times as long.

    >>> print(array(["a", 'b"\\', None, 7, 0.5, b"\x01"]))
    {"a","b\"\\",NULL,7,0.5,"\\x01"}
    """
    return f"{{{','.join(map(_element, values))}}}"


def records(rows: Iterable[Sequence[Value]]) -> str:
    r"""Return rows as PostgreSQL writes an array of a table's rows.

    >>> print(records([("a", 'b"\\', None), (7, 0.5, b"\x01")]))
    {"(\"a\",\"b\\\"\\\\\",)","(7,0.5,\\\\x01)"}
    """
    texts = [f'"({",".join(map(_field, row))})"' for row in rows]
    return f"{{{','.join(texts)}}}"


def _element(value: Value) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    return "NULL" if value is None else repr(value)


def _field(value: Value) -> str:
    """Return a field of a row in an array: what is escaped in the row is so again."""
    if isinstance(value, str):
        escaped = value.replace("\\", r"\\\\").replace('"', r"\\\"")
        return rf"\"{escaped}\""
    if isinstance(value, bytes):
        return rf"\\\\x{value.hex()}"
    return "" if value is None else repr(value)
