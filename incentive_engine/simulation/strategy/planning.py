"""The engine as a strategy: the policy's problem on a forecast, or on the truth.

Where offers are out already, it is solved within what these leave of the limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.params import SolveParams
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.amounts import Bound
from incentive_engine.config.policy import Limit, Objective, Policy
from incentive_engine.data.columns.conditions import matches
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.tables.arrow import levels
from incentive_engine.domain import COST, ISSUED, BoolArray, ChoiceArray, FloatArray, IntArray
from incentive_engine.errors import InfeasibleError

Plans = dict[tuple[float, bool], Allocation]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planner:
    """Solves a policy for any budget.

    Attributes
    ----------
    policy
        Its budget's amount is the whole campaign's.
    forecast
        What the engine believes.
    truth
        What the oracle knows; None where nobody does.
    blocked : (n,) bool
        Users who get nothing from now on: the holdout, and those who have had their turn.
    issued : (n,) int16
        Offers that are out already and stay; they use up the limits. None: no offer is.
    forecast_plans, truth_plans
        Plans made so far, by (budget, favouring); planners that believe the same share them.
    """

    policy: Policy
    forecast: ScoreTable
    truth: ScoreTable | None
    blocked: BoolArray
    issued: ChoiceArray | None = None
    forecast_plans: Plans = field(default_factory=dict)
    truth_plans: Plans = field(default_factory=dict)

    def plan(self, budget: float, *, favouring: bool, knowing_truth: bool = False) -> ChoiceArray:
        """Return the choice of `solved`."""
        return self.solved(budget, favouring=favouring, knowing_truth=knowing_truth).choice

    def solved(self, budget: float, *, favouring: bool, knowing_truth: bool = False) -> Allocation:
        """Solve the policy's problem for a budget; asked again, the same plan is returned.

        Raises
        ------
        InfeasibleError
            When its limits cannot all hold; not so once offers are out, because floors are then
            given up before the campaign is.
        """
        made, key = self.truth_plans if knowing_truth else self.forecast_plans, (budget, favouring)
        if key not in made:
            made[key] = self._solve(budget, favouring=favouring, truth=knowing_truth)
        return made[key]

    def policy_for(self, *, favouring: bool) -> Policy:
        """Return the policy as one of the engine's strategies reads it."""
        return self.policy if favouring else without_favour(self.policy)

    def _solve(self, budget: float, *, favouring: bool, truth: bool) -> Allocation:
        scores = self.truth if truth else self.forecast
        if scores is None:
            raise RuntimeError("the truth is asked for where nobody knows it")
        policy = self.policy_for(favouring=favouring).with_budget(amount=budget)
        if truth:  # who knows the truth has nothing to explore
            policy = policy.without_exploring()
        return self._solve_policy(policy, scores)

    def _solve_policy(self, policy: Policy, scores: ScoreTable) -> Allocation:
        if self.issued is None:
            return _solved(build_problem(policy, scores, self.blocked), policy)
        whole = self.policy
        policy = replaced_limits(policy, remaining_limits(whole, scores, self.issued))
        try:
            return _solved(build_problem(policy, scores, self.blocked), policy)
        except InfeasibleError:
            policy = replaced_limits(policy, without_floors(policy.limits))
            return _solved(build_problem(policy, scores, self.blocked), policy)

    def after(self, issued: ChoiceArray, gone: BoolArray, *, cost_factor: float) -> Planner:
        """Return the planner of a later wave.

        Parameters
        ----------
        issued
            (n,) int16, the offers that are out.
        gone
            (n,) bool, users who have had their turn.
        cost_factor
            Observed over forecast redemption so far.
        """
        return replace(
            self,
            forecast=with_costs(self.forecast, cost_factor),
            blocked=self.blocked | gone,
            issued=issued,
            forecast_plans={},
            truth_plans={},
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Situation:
    """What a planner knows when offers are handed out; n users, k offers in the policy's order.

    Attributes
    ----------
    budget
        Money that may be planned, currency units.
    allowed : (n, k) bool
        Pairs that the rules allow; none for the holdout and for users who have had their turn.
    gain : (n, k) float64
        Forecast of incremental conversions.
    charge : (n, k) float64
        What a pair takes from the budget: the forecast cost, or the face value where the budget
        means that; currency units.
    by_face : bool
        The budget means face values.
    face : (k,) float64
        Face value of each offer, currency units.
    likely : (n,) float64
        Forecast probability of converting, offer or not.
    standing : (n,) float64
        Recency, frequency and spend as one rank from 0 to 1, the best customers highest.
    order : (n,) int64
        The users in the order in which they come.
    planner
        Solves for the engine's strategies.
    """

    budget: float
    allowed: BoolArray
    gain: FloatArray
    charge: FloatArray
    by_face: bool
    face: FloatArray
    likely: FloatArray
    standing: FloatArray
    order: IntArray
    planner: Planner


Plan = Callable[[Situation], ChoiceArray]


def without_favour(policy: Policy) -> Policy:
    """Return the policy without weights; its limits stay."""
    objective = Objective(maximise=policy.objective.maximise)
    return policy.model_copy(update={"objective": objective})


def replaced_limits(policy: Policy, limits: tuple[Limit, ...]) -> Policy:
    """Return the policy with other limits."""
    return policy.model_copy(update={"limits": limits})


def without_floors(limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
    """Return the limits without lower bounds of sums."""
    capped = (limit for limit in limits if limit.at_most is not None or limit.ratio is not None)
    return tuple(
        limit if limit.ratio is not None else limit.model_copy(update={"at_least": None})
        for limit in capped
    )


def with_costs(scores: ScoreTable, factor: float) -> ScoreTable:
    """Return a score table with `factor` times the costs."""
    costs = scores.measures[COST] * factor
    return replace(scores, measures={**scores.measures, COST: costs})


def _solved(problem: Problem, policy: Policy) -> Allocation:
    budget = policy.budget.amount if policy.budget else np.inf
    # 1e-4: relative gap of a simulated plan; far below the noise of a draw, and many times faster
    gap = max(1e-4, min(_one_user(problem, budget), 1.0))
    return solve(problem, params=SolveParams(plan_gap=gap))


def _one_user(problem: Problem, budget: float) -> float:
    """Return one user's worth as a share of that of a greedy plan within the budget."""
    best = problem.value.argmax(axis=0)
    users = np.flatnonzero(problem.value[best, np.arange(problem.n_users)] > 0)
    worth = problem.value[best[users], users].astype(np.float64)
    cost = problem.columns[problem.measures.index(COST)][best[users], users].astype(np.float64)
    order = np.argsort(-worth / np.maximum(cost, 1e-9), kind="stable")
    served = order[np.cumsum(cost[order]) <= budget]
    total = float(worth[served].sum())
    # 1.0: a plan this many users' worth from the bound is good enough as well: small plans, which
    # cannot come nearer than whole users allow, would otherwise search as long as the solver may
    return 1.0 * float(worth[served].max()) / total if total > 0 else 0.0


def remaining_limits(policy: Policy, scores: ScoreTable, issued: ChoiceArray) -> tuple[Limit, ...]:
    """Return the limits for the offers to come.

    Bounds of sums shrink by what the issued offers use; percentages are of the money, or of the
    users, of the whole campaign. Ratios hold for the offers to come alone.

    Parameters
    ----------
    policy
        With a budget whose amount is the whole campaign's.
    scores
        Measures of all n users.
    issued
        (n,) int16, -1 for none.
    """
    whole = policy.budget.amount if policy.budget else 0.0
    return tuple(
        _shrunk(single, scores, issued, whole=whole)
        for limit in policy.limits
        for single in _singles(limit, scores)
    )


def _singles(limit: Limit, scores: ScoreTable) -> Iterator[Limit]:
    """Yield one limit per value of `for_each`, or the limit itself."""
    if limit.for_each is None or limit.ratio is not None:
        yield limit
        return
    for value in levels(scores.attributes.column(limit.for_each)).labels:
        where = {**limit.where, limit.for_each: (value,)}
        name = f"{limit.name}[{value}]"
        yield limit.model_copy(update={"name": name, "for_each": None, "where": where})


def _shrunk(limit: Limit, scores: ScoreTable, issued: ChoiceArray, *, whole: float) -> Limit:
    if limit.sum is None or limit.is_part_of_plan:
        return limit
    base = float(scores.n_users) if limit.sum == ISSUED else whole
    used = _usage(limit, scores, issued)

    def left(bound: Bound | None) -> Bound | None:
        if bound is None:
            return None
        amount = bound.value * base if bound.is_share else bound.value
        return Bound(max(0.0, amount - used))

    return limit.model_copy(
        update={"at_most": left(limit.at_most), "at_least": left(limit.at_least)}
    )


def _usage(limit: Limit, scores: ScoreTable, issued: ChoiceArray) -> float:
    counts = (issued >= 0) & matches(scores.attributes, limit.where)
    used = 0.0
    for j, offer in enumerate(scores.offers):
        if limit.offers is None or offer in limit.offers:
            rows = np.flatnonzero(counts & (issued == j))
            used += float(np.sum(scores.measure(str(limit.sum), offer)[rows]))
    return used
