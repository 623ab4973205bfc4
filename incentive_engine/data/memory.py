"""How much is held in memory at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from incentive_engine.knobs import Knobs, knob


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
