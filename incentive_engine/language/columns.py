"""Tables on a terminal, where a Chinese character is as wide as two letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from unicodedata import east_asian_width

from .messages import Language, Text


def aligned(t: Language, rows: Sequence[Sequence[Text]], *, left: int = 1) -> Iterator[str]:
    """Yield the rows of a table as lines, the first `left` columns aligned left, others right.

    >>> from .messages import language
    >>> list(aligned(language("en"), [("offer", "paid"), ("off10", "1,200")]))
    ['offer   paid', 'off10  1,200']
    """
    cells = [[t.say(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    # spaces between columns, at least
    gap = 2
    for row in cells:
        padded = []
        for place, (cell, wide) in enumerate(zip(row, widths, strict=True)):
            space = " " * (wide - width(cell))
            padded.append(cell + space if place < left else space + cell)
        yield (" " * gap).join(padded).rstrip()


def width(text: str) -> int:
    """Return how many places a text takes on a terminal.

    >>> width("offer"), width("优惠")
    (5, 4)
    """
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
