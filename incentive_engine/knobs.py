"""Settings that someone may want to turn: fields of a frozen class, each with its range."""

from __future__ import annotations

from dataclasses import field, fields
from numbers import Integral
from typing import Any

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
