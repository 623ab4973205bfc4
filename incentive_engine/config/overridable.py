"""What a command line may change in a policy, by the names that a run's manifest records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

from incentive_engine.config.amounts import Bound, parse_amount
from incentive_engine.config.policy import Limit, Policy
from incentive_engine.domain import COST, SPEND
from incentive_engine.errors import ConfigError, Fault, nearest
from incentive_engine.language import message_of, say


class Override(StrEnum):
    """Every name; the program makes no other override."""

    AMOUNT = "budget.amount"
    BASIS = "budget.basis"
    CONFIDENCE = "budget.confidence"
    COST_ERROR = "budget.cost_error"
    MIN_ROI = "limits"
    """Adds a limit on spend per cost behind those of the file."""
    MIN_MARGINAL_ROI = "min_marginal_roi"
    """Asks for a return of the last money; the policy itself stays as it is."""


def apply_overrides(policy: Policy, overrides: Mapping[str, object]) -> Policy:
    """Return the policy of a file with the recorded overrides applied.

    Parameters
    ----------
    overrides
        Name, an `Override`, to value; an amount of money as planners write it.

    Raises
    ------
    ConfigError
        With every name that is unknown and every value that cannot be, at its name.
    """
    faults = [
        Fault(name, "no command makes such an override", remedy=nearest(name, list(Override)))
        for name in overrides
        if name not in set(Override)
    ]
    for name in (Override.MIN_ROI, Override.MIN_MARGINAL_ROI):
        if name in overrides and not _is_ratio(value := overrides[name]):
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            faults.append(
                Fault(name, say("`{shown}` is no ratio", shown=shown), "a number of at least 0")
            )
    if faults:
        raise ConfigError(*faults)
    return _with_roi(_with_budget(policy, overrides), overrides.get(Override.MIN_ROI))


def _is_ratio(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= float(value) < math.inf


def _with_budget(policy: Policy, overrides: Mapping[str, object]) -> Policy:
    changes = {
        name.removeprefix("budget."): overrides[name]
        for name in Override
        if name.startswith("budget.") and name in overrides
    }
    if "amount" in changes:
        try:
            changes["amount"] = parse_amount(changes["amount"])
        except ValueError as error:
            raise ConfigError(
                Fault(Override.AMOUNT, message_of(error), remedy="plan anew")
            ) from None
    return policy.with_budget(**changes) if changes else policy


def _with_roi(policy: Policy, min_roi: object) -> Policy:
    if not isinstance(min_roi, int | float):
        return policy
    # behind all others: positions of limits in the file are those in the manifest
    limit = Limit(name="--min-roi", ratio=(SPEND, COST), at_least=Bound(float(min_roi)))
    return policy.model_copy(update={"limits": (*policy.limits, limit)})
