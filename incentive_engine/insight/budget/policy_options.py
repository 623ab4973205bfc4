"""Which policy a command works on: the file, and what the command line changes in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.overridable import Override, apply_overrides
from incentive_engine.config.policy import Budget, Policy
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import Text


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
            Override.AMOUNT: self.amount,
            Override.BASIS: self.basis,
            Override.CONFIDENCE: self.confidence,
            Override.MIN_ROI: self.min_roi,
            Override.MIN_MARGINAL_ROI: self.min_marginal_roi,
        }
        return {name: value for name, value in fields.items() if value is not None}


def default_policy() -> Path:
    """Return the Double 11 sample policy that comes with the program."""
    package = Path(__file__).parents[2]
    places = (package / "policies", package.parent / "policies")
    for place in places:
        if (place / "double11.yaml").is_file():
            return place / "double11.yaml"
    raise ConfigError(
        Fault("POLICY", "none given, and the sample policy is not installed", "a policy (YAML)")
    )


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
    require_budget(policy, options)
    return with_options(policy, options)


def require_budget(policy: Policy, options: BudgetOptions) -> None:
    """Refuse a plan for which nobody says how much money there is, or what it must return.

    Raises
    ------
    ConfigError
        When neither the policy nor the options do.
    """
    named = policy.budget is not None or options.amount is not None
    if not named and options.min_roi is None and options.min_marginal_roi is None:
        what = "neither the option nor the policy names a budget"
        raise ConfigError(
            Fault("--budget", what, "an amount, or --min-roi, or --min-marginal-roi")
        )


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
        With every option that cannot be; what is wrong stands at the option that said it.
    """
    try:
        return apply_overrides(policy, options.to_dict())
    except ConfigError as error:
        raise ConfigError(
            *(replace(f, where=_option(str(f.where))) for f in error.faults)
        ) from None


def _option(where: Text) -> Text:
    """Return the option that set a field, or the place itself where none did."""
    name, _, field = str(where).partition(": ")
    # overrides to the options that make them
    options: dict[str, Text] = {
        Override.AMOUNT: "--budget",
        Override.BASIS: "--basis",
        Override.CONFIDENCE: "--confidence",
        Override.MIN_ROI: "--min-roi",
        Override.MIN_MARGINAL_ROI: "--min-marginal-roi",
    }
    return options.get(f"{name}.{field}" if field else name, where)
