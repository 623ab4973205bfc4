"""What a plain YAML scalar means: few forms are not text, and none is a surprise.

Close to the core schema of YAML 1.2: ``no`` and ``on`` are text, ``1e6`` is a number, ``12:30``
and dates are text. Stricter than it where codes would suffer: numbers with leading zeros
(``007``) and hexadecimal numbers are text. Looser in one point: ``200_000`` is a number.

References
----------
YAML 1.2.2, section 10.3.2, https://yaml.org/spec/1.2.2/#1032-tag-resolution
"""

from __future__ import annotations

import re
from typing import Final

from incentive_engine.language import say

PlainScalar = str | int | float | bool | None

NULL, BOOL, INT, FLOAT, STR, MAP, SEQ = (
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "map", "seq")
)

FORMS: Final = (
    (NULL, re.compile(r"|~|null|Null|NULL")),
    (BOOL, re.compile(r"true|True|TRUE|false|False|FALSE")),
    (INT, re.compile(r"[-+]?(?:0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:_[0-9]{3})+)")),
    (
        FLOAT,
        re.compile(
            r"[-+]?(?:(?:0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:_[0-9]{3})+)(?:\.[0-9]*)?|\.[0-9]+)"
            r"(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
    ),
)


def scalar_tag(text: str) -> str:
    """Return the tag of a scalar that stands without quotes.

    >>> [scalar_tag(t).rpartition(":")[2] for t in ("no", "1e6", "12:30", "007", "true", "")]
    ['str', 'float', 'str', 'str', 'bool', 'null']
    """
    return next((tag for tag, form in FORMS if form.fullmatch(text)), STR)


def scalar_value(text: str, *, tag: str) -> PlainScalar:
    """Return what a scalar means under its tag.

    Raises
    ------
    ValueError
        When the text does not fit the tag, or the tag is none of the five.
    """
    if tag == STR:
        return text
    # `!!float 3` is right: every whole number is a number, too
    if scalar_tag(text) != tag and (tag, scalar_tag(text)) != (FLOAT, INT):
        raise ValueError(
            say(
                "`{text}` cannot be read as {kind}",
                text=text,
                kind=tag.rpartition(":")[2],
            )
        )
    if tag == NULL:
        return None
    if tag == BOOL:
        return text.lower() == "true"
    if tag == INT:
        return int(text)
    return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
