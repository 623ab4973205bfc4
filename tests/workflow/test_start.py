"""A second plan must take seconds, and a third of them went into libraries that it never uses."""

import subprocess
import sys

import pytest

SLOW = (
    "pandas",
    "lightgbm",
    "scipy.stats",
    "scipy.special",
    "scipy.optimize",
    "incentive_engine.config.scenario",
)


@pytest.mark.parametrize("module", ["workflow.allocate", "run.directory"])
def test_planning_loads_no_library_that_only_learning_needs(module: str) -> None:
    lines = (
        f"import sys, incentive_engine.{module}; "
        f"print([name for name in {SLOW} if name in sys.modules])"
    )
    command = [sys.executable, "-c", lines]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    assert ended.stdout == "[]\n"


def test_deciding_for_one_user_loads_no_solver() -> None:
    lines = (
        "import sys; from incentive_engine import FrozenPolicy, User, decide; "
        "print([name for name in ('ortools', 'numba', 'pandas') if name in sys.modules])"
    )
    command = [sys.executable, "-c", lines]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    assert ended.stdout == "[]\n"
