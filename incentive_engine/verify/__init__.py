"""Re-checks a run from its files alone; shares no code with what made it."""

from .result import Check, Verification
from .verification import verify_run

__all__ = ["Check", "Verification", "verify_run"]
