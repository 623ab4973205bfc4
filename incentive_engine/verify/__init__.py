"""Re-checks a run from its files alone; shares no code with what made it.

What it proves, and from what, stands in `docs/verification.md`. In short: rows, money, limits,
totals and the bound follow from scores.parquet and policy.yaml; the scores themselves, the gain by
the trial and the page are vouched for by digests, and these by a signature.
"""

import sys
from pathlib import Path
from types import ModuleType

from .result import Check, Verification
from .verification import verify_run

__all__ = ["Check", "Verification", "verify_run"]


class _CallableModule(ModuleType):
    """Lets `incentive_engine.verify(RUN_DIR)` work, where Python has put this package."""

    def __call__(self, run_dir: str | Path) -> Verification:
        """Return what re-checking a run directory finds; see `verify_run`."""
        return verify_run(Path(run_dir))


# the library offers `verify(…)`, and the package of that name stands in its place
sys.modules[__name__].__class__ = _CallableModule
