"""Where a table lies: a file, a folder, a pattern, a database or an object store.

What a location shows of itself holds no secret; only who opens it sees the address as written.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from incentive_engine.errors import ConfigError, Fault, nearest

SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
WILD: Final = frozenset("*?[")
"""Characters that make a path a pattern."""
SECRET: Final = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)
"""Parameters of a URL whose names hold one of these are never shown."""
SHOWN: Final = 120
"""Characters of a location that a message repeats."""
EXAMPLE: Final = "postgresql://user@host/database?table=NAME"


class Kind(StrEnum):
    """What has to be opened."""

    FILES = "files"
    DUCKDB = "duckdb"
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    S3 = "s3"


KINDS: Final = {kind.value: kind for kind in Kind if kind is not Kind.FILES}
KINDS["postgres"] = Kind.POSTGRESQL


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a table lies.

    Attributes
    ----------
    kind
        What has to be opened.
    shown
        The location as messages, manifests and reports have it, without a secret.
    address
        A path or a pattern, a database file's path, or a URL as its client library takes it,
        without `table` and `query`; it may hold a password.
    table, query
        What to read from a database: exactly one of the two.
    """

    kind: Kind
    shown: str
    address: str = field(repr=False)
    table: str | None = None
    query: str | None = None

    def __str__(self) -> str:
        """Return what may be shown."""
        return self.shown

    @property
    def where(self) -> str:
        """The location as a message names it: shown, and not longer than a line."""
        return self.shown if len(self.shown) <= SHOWN else f"{self.shown[: SHOWN - 1]}…"

    @property
    def path(self) -> Path | None:
        """The path of a file, a folder, a pattern or a database file; None for a server."""
        return None if self.kind in {Kind.POSTGRESQL, Kind.S3} else Path(self.address)

    @property
    def is_pattern(self) -> bool:
        """Whether this names files by a pattern, and no file is called like that."""
        return (
            self.kind is Kind.FILES
            and not WILD.isdisjoint(self.address)
            and not os.path.lexists(self.address)
        )


def local(path: Path) -> Location:
    """Return the location of a file or a folder."""
    return Location(kind=Kind.FILES, shown=str(path), address=str(path))


def parse_location(text: str, *, folder: Path | None = None) -> Location:
    """Read where a table lies.

    Parameters
    ----------
    text
        A path or a pattern, or a URL of `Kind`.
    folder
        Relative paths start here; left out, they stay as they are.

    Raises
    ------
    ConfigError
        When it is no location; its one fault names no place.

    >>> str(parse_location("postgresql://me:secret@db/crm?sslmode=require&table=users"))
    'postgresql://me@db/crm?sslmode=require&table=users'
    """
    scheme = SCHEME.match(text)
    if scheme is None:
        path = _absolute(text, folder)
        return Location(kind=Kind.FILES, shown=path, address=path)
    kind = KINDS.get(scheme[1].lower())
    if kind is None:
        near = nearest(scheme[1].lower(), KINDS)
        remedy = near if near.startswith("did you mean") else "a local file is named by its path"
        expected = "duckdb:///, sqlite:///, postgresql:// or s3://"
        raise ConfigError(Fault("", f"`{scheme[1]}://` cannot be read", expected, remedy))
    rest = text[scheme.end() :]
    if kind is Kind.S3:
        return _object_store(rest)
    address, table, query = _asked(rest)
    if (table is None) == (query is None):
        what = "names no table" if table is None else "names both a table and a query"
        remedy = f"as in {kind}:///path.db?table=NAME" if kind.name != "POSTGRESQL" else EXAMPLE
        raise ConfigError(Fault("", f"the {kind} location {what}", "table= or query=", remedy))
    if kind is Kind.POSTGRESQL:
        return _server(address, table, query)
    return _database_file(kind, address, table, query, folder)


def _absolute(text: str, folder: Path | None) -> str:
    path = Path(text).expanduser()
    return str(path) if folder is None else os.path.abspath(folder / path)  # noqa: PTH100 - keeps links


def _asked(rest: str) -> tuple[str, str | None, str | None]:
    """Return a URL without `table` and `query`, and the two; a query takes all that follows."""
    query = None
    if found := re.search(r"[?&]query=", rest):
        rest, query = rest[: found.start()], unquote(rest[found.end() :]).strip()
    table = None
    if found := re.search(r"([?&])table=([^&]*)", rest):
        table = unquote(found[2])
        behind = rest[found.end() :]
        rest = rest[: found.start()] + (found[1] + behind[1:] if behind else "")
    return rest, table or None, query or None


def _tail(table: str | None, query: str | None) -> str:
    return f"table={table}" if table is not None else f"query={query}"


def _database_file(
    kind: Kind, address: str, table: str | None, query: str | None, folder: Path | None
) -> Location:
    if not address.startswith("/") or address == "/":
        remedy = "three slashes start a path from here, four an absolute one"
        raise ConfigError(
            Fault("", f"`{kind}://` names no file", f"{kind}:///path?table=NAME", remedy)
        )
    path = _absolute(unquote(address.partition("?")[0][1:]), folder)
    shown = f"{kind}:///{path}?{_tail(table, query)}"
    return Location(kind=kind, shown=shown, address=path, table=table, query=query)


def _server(rest: str, table: str | None, query: str | None) -> Location:
    """Return a PostgreSQL location; the user's part ends where libpq says that it ends."""
    name, host, parameters = split_server(rest)
    shown = "&".join([*parameters, _tail(table, query)])
    return Location(
        kind=Kind.POSTGRESQL,
        shown=f"postgresql://{name}{host}?{shown}",
        address=f"postgresql://{rest}",
        table=table,
        query=query,
    )


def split_server(rest: str) -> tuple[str, str, list[str]]:
    """Return what may be shown of a server's URL behind `://`: user, host and path, parameters.

    The user's part ends at the first `@`, if no `/` stands before it, as libpq has it; so a
    password may hold `?` and `#`, but not `/`.

    Raises
    ------
    ConfigError
        When an `@` stands where it can only be part of a secret that was not escaped.
    """
    at = rest.split("/", 1)[0].find("@")
    user, behind = (rest[:at], rest[at + 1 :]) if at >= 0 else ("", rest)
    host, _, parameters = behind.partition("?")
    if "@" in host:
        remedy = "write %2F for / and %40 for @ in it, or leave it to PGPASSWORD or ~/.pgpass"
        raise ConfigError(Fault("", "the URL's user or password is not escaped", remedy=remedy))
    name = f"{user.partition(':')[0]}@" if at >= 0 else ""
    return name, host, shown_parameters(parameters)


def shown_parameters(parameters: str) -> list[str]:
    """Return the parameters of a URL, `name=value`, that are no secrets.

    >>> shown_parameters("sslmode=require&password=p&sslkey=k")
    ['sslmode=require']
    """
    each = [part for part in parameters.split("&") if part]
    return [part for part in each if not SECRET.search(part.partition("=")[0])]


def _object_store(rest: str) -> Location:
    """Return an S3 location; keys that stand in it are not shown."""
    path, _, parameters = rest.partition("?")
    bucket = path.rpartition("@")[2]
    if not bucket.strip("/"):
        raise ConfigError(Fault("", "`s3://` names no bucket", "s3://BUCKET/PATH"))
    shown = "&".join(shown_parameters(parameters))
    return Location(
        kind=Kind.S3,
        shown=f"s3://{bucket}" + (f"?{shown}" if shown else ""),
        address=f"s3://{rest}",
    )
