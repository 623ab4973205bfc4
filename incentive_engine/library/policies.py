"""Policies, as a program reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from incentive_engine.config import Policy
from incentive_engine.config import load_policy as load_document


def load_policy(path: str | Path, *, set_values: Sequence[str] = ()) -> Policy:
    """Return the policy of a YAML file; its own data need not exist.

    Parameters
    ----------
    set_values
        Changes such as ``budget.amount=300k`` or ``limits.region cap.at_most=8%``.

    Raises
    ------
    ConfigError
        With every problem of the file, in the order of its lines.
    """
    return load_document(Path(path), set_values=set_values, require_data=False)
