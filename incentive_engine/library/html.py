"""Small tables for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def facts(title: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values.

    >>> facts("Plan", [("users", "5")])
    '<b>Plan</b><table><tr><th>users</th><td>5</td></tr></table>'
    """
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in pairs
    )
    return f"<b>{escape(title)}</b><table>{rows}</table>"


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with a row of headings.

    >>> grid(["limit", "price"], [["stock", "2"]])
    '<table><tr><th>limit</th><th>price</th></tr><tr><td>stock</td><td>2</td></tr></table>'
    """
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = (
        "<tr>" + "".join(f"<td>{escape(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{cells}</tr>{''.join(lines)}</table>"


def number(value: float | None) -> str:
    """Return a number as tables show it, a dash where there is none.

    >>> number(1234567.0), number(0.125), number(None)
    ('1,234,567', '0.125', '–')
    """
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
