"""Which policy a command works on: the file, and what the command line changes in it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import incentive_engine
from incentive_engine.config import Policy, load_policy
from incentive_engine.config.amounts import Bound, parse_amount
from incentive_engine.config.policy import Budget, Limit
from incentive_engine.domain import COST, SPEND
from incentive_engine.errors import ConfigError, Fault

OPTIONS: Final = {"amount": "--budget", "basis": "--basis", "confidence": "--confidence"}
"""Fields of a policy's budget to the options that change them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetOptions:
    """What the command line says about money; None leaves the policy's word."""

    amount: str | None = None
    """The pool, as planners write amounts."""
    basis: str | None = None
    """expected, face or at-risk."""
    confidence: float | None = None
    """For at-risk: the probability that redemption stays within the amount."""
    min_roi: float | None = None
    """Incremental spend per unit of cost, at least."""
    min_marginal_roi: float | None = None
    """Incremental spend per unit of cost of the last money spent, at least."""

    def to_dict(self) -> dict[str, object]:
        """Return what is overridden, by the policy's fields."""
        fields = {
            "budget.amount": self.amount,
            "budget.basis": self.basis,
            "budget.confidence": self.confidence,
            "limits": self.min_roi,
            "min_marginal_roi": self.min_marginal_roi,
        }
        return {name: value for name, value in fields.items() if value is not None}


def default_policy() -> Path:
    """Return the Double 11 sample policy that comes with the program."""
    package = Path(incentive_engine.__file__).parent
    places = (package / "policies", package.parent / "policies")
    for place in places:
        if (place / "double11.yaml").is_file():
            return place / "double11.yaml"
    raise ConfigError(Fault("POLICY", "none given, and the sample policy is not installed"))


def load(path: Path | None) -> Policy:
    """Return the policy of a file, the Double 11 sample's where none is given."""
    return load_policy(path or default_policy())


def load_for_scores(path: Path | None) -> Policy:
    """Return the policy of a file whose own data are not needed."""
    return load_policy(path or default_policy(), require_data=False)


def read_policy(path: Path | None, options: BudgetOptions, *, with_scores: bool) -> Policy:
    """Return the policy as the run will use it.

    Parameters
    ----------
    path
        The policy file; None is the Double 11 sample.
    options
        What the command line overrides.
    with_scores
        Scores are given, so the policy's own data need not exist.

    Raises
    ------
    ConfigError
        With every problem of the file, or of the options.
    """
    policy = load_policy(path or default_policy(), require_data=not with_scores)
    named = policy.budget is not None or options.amount is not None
    if not named and options.min_roi is None and options.min_marginal_roi is None:
        what = "neither the option nor the policy names a budget"
        raise ConfigError(
            Fault("--budget", what, "an amount, or --min-roi, or --min-marginal-roi")
        )
    return with_options(policy, options)


def budget_of(policy: Policy) -> Budget:
    """Return the policy's budget, where it must have one."""
    if policy.budget is None:
        raise ConfigError(Fault("budget", "is missing", "an amount", "give --budget"))
    return policy.budget


def with_options(policy: Policy, options: BudgetOptions) -> Policy:
    """Return a policy with what the command line changes in it.

    Raises
    ------
    ConfigError
        With every option that cannot be.
    """
    changes = _budget_changes(options)
    for name, ratio in (
        ("--min-roi", options.min_roi),
        ("--min-marginal-roi", options.min_marginal_roi),
    ):
        if ratio is not None and not 0 <= ratio < math.inf:
            raise ConfigError(Fault(name, f"`{ratio:g}` is no ratio", "a number of at least 0"))
    return _with_roi(with_budget(policy, **changes) if changes else policy, options.min_roi)


def with_budget(policy: Policy, **changes: object) -> Policy:
    """Return the policy with another budget; what is wrong stands at the option that said it.

    Raises
    ------
    ConfigError
        With every field that cannot be.
    """
    try:
        return policy.with_budget(**changes)
    except ConfigError as error:
        places = {f"budget: {field}": option for field, option in OPTIONS.items()}
        raise ConfigError(
            *(replace(fault, where=places.get(fault.where, fault.where)) for fault in error.faults)
        ) from None


def _budget_changes(options: BudgetOptions) -> dict[str, object]:
    changes: dict[str, object] = {"basis": options.basis, "confidence": options.confidence}
    changes = {name: value for name, value in changes.items() if value is not None}
    if options.amount is not None:
        try:
            changes["amount"] = parse_amount(options.amount)
        except ValueError as error:
            raise ConfigError(Fault("--budget", str(error))) from None
    return changes


def _with_roi(policy: Policy, min_roi: float | None) -> Policy:
    if min_roi is None:
        return policy
    limit = Limit(name="--min-roi", ratio=(SPEND, COST), at_least=Bound(min_roi))
    return policy.model_copy(update={"limits": (*policy.limits, limit)})
