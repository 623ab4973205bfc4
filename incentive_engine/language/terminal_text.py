"""Tables and paragraphs on a terminal, where a Chinese character is as wide as two letters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from unicodedata import east_asian_width

from incentive_engine.language import Language, Text

CLOSING: Final = frozenset("，。；：、！？）】》」』”’…%,.;:!?)]}")
"""No line begins with these where it was broken between two characters."""
OPENING: Final = frozenset("（【《「『“‘([{")
"""No line ends with these."""


def aligned(t: Language, rows: Sequence[Sequence[Text]], *, left: int = 1) -> Iterator[str]:
    """Yield the rows of a table as lines, the first `left` columns aligned left, others right.

    >>> from incentive_engine.language import language
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


def wrapped(text: str, columns: int) -> list[str]:
    """Return a paragraph as lines of at most so many places.

    A line ends at a space or beside a Chinese character, never within a word that has room on a
    line of its own, and never before a comma.

    >>> wrapped("写出方案，再用 verify 复核。", 10)
    ['写出方案，', '再用', 'verify 复', '核。']
    """
    lines, line = [], ""
    for piece in _pieces(" ".join(text.split())):
        if line and width((line + piece).rstrip()) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece
        while width(line.rstrip()) > columns:
            # a wide letter may leave the last place free
            fits = next(n for n in range(len(line), 0, -1) if n == 1 or width(line[:n]) <= columns)
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line.rstrip()] if line.strip() else lines


def _pieces(text: str) -> Iterator[str]:
    """Yield the parts of a paragraph between which a line may end, spaces behind them included."""
    piece = ""
    for letter in text:
        if piece and _may_part(piece[-1], letter):
            yield piece
            piece = ""
        piece += letter
    if piece:
        yield piece


def _may_part(before: str, after: str) -> bool:
    """Whether a line may end between two characters."""
    if after == " " or before == " ":
        return before == " "
    if after in CLOSING or before in OPENING or before.isdigit():  # 1.2亿 stays together
        return False
    return width(before) == 2 or width(after) == 2
