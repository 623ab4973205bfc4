"""Names in SQL, and what is wrong with tables and queries that a location asks of a database."""

from __future__ import annotations

from incentive_engine.config.access.location import Location
from incentive_engine.errors import Fault, nearest
from incentive_engine.language import say


def quoted(name: str) -> str:
    """Return an identifier in SQL.

    >>> quoted('odd"name')
    '"odd""name"'
    """
    return '"' + name.replace('"', '""') + '"'


def no_such_table(location: Location, tables: list[str]) -> Fault:
    """Return the fault of a table that is not there, with the nearest that is."""
    what = say("there is no table `{table}`", table=location.table)
    return Fault(location.where, what, remedy=nearest(location.table or "", tables))


def wrong_query(location: Location, reason: str) -> Fault:
    """Return the fault of a query that the database refuses."""
    remedy = "try it in the database's own client"
    return Fault(
        location.where, say("the query fails: {reason}", reason=reason), "one SELECT", remedy
    )


def unfit_value(location: Location) -> Fault:
    """Return the fault of a value that a query converts and the database cannot."""
    what, remedy = "a value does not fit its type", "correct the value, or the cast in the query"
    return Fault(location.where, what, "values of the column's type", remedy)
