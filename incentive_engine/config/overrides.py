"""What a command line may change in a policy, by the names that a run's manifest records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from incentive_engine.config.amounts import Bound, parse_amount
from incentive_engine.config.policy import Limit, Policy
from incentive_engine.domain import COST, SPEND
from incentive_engine.errors import ConfigError, Fault, nearest
from incentive_engine.language import message_of, say

MIN_ROI: Final = "limits"
"""Adds a limit on spend per cost behind those of the file."""
MIN_MARGINAL_ROI: Final = "min_marginal_roi"
"""Asks for a return of the last money; the policy itself stays as it is."""
BUDGET: Final = "budget."
BUDGET_FIELDS: Final = ("amount", "basis", "confidence", "cost_error")
OVERRIDES: Final = (*(f"{BUDGET}{field}" for field in BUDGET_FIELDS), MIN_ROI, MIN_MARGINAL_ROI)
"""Every name; the program makes no other override."""


def apply_overrides(policy: Policy, overrides: Mapping[str, object]) -> Policy:
    """Return the policy of a file with the recorded overrides applied.

    Parameters
    ----------
    overrides
        Name, one of `OVERRIDES`, to value; an amount of money as planners write it.

    Raises
    ------
    ConfigError
        With every name that is unknown and every value that cannot be, at its name.
    """
    faults = [
        Fault(name, "no command makes such an override", remedy=nearest(name, OVERRIDES))
        for name in overrides
        if name not in OVERRIDES
    ]
    for name in (MIN_ROI, MIN_MARGINAL_ROI):
        if name in overrides and not _is_ratio(value := overrides[name]):
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            faults.append(
                Fault(name, say("`{shown}` is no ratio", shown=shown), "a number of at least 0")
            )
    if faults:
        raise ConfigError(*faults)
    return _with_roi(_with_budget(policy, overrides), overrides.get(MIN_ROI))


def _is_ratio(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= float(value) < math.inf


def _with_budget(policy: Policy, overrides: Mapping[str, object]) -> Policy:
    changes = {
        field: overrides[f"{BUDGET}{field}"]
        for field in BUDGET_FIELDS
        if f"{BUDGET}{field}" in overrides
    }
    if "amount" in changes:
        try:
            changes["amount"] = parse_amount(changes["amount"])
        except ValueError as error:
            raise ConfigError(
                Fault(f"{BUDGET}amount", message_of(error), remedy="plan anew")
            ) from None
    return policy.with_budget(**changes) if changes else policy


def _with_roi(policy: Policy, min_roi: object) -> Policy:
    if not isinstance(min_roi, int | float):
        return policy
    # behind all others: positions of limits in the file are those in the manifest
    limit = Limit(name="--min-roi", ratio=(SPEND, COST), at_least=Bound(float(min_roi)))
    return policy.model_copy(update={"limits": (*policy.limits, limit)})
