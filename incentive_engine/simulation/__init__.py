"""What would have happened: worlds, replays, strategies and their comparison."""

from incentive_engine.simulation.comparison import Comparison, compare_replays, compare_worlds
from incentive_engine.simulation.draw import blocks_of, run_block
from incentive_engine.simulation.ground import Variant
from incentive_engine.simulation.replay import run_replay
from incentive_engine.simulation.runner import Finished, default_workers, run_tasks
from incentive_engine.simulation.world import check_offers

__all__ = [
    "Comparison",
    "Finished",
    "Variant",
    "blocks_of",
    "check_offers",
    "compare_replays",
    "compare_worlds",
    "default_workers",
    "run_block",
    "run_replay",
    "run_tasks",
]
