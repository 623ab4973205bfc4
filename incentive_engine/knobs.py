"""Settings that someone may want to turn: fields of a frozen class, each with its range.

Those of a room stand in it; here are the base of all, and what every room goes by: memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any, Final

from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import say


def knob(default: float, least: float, most: float) -> Any:  # noqa: ANN401 - as `field`
    """Return a field with a range; a whole default stands for whole numbers alone."""
    return field(default=default, metadata={"least": least, "most": most})


def out_of_range(settings: Any) -> list[Fault]:  # noqa: ANN401 - of any class of knobs
    """Return what is wrong with the knobs of a frozen class, all of it.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Lamp:
    ...     watts: int = knob(40, 1, 100)
    >>> [str(fault) for fault in out_of_range(Lamp(watts=200))]
    ['Lamp: watts: it is 200, expected 1 to 100']
    >>> [str(fault) for fault in out_of_range(Lamp(watts=4.5))]
    ['Lamp: watts: it is 4.5, expected a whole number']
    """
    faults = []
    for own in fields(settings):
        if not own.metadata:
            continue
        value, low, high = getattr(settings, own.name), own.metadata["least"], own.metadata["most"]
        where, what = f"{type(settings).__name__}: {own.name}", say("it is {value}", value=value)
        if isinstance(own.default, int) and not isinstance(value, Integral):
            faults.append(Fault(where, what, "a whole number"))
        elif not low <= value <= high:
            faults.append(Fault(where, what, say("{low:g} to {high:g}", low=low, high=high)))
    return faults


class Knobs:
    """Settings that refuse what is out of range; frozen dataclasses derive from it.

    Raises
    ------
    ConfigError
        With every setting that is out of its range.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        if faults := out_of_range(self):
            raise ConfigError(*faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryParams(Knobs):
    """How much is held in memory at a time."""

    rows: int = knob(1 << 18, 1, 1 << 40)
    """Rows of a table that is read in blocks: with twenty columns of numbers, some tens of
    megabytes."""
    checked_rows: int = knob(2_000_000, 1, 1 << 40)
    """Rows of a table that are looked at before a campaign; of a larger one, so many spread over
    all of it."""
    head: int = knob(1 << 22, 1_000, 1 << 40)
    """Bytes of a CSV file of which a sample of rows is taken."""
    scored_users: int = knob(1 << 18, 1, 1 << 40)
    """Users that are scored at a time; their features as numbers take 8 times what the scores
    do."""
    columns: int = knob(1 << 30, 0, 1 << 50)
    """Bytes of one block of columns that stands in memory, and not in a scratch file; with more,
    the engine would need about five times as much at once."""
    stride: int = knob(1 << 18, 1, 1 << 40)
    """Users whose mapped columns are looked at between two times of letting go."""
    mapped_users: int = knob(1 << 20, 1, 1 << 40)
    """Users of a range where columns are mapped."""
    gathered_users: int = knob(1 << 18, 1, 1 << 40)
    """Users whose columns are gathered at a time."""
    answer: int = knob(1 << 26, 0, 1 << 50)
    """Bytes of columns that all shards together send with one answer. Where it might be more,
    users are fetched once it is known who they are, and a part of the population stays in
    shards."""


MEMORY: Final = MemoryParams()
"""What the program holds."""
