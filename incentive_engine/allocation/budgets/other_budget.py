"""The same problem under another budget, without building it anew."""

from __future__ import annotations

from dataclasses import replace

from incentive_engine.allocation.limits import LinearLimit
from incentive_engine.allocation.problem import Problem
from incentive_engine.allocation.stated_limits import bounds_of, pool_of, shares_of
from incentive_engine.config.policy import Limit as LimitPolicy
from incentive_engine.config.policy import Policy
from incentive_engine.domain import BUDGET


def with_budget_of(problem: Problem, policy: Policy) -> Problem:
    """Return a policy's problem under the budget that the policy has now.

    Parameters
    ----------
    problem
        Built from the policy with another amount, basis or confidence.

    Raises
    ------
    ConfigError
        When bounds contradict each other under this budget.
    """
    assert policy.budget is not None
    stated = {limit.name: limit for limit in policy.limits}
    return replace(
        problem,
        limits=tuple(
            _resolved(policy, limit, stated, problem.n_users) for limit in problem.limits
        ),
        pool=pool_of(policy),
    )


def rule_of(name: str, policy: Policy) -> str:
    """Return the name that a limit has in the policy: `region cap` of `region cap[north]`."""
    rules = [limit.name for limit in policy.limits]
    if name in rules:
        return name
    # the longest, because one name may go on where another ends
    return max((rule for rule in rules if name.startswith(f"{rule}[")), key=len, default=name)


def _resolved(
    policy: Policy, limit: LinearLimit, stated: dict[str, LimitPolicy], users: int
) -> LinearLimit:
    assert policy.budget is not None
    if limit.name == BUDGET:
        return replace(limit, at_most=policy.budget.amount)
    # a ratio, or a share of what the plan spends, is bounded by 0 whatever the budget is
    if limit.ratio is not None:
        return limit
    written = stated[rule_of(limit.name, policy)]
    low, high = bounds_of(policy, written, users, where=f"limit `{limit.name}`")
    return replace(limit, at_least=low, at_most=high, shares=shares_of(written))
