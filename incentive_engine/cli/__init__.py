"""The commands that planners type.

A command reads its options, calls one workflow function, prints what came out, and exits. Heavy
libraries load inside the workflow, so that ``--help`` answers at once.
"""

from . import planning, checking, model, history, simulation, delivery, live, campaign, studio  # noqa: F401, I001 - the order of the commands in --help
from incentive_engine.cli.terminal.program import main, run

__all__ = ["main", "run"]
