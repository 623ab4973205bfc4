"""Which policy a command works on: the file, and what the command line changes in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import incentive_engine
from incentive_engine.config import Policy, load_policy
from incentive_engine.config.amounts import Bound, parse_amount
from incentive_engine.config.schema import Budget, Limit
from incentive_engine.domain import COST, SPEND
from incentive_engine.errors import ConfigError, Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetOptions:
    """What the command line says about money; None leaves the policy's word."""

    amount: str | None = None
    """The pool, as planners write amounts."""
    basis: str | None = None
    """expected, face or at-risk."""
    confidence: float | None = None
    """For at-risk: the probability that redemption stays within the amount."""
    cost_error: float | None = None
    """For at-risk: the relative error of the total cost, where a model's trial tells it."""
    min_roi: float | None = None
    """Incremental spend per unit of cost, at least."""

    def to_dict(self) -> dict[str, object]:
        """Return what is overridden, by the policy's fields."""
        fields = {
            "budget.amount": self.amount,
            "budget.basis": self.basis,
            "budget.confidence": self.confidence,
            "budget.cost_error": self.cost_error,
            "limits": self.min_roi,
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
    changes = _budget_changes(options)
    if policy.budget is None and "amount" not in changes:
        raise ConfigError(
            Fault("--budget", "neither the option nor the policy names a budget", "an amount")
        )
    if changes:
        policy = policy.with_budget(**changes)
    return _with_roi(policy, options.min_roi)


def budget_of(policy: Policy) -> Budget:
    """Return the policy's budget, which a policy that `read_policy` has read always has."""
    if policy.budget is None:
        raise ConfigError(Fault("budget", "is missing", "an amount", "give --budget"))
    return policy.budget


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
