"""URLs of PostgreSQL databases, read as its client library reads them; no secret leaves here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import quote

from incentive_engine.errors import ConfigError, Fault, SetupError
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """Where a database is.

    Attributes
    ----------
    parameters
        As the client library takes them, the password among them.
    shown
        The URL without any secret, to be printed and stored.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("postgresql://", "postgres://")

    parameters: Mapping[str, str] = field(repr=False)
    shown: str


def is_database(place: str, *, where: str) -> bool:
    """Return whether a place is the URL of a database, and not the path of a file.

    >>> [is_database(place, where="--ledger") for place in ("postgres://me@db/pool", "a.ledger")]
    [True, False]

    Raises
    ------
    ConfigError
        When it is a URL of another kind. Nothing of it is repeated but its kind: taken for a
        path, it would be shown with the password in it.
    """
    if place.startswith(DatabaseUrl.SCHEMES):
        return True
    kind, is_url, _ = place.partition("://")
    if is_url:
        what = say("`{scheme}://` cannot be read", scheme=kind)
        raise ConfigError(Fault(where, what, "a file, or postgresql://…"))
    return False


def read_database_url(url: str, *, where: str) -> DatabaseUrl:
    """Return what a URL names.

    Parameters
    ----------
    url
        Begins with one of `DatabaseUrl.SCHEMES`.
    where
        What gave it, such as ``--to``.

    Raises
    ------
    ConfigError
        When the client library does not understand it, or reads a part of what seems to be a
        password as something else. No part of the URL is repeated.
    SetupError
        When the client library is not installed.
    """
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        remedy = "pip install 'incentive-engine[postgres]'"
        raise SetupError(Fault("psycopg", "is not installed", remedy=remedy)) from error
    try:
        parsed = conninfo_to_dict(url)
    except (psycopg.Error, ValueError):  # the library's message repeats parts of the URL
        parsed = {}
    parameters = {name: str(value) for name, value in parsed.items() if value is not None}
    if not parameters or _may_show_a_secret(url, parameters):
        what = "is no URL of a database that PostgreSQL's client library understands"
        form = "postgresql://USER@HOST:PORT/DATABASE"
        encoded = (
            "write %2F for / and %25 for % in user and password, %40 for @; or give the password "
            "as PGPASSWORD or in ~/.pgpass"
        )
        raise ConfigError(Fault(f"{where} postgresql://…", what, form, encoded)) from None
    return DatabaseUrl(parameters=parameters, shown=_shown(parameters))


def _may_show_a_secret(url: str, parameters: Mapping[str, str]) -> bool:
    """Return whether an @ stands behind the one that ends user and password, or a port is a word.

    Then a password holds / or @ as they are, and what follows them would be taken for a host, a
    port or a database, and be shown.
    """
    after_scheme = url.partition("://")[2]
    user, at, behind = after_scheme.partition("@")
    place = behind if at and "/" not in user else after_scheme
    ports = parameters.get("port", "").split(",")
    # rather refuse a right URL than show half of a password
    return "@" in place.partition("?")[0] or not all(port.isdigit() for port in ports if port)


def _shown(parameters: Mapping[str, str]) -> str:
    user = f"{quote(parameters['user'], safe='')}@" if parameters.get("user") else ""
    host, port = parameters.get("host", ""), parameters.get("port", "")
    folder = f"?host={host}" if host.startswith("/") else ""  # of a socket
    host = f"[{host}]" if ":" in host else host
    place = "" if folder else host
    return (
        f"postgresql://{user}{place}{f':{port}' if port else ''}"
        f"/{quote(parameters.get('dbname', ''), safe='')}{folder}"
    )
