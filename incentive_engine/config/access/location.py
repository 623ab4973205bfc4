"""Where a table lies: a file, a folder, a pattern, a database or an object store.

What a location shows of itself holds no secret; only who opens it sees the address as written.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo

from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.document.words import Words
from incentive_engine.errors import ConfigError, Fault, near_name
from incentive_engine.language import Text, say


class Kind(StrEnum):
    """What has to be opened."""

    FILES = "files"
    DUCKDB = "duckdb"
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    S3 = "s3"

    @classmethod
    def schemes(cls) -> dict[str, Kind]:
        """Return what each scheme of a URL opens."""
        named = {kind.value: kind for kind in cls if kind is not cls.FILES}
        return {**named, "postgres": cls.POSTGRESQL}


def is_wild(path: str, *, letters: str = "*?[") -> bool:
    """Return whether a path, or a part of one, is a pattern."""
    return any(letter in path for letter in letters)


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
    secrets
        The pieces of the address that are never shown, as they are written.
    """

    kind: Kind
    shown: str
    address: str = field(repr=False)
    table: str | None = None
    query: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        """Return what may be shown."""
        return self.shown

    @property
    def where(self) -> str:
        """The location as a message names it: shown, a long query cut short."""
        # characters of a query's location that a message repeats
        shown = 120
        if self.query is None or len(self.shown) <= shown:
            return self.shown
        return f"{self.shown[: shown - 1]}…"

    @property
    def path(self) -> Path | None:
        """The path of a file, a folder, a pattern or a database file; None for a server."""
        return None if self.kind in {Kind.POSTGRESQL, Kind.S3} else Path(self.address)

    def written(self) -> str:
        """Return what finds the table again from any folder; without a secret."""
        return str(Path(self.address).absolute()) if self.kind is Kind.FILES else self.shown

    @property
    def is_pattern(self) -> bool:
        """Whether this names files by a pattern, and no file is called like that."""
        return (
            self.kind is Kind.FILES and is_wild(self.address) and not os.path.lexists(self.address)
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
    scheme = re.match(r"^([A-Za-z][A-Za-z0-9+.-]*)://", text)
    if scheme is None:
        path = _absolute(text, folder)
        return Location(kind=Kind.FILES, shown=path, address=path)
    schemes = Kind.schemes()
    kind = schemes.get(scheme[1].lower())
    if kind is None:
        near = near_name(scheme[1].lower(), schemes)
        remedy: Text = say("did you mean `{name}`?", name=near)
        if near is None:
            remedy = "a local file is named by its path"
        expected = "duckdb:///, sqlite:///, postgresql:// or s3://"
        raise ConfigError(
            Fault("", say("`{scheme}://` cannot be read", scheme=scheme[1]), expected, remedy)
        )
    behind = text[scheme.end() :]
    if kind is Kind.S3:
        return _object_store(behind)
    address, table, query = _asked(behind)
    if (table is None) == (query is None):
        what = say("the {kind} location names both a table and a query", kind=kind)
        if table is None:
            what = say("the {kind} location names no table", kind=kind)
        example = "postgresql://user@host/database?table=NAME"
        remedy = (
            say("as in {kind}:///path.db?table=NAME", kind=kind)
            if kind.name != "POSTGRESQL"
            else example
        )
        raise ConfigError(Fault("", what, "table= or query=", remedy))
    if kind is Kind.POSTGRESQL:
        return _server(address, table, query)
    return _database_file(kind, address, table, query, folder)


def _absolute(text: str, folder: Path | None) -> str:
    if folder is None:
        return str(Path(text))
    # not `resolve`: a link names what the planner means, wherever it leads today
    return os.path.abspath(folder / Path(text).expanduser())  # noqa: PTH100 - keeps links


def _asked(url: str) -> tuple[str, str | None, str | None]:
    """Return a URL without `table` and `query`, and the two; a query takes all that follows."""
    query = None
    if match := re.search(r"[?&]query=", url):
        url, query = url[: match.start()], unquote(url[match.end() :]).strip()
    table = None
    if match := re.search(r"([?&])table=([^&]*)", url):
        # names of tables may hold spaces and signs, which a URL must escape
        table = unquote(match[2])
        behind = url[match.end() :]
        url = url[: match.start()] + (match[1] + behind[1:] if behind else "")
    return url, table or None, query or None


def _tail(table: str | None, query: str | None) -> str:
    return f"table={table}" if table is not None else f"query={query}"


def _database_file(
    kind: Kind, address: str, table: str | None, query: str | None, folder: Path | None
) -> Location:
    if not address.startswith("/") or address == "/":
        remedy = "three slashes start a path from here, four an absolute one"
        raise ConfigError(
            Fault(
                "",
                say("`{kind}://` names no file", kind=kind),
                say("{kind}:///path?table=NAME", kind=kind),
                remedy,
            )
        )
    path = _absolute(unquote(address.partition("?")[0][1:]), folder)
    shown = f"{kind}:///{path}?{_tail(table, query)}"
    return Location(kind=kind, shown=shown, address=path, table=table, query=query)


def _server(rest: str, table: str | None, query: str | None) -> Location:
    """Return a PostgreSQL location; the user's part ends where libpq says that it ends."""
    name, host, parameters, secrets = split_server(rest)
    shown = "&".join([*parameters, _tail(table, query)])
    return Location(
        kind=Kind.POSTGRESQL,
        shown=f"postgresql://{name}{host}?{shown}",
        address=f"postgresql://{rest}",
        table=table,
        query=query,
        secrets=secrets,
    )


def split_server(rest: str) -> tuple[str, str, list[str], tuple[str, ...]]:
    """Return of a server's URL behind `://`: user, host and path, parameters; and its secrets.

    The user's part ends at the first `@`, if no `/` stands before it, as libpq has it; so a
    password may hold `?` and `#`, but not `/`.

    Raises
    ------
    ConfigError
        When an `@` stands where it can only be part of a secret that was not escaped.
    """
    at_sign = rest.split("/", 1)[0].find("@")
    user, behind = (rest[:at_sign], rest[at_sign + 1 :]) if at_sign >= 0 else ("", rest)
    host, _, parameters = behind.partition("?")
    if "@" in behind:
        remedy = "write %2F for / and %40 for @ in it, or leave it to PGPASSWORD or ~/.pgpass"
        raise ConfigError(Fault("", "the URL's user or password is not escaped", remedy=remedy))
    name, _, password = user.partition(":")
    shown, hidden = _parameters(parameters)
    secrets = [f":{password}@"] if password else []
    return f"{name}@" if at_sign >= 0 else "", host, shown, (*secrets, *hidden)


def _parameters(parameters: str) -> tuple[list[str], list[str]]:
    """Return the parameters of a URL, `name=value`, that may be shown, and those that may not.

    >>> _parameters("sslmode=require&password=p&sslkey=k")
    (['sslmode=require'], ['password=p', 'sslkey=k'])
    """
    each = [parameter for parameter in parameters.split("&") if parameter]
    # parameters of a URL whose names hold one of these are never shown
    hidden = [
        parameter
        for parameter in each
        if re.search(
            r"pass|secret|token|key|credential", parameter.partition("=")[0], flags=re.IGNORECASE
        )
    ]
    return [parameter for parameter in each if parameter not in hidden], hidden


def without_secrets(text: str, locations: Iterable[Location]) -> str | None:
    """Return a document's text with `***` for the secrets in it; None where one is not found.

    >>> place = parse_location("postgresql://me:secret@db/crm?table=users")
    >>> without_secrets("users: postgresql://me:secret@db/crm?table=users", [place])
    'users: postgresql://me:***@db/crm?table=users'
    """
    for secret in (piece for location in locations for piece in location.secrets):
        if secret not in text:
            return None
        name = secret.partition("=")[0]
        text = text.replace(secret, ":***@" if secret.startswith(":") else f"{name}=***")
    return text


def _object_store(rest: str) -> Location:
    """Return an S3 location; keys that stand in it are not shown."""
    path, _, parameters = rest.partition("?")
    bucket = path.rpartition("@")[2]
    if not bucket.strip("/"):
        raise ConfigError(Fault("", "`s3://` names no bucket", "s3://BUCKET/PATH"))
    shown, hidden = _parameters(parameters)
    # what stands before the @ is an access key and its secret
    keys = path[: -len(bucket)]
    return Location(
        kind=Kind.S3,
        shown=f"s3://{bucket}" + (f"?{'&'.join(shown)}" if shown else ""),
        address=f"s3://{rest}",
        secrets=(*([f":{keys.partition(':')[2]}"] if ":" in keys else []), *hidden),
    )


@dataclass(frozen=True, slots=True)
class FileContext:
    """What validating needs to know about the file that a document comes from."""

    folder: Path
    """Relative paths start here."""
    require_data: bool
    """Whether data files must exist."""


def path_beside(path: Path, info: ValidationInfo, *, expected: str, required: bool) -> Path:
    """Return a file's path from the folder of the document that names it."""
    context = info.context
    if not isinstance(context, FileContext):
        return path
    # a link stays as it is written: whoever set it may turn it to the next campaign
    full = Path(os.path.abspath(context.folder / path.expanduser()))  # noqa: PTH100 - keeps links
    if required and not full.is_file():
        what = (
            say("`{path}` is a directory", path=path)
            if full.is_dir()
            else say("no file `{path}`", path=path)
        )
        reject(_not_there(what, expected))
    return full


def _not_there(what: Text, expected: str) -> FieldProblem:
    return FieldProblem((), what, expected, "paths start from the folder of this file")


def _read_location(value: object, info: ValidationInfo) -> object:
    """Read where a table lies; a path must exist where data are required."""
    if not isinstance(value, str | Path):
        return value
    context = info.context if isinstance(info.context, FileContext) else None
    try:
        location = parse_location(str(value), folder=context.folder if context else None)
    except ConfigError as error:
        fault = error.faults[0]
        reject(FieldProblem((), fault.what, fault.expected, fault.remedy))
    table = "a CSV or Parquet file, a folder of Parquet, or a database's URL"
    if context and context.require_data and (path := location.path) is not None:
        if location.is_pattern:
            if not glob.glob(location.address, recursive=True):  # noqa: PTH207 - a whole path
                reject(_not_there(say("no file is called like `{value}`", value=value), table))
        elif not path.exists():
            reject(_not_there(say("no file `{value}`", value=value), table))
    return location


DataPath = Annotated[
    Location,
    BeforeValidator(_read_location),
    PlainSerializer(str, when_used="json"),
    Words("the path of a CSV or Parquet file, of a folder of Parquet, or a database's URL"),
]
"""Where a table lies; what is written of it elsewhere holds no password."""
