"""Prices that follow a running campaign, live or simulated."""

from incentive_engine.allocation.pacing.foresight import foresight
from incentive_engine.allocation.pacing.pacer import (
    Moment,
    Pacer,
    PacingParams,
    Repriced,
    WarmStart,
    systematic_sample,
)
from incentive_engine.allocation.pacing.room import Bounds, Hold, room
from incentive_engine.allocation.pacing.volume import volume

__all__ = [
    "Bounds",
    "Hold",
    "Moment",
    "Pacer",
    "PacingParams",
    "Repriced",
    "WarmStart",
    "foresight",
    "room",
    "systematic_sample",
    "volume",
]
