"""What other budgets would bring: many budgets in one pass that shares users and prices.

And of these, the largest whose last money still returns what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from incentive_engine.allocation.budgets.nearby_budgets import (
    amount_of,
    levels,
    prices_nearby,
    slightly_less,
    start_between,
)
from incentive_engine.allocation.dual.lagrangian import LagrangianDual
from incentive_engine.allocation.infeasible.conflict import explain, relax
from incentive_engine.allocation.params import CURVE, SolveParams
from incentive_engine.allocation.plans.allocation import Relaxed
from incentive_engine.allocation.plans.split_plan import solve_relaxed, with_less
from incentive_engine.allocation.population.explorer_usage import taken_by_lots, tally_explorers
from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.limit_maps import rows_of
from incentive_engine.allocation.population.passes import threads
from incentive_engine.allocation.population.population import Users
from incentive_engine.allocation.population.samples import draw_samples
from incentive_engine.allocation.problem import Problem
from incentive_engine.allocation.risk import SafetyPoint
from incentive_engine.domain import BUDGET, COST, SPEND, Columns
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.parallel import Advance, unheard


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CurvePoint:
    """One budget.

    Attributes
    ----------
    budget
        Currency units.
    value
        What the best plan is worth, the last users split.
    bound
        No plan is worth more.
    used
        What the plan uses of the budget, in its basis.
    treated
        How many users get an offer.
    price
        The value of one more currency unit of budget.
    feasible
        Whether all limits can hold with this budget.
    amounts
        Measure to what the plan's pairs add up to.
    marginal_return
        Incremental spend per unit of cost of the last `CurveParams.margin` of the money used, all
        other limits as they are; None without spend, without use of money, or when not asked for.
    conflict
        Which limits cannot hold together, and the cheapest way out; empty when they can.
    plan
        The plan itself.
    """

    budget: float
    value: float
    bound: float
    used: float
    treated: float
    price: float
    feasible: bool
    plan: Relaxed = field(repr=False)
    amounts: Mapping[str, float] = field(default_factory=dict)
    marginal_return: float | None = None
    conflict: tuple[Fault, ...] = ()

    @property
    def gap(self) -> float:
        """(bound − value) / bound, by the bound's size."""
        return (self.bound - self.value) / max(abs(self.bound), 1e-300)

    @property
    def roi(self) -> float | None:
        """Incremental spend per unit of cost; None without spend or cost."""
        cost = self.amounts.get(COST, 0.0)
        return self.amounts[SPEND] / cost if cost > 0 and SPEND in self.amounts else None


class Curve:
    """Answers questions about the same users under different budgets and limits.

    Parameters
    ----------
    problem
        Any of the problems that are asked about; they differ in limits and budget only.
    columns
        Measure to (k, n): what a point adds up beside cost and face value.
    params
        How near prices must come to the optimum.
    """

    def __init__(
        self,
        problem: Problem,
        columns: Mapping[str, Columns] | None = None,
        *,
        params: SolveParams = CURVE,
    ) -> None:
        self.users: Users = users_of(problem)
        self._columns = dict(columns or {})
        self._params = params
        self._samples = draw_samples(self.users, params)

    def points(
        self,
        problems: Sequence[Problem],
        *,
        marginal: bool = False,
        reasons: bool = False,
        advance: Advance = unheard,
    ) -> tuple[CurvePoint, ...]:
        """Return what the budget of each problem brings, in their order.

        Each problem starts from prices between those of its solved neighbours, so that one look
        at all users is often enough.

        Parameters
        ----------
        marginal
            Whether to find the marginal return.
        reasons
            Whether to find the limits in conflict where there is no plan.
        advance
            Is told of each budget that is solved.

        Raises
        ------
        ConfigError
            When a problem has no budget, or the problems have different users.
        """
        if any(problem.pool is None for problem in problems):
            raise ConfigError(Fault("budget", "there is none to vary", "", "give --budget"))
        if any(problem.value.shape != self.users.value.shape for problem in problems):
            raise ConfigError(
                Fault("budgets", "the problems have different users", "the same users")
            )
        ordered = sorted(range(len(problems)), key=lambda i: amount_of(problems[i]))
        plans: dict[int, Relaxed] = {}
        with ThreadPoolExecutor(threads()) as pool:
            for level in levels(len(ordered)):
                starts = [
                    start_between(plans, problems, ordered, place, self._params.curve)
                    for place in level
                ]
                asked = [problems[ordered[place]] for place in level]
                hints = [prices_nearby(plans, problems, ordered[place]) for place in level]
                solved = pool.map(self._near, asked, starts, hints)
                for place, plan in zip(level, solved, strict=True):
                    plans[ordered[place]] = plan
                    advance(1)
            below = dict(zip(ordered[1:], ordered[:-1], strict=True))
            curve_points = pool.map(
                lambda i: self.point(
                    plans[i], marginal=marginal, reasons=reasons, below=plans.get(below.get(i, -1))
                ),
                range(len(problems)),
            )
            return tuple(curve_points)

    def plan(
        self,
        problem: Problem,
        start: Mapping[str, float] | None = None,
        *,
        radius: float | None = None,
        hint: Mapping[str, float] | None = None,
        params: SolveParams | None = None,
    ) -> Relaxed:
        """Return the best plan with split users; arguments are those of `solve_relaxed`."""
        return solve_relaxed(
            problem, self.users, start=start, radius=radius, hint=hint, samples=self._samples,
            params=params or self._params,
        )  # fmt: skip

    def _near(
        self,
        problem: Problem,
        start: tuple[Mapping[str, float], float] | None,
        hint: Mapping[str, float] | None,
    ) -> Relaxed:
        """Return the best plan with split users, by prices and how far these may be off."""
        prices, radius = start or (None, None)
        return self.plan(problem, prices, radius=radius, hint=hint)

    def most(self, problem: Problem) -> float:
        """Return what would be used of the budget if nothing had a price."""
        rows = rows_of(problem, self.users, problem.enforced)
        free = LagrangianDual(users=self.users, rows=rows).at(np.zeros(len(rows.limits)))
        table = free.table
        if problem.explorers is not None:
            table = table.plus(tally_explorers(self.users, problem.explorers))
        return float(rows.usage(table)[rows.names.index(BUDGET)])

    def point(
        self,
        plan: Relaxed,
        *,
        marginal: bool = True,
        reasons: bool = False,
        below: Relaxed | None = None,
    ) -> CurvePoint:
        """Return what a plan brings; `marginal` and `reasons` as for `points`.

        Parameters
        ----------
        below
            A plan with less money, where one is known: prices for a little less than the plan's
            lie between both.
        """
        pool, feasible = plan.problem.pool, plan.feasible
        amounts = plan.amounts(self.users, self._columns) if feasible else {}
        return CurvePoint(
            budget=np.inf if pool is None else pool.amount,
            value=plan.value,
            bound=plan.bound,
            used=plan.usage.get(BUDGET, 0.0),
            treated=plan.treated,
            price=plan.prices.get(BUDGET, 0.0),
            feasible=feasible,
            plan=plan,
            amounts=amounts,
            marginal_return=self._marginal(plan, amounts, below)
            if marginal and feasible
            else None,
            conflict=self._conflict(plan) if reasons and not feasible else (),
        )

    def gain_without(self, point: CurvePoint, names: Collection[str]) -> float:
        """Return the value gained when some limits alone are dropped; 0 where none has a price."""
        plan = point.plan
        if not any(plan.prices.get(name) for name in names):
            return 0.0
        others = tuple(limit for limit in plan.problem.limits if limit.name not in names)
        freed = self.plan(replace(plan.problem, limits=others), plan.prices)
        return max(freed.value - point.value, 0.0)

    def ample(self, problem: Problem) -> float:
        """Return a budget that changes nothing for a problem without one: what its plan costs."""
        cost = self.plan(problem).amounts(self.users, {}).get(COST, 0.0)
        return float(np.ceil(cost))

    def safety(self, problem: Problem) -> tuple[SafetyPoint, ...]:
        """Return the plans of rising confidence that fit into the problem's amount.

        What they give up is the price of safety. Nothing for a budget of face value, which real
        redemption cannot exceed, nor without a budget. Levels at which the limits cannot hold are
        left out.
        """
        pool = problem.pool
        if pool is None or pool.basis == "face" or problem.face is None or pool.amount <= 0:
            return ()
        points: list[SafetyPoint] = []
        prices = None
        # at 0.5 the expected cost fills the budget
        for confidence in (0.5, 0.8, 0.9, 0.95, 0.99):
            surer = replace(pool, basis="at-risk", confidence=confidence)
            plan = self.plan(replace(problem, pool=surer), prices)
            if not plan.feasible:
                break
            prices = plan.prices
            points.append(
                SafetyPoint(
                    confidence=confidence,
                    value=plan.value,
                    expected=plan.usage.get(BUDGET, 0.0),
                    amounts=self.point(plan, marginal=False).amounts,
                )
            )
        return tuple(points)

    def _marginal(
        self, plan: Relaxed, amounts: Mapping[str, float], below: Relaxed | None
    ) -> float | None:
        params = self._params.curve
        less = with_less(plan, 1.0 - params.margin) if SPEND in amounts else None
        if less is None:
            return None
        smaller = self.plan(less, slightly_less(plan, below, params), radius=params.close_radius)
        if not smaller.feasible:
            return None
        before = smaller.amounts(self.users, self._columns)
        cost = amounts[COST] - before[COST]
        return (amounts[SPEND] - before[SPEND]) / cost if cost > 0 else None

    def _conflict(self, plan: Relaxed) -> tuple[Fault, ...]:
        if taken := taken_by_lots(plan.rows):
            return taken
        relaxation = relax(self.users, plan.rows, self._params)
        if not relaxation.needed:  # prices were not near enough to tell
            return ()
        return explain(plan.problem, self.users, plan.rows, relaxation, self._params).faults


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MandateSearch:
    """What the search for a marginal return found.

    Attributes
    ----------
    at_least
        The marginal return asked for.
    cap
        No budget above this was looked at, currency units.
    point
        The largest budget whose marginal return reaches it; None when none does.
    best
        The budget with the highest marginal return, for the message when none reaches it.
    """

    at_least: float
    cap: float
    point: CurvePoint | None
    best: CurvePoint | None


def largest_budget(
    curve: Curve, problem_at: Callable[[float], Problem | None], *, cap: float, at_least: float
) -> MandateSearch:
    """Return the largest budget up to a cap whose marginal return is at least a bound.

    Parameters
    ----------
    problem_at
        Budget to problem, None where there is none; limits in percent move with the budget.
    at_least
        Incremental spend per unit of cost of the last money used, see `CurvePoint`.

    Notes
    -----
    Some budgets are looked at, then the interval above the largest that does it is halved.
    Where money is left over, the marginal return is that of the money used.
    """
    # budgets of the first look, as parts of the cap
    amounts = [
        cap * share for share in (0.004, 0.016, 0.032, *(step / 16 for step in range(1, 17)))
    ]
    problems = [problem for amount in amounts if (problem := problem_at(amount)) is not None]
    seen = curve.points(problems, marginal=True)
    points = [point for point in seen if point.marginal_return is not None]
    best = max(points, key=lambda point: point.marginal_return or -np.inf, default=None)
    good = [point for point in points if _reaches(point, at_least)]
    if not good:
        return MandateSearch(at_least=at_least, cap=cap, point=None, best=best)
    # the largest budget, not the first that fails: returns of whole plans need not fall evenly
    point = good[-1]
    low = point.budget
    high = min((amount for amount in amounts if amount > low), default=low)
    # the search ends when the budget is known to this part of the cap
    near = 1e-3
    while high - low > near * cap:
        middle = (low + high) / 2.0
        problem = problem_at(middle)
        tried = None if problem is None else curve.point(curve.plan(problem, point.plan.prices))
        if tried is not None and _reaches(tried, at_least):
            low, point = middle, tried
        else:
            high = middle
    return MandateSearch(at_least=at_least, cap=cap, point=point, best=best)


def _reaches(point: CurvePoint, at_least: float) -> bool:
    return point.marginal_return is not None and point.marginal_return >= at_least
