"""A plan that follows the hand: the same users under settings that change again and again.

Scores stay in memory, and each solve begins at the prices of the last one, so that a move of one
limit takes a look or two at all users. The last users are split between offers here, as on a
curve; the plan that is paid out has whole offers, and its own certificate.

What a plan brings by the trial depends on every price: prices that are only near, from two sides,
differ by some parts in a thousand, and the gain at them by some parts in a hundred. So for that
figure the plan is made as it is when it is paid out (`TrialGains`), its costs corrected by what
the trial says of its own users.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from incentive_engine.allocation.budgets.curve import Curve
from incentive_engine.allocation.budgets.limit_cost import gains_at
from incentive_engine.allocation.budgets.other_budget import with_budget_of
from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.params import CURVE, PAGE
from incentive_engine.allocation.plans.allocation import Relaxed
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable, holdout_of
from incentive_engine.domain import CONVERSION, COST, FACE, SPEND
from incentive_engine.errors import ConfigError, Fault, InfeasibleError
from incentive_engine.insight.budget.chosen_pairs import measures_of
from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.insight.budget.response import budget_response
from incentive_engine.insight.pages.plan_content import limit_row
from incentive_engine.insight.planner.outlook import PlanOutlook
from incentive_engine.insight.stated_problem import by_the_trial, state_problem
from incentive_engine.insight.value.cost_correction import CostCorrection
from incentive_engine.insight.value.gain import gain_of_plan, trial_problem
from incentive_engine.insight.value.plan_gain import PlanGain, ValuedTrial
from incentive_engine.language import say
from incentive_engine.pipeline.quality import ModelQuality, model_cost_error
from incentive_engine.report.content import Proof, StatedObjective
from incentive_engine.report.evidence import Response


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnGain:
    """What a policy's plan brings, and by how much the trial corrects its costs."""

    gain: PlanGain
    correction: CostCorrection


class TrialGains:
    """The gains of one campaign's plans by its trial.

    Parameters
    ----------
    table
        Scores with every column that the policies name, their costs as they are scored.
    valued
        Reads the trial that values plans.
    quality
        What is known of the model.
    """

    def __init__(
        self, table: ScoreTable, valued: Callable[[], ValuedTrial], quality: ModelQuality | None
    ) -> None:
        """Take the scores; the first question reads the trial."""
        self._table, self._valued, self._quality = table, valued, quality
        self._trial: ValuedTrial | None = None
        self._last: tuple[Policy, OwnGain | None] | None = None
        self._lock = threading.Lock()

    def of(self, policy: Policy) -> OwnGain | None:
        """Return what the plan of a policy brings; None where it has no plan in whole offers."""
        with self._lock:  # who asks for the same plan waits for the first one's answer
            if self._last is None or self._last[0] != policy:
                try:
                    self._last = (policy, self._own_gain(policy))
                except InfeasibleError:
                    self._last = (policy, None)
            return self._last[1]

    def _own_gain(self, policy: Policy) -> OwnGain:
        if self._trial is None:
            self._trial = self._valued()
        options, quality = BudgetOptions(), self._quality
        stated = state_problem(policy, self._table, options=options, quality=quality)
        stated, plan = by_the_trial(stated, policy, self._trial, options=options, quality=quality)
        trial = self._trial.with_costs(stated.correction.factor)
        gain = gain_of_plan(
            trial,
            trial_problem(trial, stated.policy),
            stated.policy,
            plan or solve(stated.problem),
            users=stated.decided,
        )
        return OwnGain(gain=gain, correction=stated.correction)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stand:
    """What was solved last, and what it was solved with.

    Attributes
    ----------
    asked
        The policy as it was given.
    policy
        The same with the error of its costs, where its budget counts that.
    """

    key: str
    problem: Problem
    curve: Curve
    held: int
    asked: Policy
    policy: Policy
    plan: Relaxed | None = None
    outlook: PlanOutlook | None = None


class WarmPlan:
    """The plans of one campaign's users under any policy that its scores know.

    Parameters
    ----------
    table
        Scores with every column that the policies name.
    valued
        The trial that values plans; None where scores are given.
    quality
        What is known of the model; None likewise.
    """

    def __init__(
        self,
        table: ScoreTable,
        *,
        valued: Callable[[], ValuedTrial] | None = None,
        quality: ModelQuality | None = None,
    ) -> None:
        """Take the scores; the first outlook solves."""
        self.table = table
        self._valued, self._quality = valued, quality
        self._gains = TrialGains(table, valued, quality) if valued else None
        self._correction: CostCorrection | None = None if valued else CostCorrection()
        self._stand: _Stand | None = None
        self._lock = threading.Lock()

    def outlook(self, policy: Policy) -> PlanOutlook:
        """Return what the best plan under a policy would bring.

        Raises
        ------
        ConfigError
            When the policy has no budget, or a limit cannot be stated.
        """
        with self._lock:
            started = time.perf_counter()
            stand = self._stand
            if stand is not None and stand.outlook is not None and stand.asked == policy:
                return stand.outlook
            outlook = self._solve(policy, started)
            if self._correction is None and outlook.feasible:
                self._correct_costs(policy)
                outlook = self._solve(policy, started)
            return outlook

    def _solve(self, policy: Policy, started: float) -> PlanOutlook:
        stand = self._stated(policy)
        last = self._stand.plan if self._stand else None
        plan = _solved(stand, last)
        outlook = self._outlook(stand, plan, seconds=time.perf_counter() - started)
        next_start = plan if outlook.feasible else last
        self._stand = replace(stand, plan=next_start, outlook=outlook)
        return outlook

    def _correct_costs(self, policy: Policy) -> None:
        """Take over by how much the trial says that costs are above, or below, their scores.

        A plan that is paid out asks the trial about its own users; here that is done once, at the
        first plan of the campaign, and holds for the figures of all that is moved afterwards.
        """
        own = self._gains.of(policy) if self._gains else None
        self._correction = own.correction if own else CostCorrection()
        self.table = self.table.with_costs(self._correction.factor)
        assert self._stand is not None
        self._stand = replace(self._stand, key="")

    def _stated(self, policy: Policy) -> _Stand:
        """Return the problem of a policy; only bounds are new where nothing else has changed."""
        if policy.budget is None:
            raise ConfigError(Fault("budget", say("studio.no_budget"), say("studio.an_amount")))
        asked, left = policy, self._correction.error if self._correction else 0.0
        if (error := model_cost_error(policy, self._quality, left)) is not None:
            policy = policy.with_budget(cost_error=error)
        key, last = _structure(policy), self._stand
        if last is not None and last.key == key:
            problem = with_budget_of(last.problem, policy)
            return _Stand(
                key=key, problem=problem, curve=last.curve, held=last.held, asked=asked,
                policy=policy,
            )  # fmt: skip
        holdout = holdout_of(policy, self.table)
        problem = build_problem(policy, self.table, holdout)
        return _Stand(
            key=key, problem=problem, curve=Curve(problem, measures_of(self.table), params=PAGE),
            held=int(holdout.sum()), asked=asked, policy=policy,
        )  # fmt: skip

    def _outlook(self, stand: _Stand, plan: Relaxed, *, seconds: float) -> PlanOutlook:
        point = stand.curve.point(plan, marginal=False, reasons=True)
        if not point.conflict and not point.feasible:  # rounding: nothing is in conflict
            amounts = plan.amounts(stand.curve.users, measures_of(self.table))
            point = replace(point, feasible=True, amounts=amounts)
        reports = plan.limits(stand.curve.users) if point.feasible else ()
        return PlanOutlook(
            policy=stand.policy,
            proof=Proof(
                feasible=point.feasible, value=point.value, bound=point.bound, gap=point.gap,
                searched=None, aim=StatedObjective.of(stand.policy.objective),
            ),
            conversions=point.amounts.get(CONVERSION, 0.0),
            spend=point.amounts.get(SPEND),
            cost=point.amounts.get(COST, 0.0),
            face=point.amounts.get(FACE, 0.0),
            treated=point.treated,
            users=self.table.n_users,
            held=stand.held,
            price=point.price,
            limits=tuple(limit_row(stand.policy, report.to_dict()) for report in reports),
            conflict=point.conflict,
            seconds=seconds,
        )  # fmt: skip

    @property
    def last(self) -> PlanOutlook | None:
        """The outlook found last."""
        return self._stand.outlook if self._stand else None

    def trial(self) -> ValuedTrial | None:
        """Return the trial that values plans, with its costs as they are scored; None without."""
        return self._valued() if self._valued else None

    def gain(self) -> PlanGain | None:
        """Return what the plan solved last brings by the trial; None where there is none."""
        stand = self._stand
        if self._gains is None or stand is None or stand.outlook is None:
            return None
        own = self._gains.of(stand.asked) if stand.outlook.feasible else None
        return own.gain if own else None

    def rules(self) -> dict[str, float]:
        """Return, per limit with a price, the most that dropping it alone can add."""
        stand = self._stand
        if stand is None or stand.plan is None or stand.outlook is None:
            return {}
        if not stand.outlook.feasible or stand.outlook.proof.value != stand.plan.value:
            return {}
        return gains_at(stand.plan.problem, stand.plan.prices, value=stand.plan.value)

    def response(self) -> Response | None:
        """Return what other budgets would bring under the settings solved last."""
        stand = self._stand
        if stand is None or stand.outlook is None or not stand.outlook.feasible:
            return None
        return budget_response(stand.policy, stand.problem, self.table)


def _solved(stand: _Stand, last: Relaxed | None) -> Relaxed:
    """Return the best plan, looked for from the prices of the last one.

    A move may be far, so the smallest sample finds out where the new prices are: near ones are
    found as fast as by looking around the old, and far ones many times faster.
    """
    if last is None:
        return stand.curve.plan(stand.problem)
    prices = last.prices
    hint = {limit.name: prices.get(limit.name, 0.0) for limit in stand.problem.enforced}
    plan = stand.curve.plan(stand.problem, hint=hint)
    # prices that are only near may break a limit that others would keep
    return plan if plan.feasible else stand.curve.plan(stand.problem, params=CURVE)


def _structure(policy: Policy) -> str:
    """Return what of a policy is not a mere bound: another one needs another problem."""
    loose = {
        limit.name for limit in policy.limits if limit.ratio is None and not limit.is_part_of_plan
    }
    content = policy.model_dump(
        mode="json",
        include={"offers", "objective", "eligibility", "limits", "assignment", "holdout",
                 "holdout_strata", "explore", "seed", "budget"},
    )  # fmt: skip
    content["budget"] = {**content["budget"], "amount": None}
    for limit in content["limits"]:
        if limit["name"] in loose:
            for bound in ("at_most", "at_least"):
                limit[bound] = limit[bound] is None
    return repr(content)
