"""Prices that follow a running campaign, live or simulated."""

from incentive_engine.allocation.pacing.foresight import foresight
from incentive_engine.allocation.pacing.pacer import (
    Memory,
    Moment,
    Pacer,
    PacingParams,
    Repriced,
    systematic_sample,
)
from incentive_engine.allocation.pacing.room import Bounds, Hold, room
from incentive_engine.allocation.pacing.volume import volume

__all__ = [
    "Bounds",
    "Hold",
    "Memory",
    "Moment",
    "Pacer",
    "PacingParams",
    "Repriced",
    "foresight",
    "room",
    "systematic_sample",
    "volume",
]
