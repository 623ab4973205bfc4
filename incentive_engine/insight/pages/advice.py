"""What to do with a plan, in one sentence, and whether the trial behind it can be believed.

The rules, the first that applies:

1. A plan that breaks a limit is not to be used, and one that reaches nobody changes nothing.
2. A trial whose arms are not alike, or whose features know the outcome, supports no plan.
3. A gain whose 95 % interval lies below zero is none; nor is a loss at the policy's margin a gain.
4. A simpler way that beats the plan by three standard errors, within the same limits and by the
   trial, is to be preferred. With two ways to compare, chance says so once in 370 plans.
5. A gain, or a profit, whose interval holds zero is not proven.
6. Money that brings little is to be saved. With a margin, that is what the scores say costs more
   than it earns; without one, what brings less than a third of what the money brings on average,
   where that is at least a tenth of the budget.
7. Otherwise the plan is to be run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from incentive_engine.domain import COST, SPEND, FloatArray
from incentive_engine.insight.findings import PlanTotals
from incentive_engine.language import Message, Value, say
from incentive_engine.report.content import Advice, TrialState
from incentive_engine.report.evidence import Alternative, Response
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict


def advise(plan: PlanTotals) -> Advice:
    """Return what to do with a plan."""
    state = trial_state(None if plan.quality is None else plan.quality.checks)
    kind, verdict = _verdict(plan, state)
    ids = zip(plan.policy.offer_ids, plan.users, strict=True)
    nobody = tuple(offer for offer, users in ids if not users)
    return Advice(kind=kind, verdict=verdict, trial=state, unreached=nobody)


def trial_state(checks: Sequence[CheckVerdict] | None) -> TrialState:
    """Return whether a trial can be believed, by the checks that it was put to.

    >>> trial_state(None), trial_state([])
    ('none', 'fine')
    """
    if checks is None:
        return "none"
    if _shaken(checks):
        return "doubt"
    return "care" if any(check.verdict == "warning" for check in checks) else "fine"


def _shaken(checks: Sequence[CheckVerdict]) -> list[CheckVerdict]:
    """Return what puts every effect in doubt, refusals among it that somebody answers for."""
    return [
        check
        for check in checks
        if check.verdict == "refusal"
        or (check.verdict == "warning" and check.check.shakes_effects)
    ]


def _verdict(plan: PlanTotals, state: TrialState) -> tuple[Advice.Kind, Message]:
    certificate, currency = plan.certificate, plan.policy.currency
    if not certificate["feasible"]:
        return "stop", say("advice.broken")
    if not certificate["treated"]:
        return "stop", say("advice.nobody")
    if state == "doubt" and plan.quality is not None:
        names = tuple(dict.fromkeys(check.name for check in _shaken(plan.quality.checks)))
        return "stop", say("advice.trial_in_doubt", checks=names)
    return (
        _no_gain(plan, currency)
        or _better_way(plan.ways)
        or _unproven(plan, currency)
        or _less(plan, currency)
        or _run(plan, currency)
    )


def _no_gain(plan: PlanTotals, currency: str) -> tuple[Advice.Kind, Message] | None:
    if plan.gain is None:
        return None
    gain, profit = plan.gain.conversions, plan.gain.profit
    if gain.high <= 0:
        return "stop", say("advice.no_gain", **_interval(gain))
    if profit is not None and profit.high < 0:
        return "stop", say("advice.loss", currency=currency, **_margin(plan), **_interval(profit))
    return None


def _better_way(ways: Sequence[Alternative]) -> tuple[Advice.Kind, Message] | None:
    """Return the simpler way that is ahead beyond doubt, in what the policy maximises."""
    for way in ways:
        lead = way.lead or way.difference
        # 3.0: standard errors by which a simpler way must be ahead before the plan is advised
        # against
        if lead is not None and lead.value + 3.0 * lead.standard_error < 0:
            name = say(f"ways.{way.way}", offer=way.offer)
            return "stop", say("advice.better_way", way=name)
    return None


def _unproven(plan: PlanTotals, currency: str) -> tuple[Advice.Kind, Message] | None:
    if plan.gain is None:
        values: dict[str, Value] = {"gain": plan.conversions, "cost": plan.cost}
        return "doubt", say("advice.scores_only", currency=currency, **values)
    gain, profit = plan.gain.conversions, plan.gain.profit
    if gain.low <= 0:
        return "doubt", say("advice.unproven", **_interval(gain))
    if profit is not None and profit.low < 0:
        values = _margin(plan) | _interval(profit)
        return "doubt", say("advice.profit_unproven", currency=currency, **values)
    return None


def _less(plan: PlanTotals, currency: str) -> tuple[Advice.Kind, Message] | None:
    """Return that a smaller budget would do, and what it keeps."""
    budget, response = plan.policy.budget, plan.response
    if budget is None or response is None or not budget.amount:
        return None
    share, share_kept = smaller_budget(response, budget.amount, margin=plan.policy.margin)
    # 0.1: share of the budget that must be thin before a smaller one is advised
    if share > 1 - 0.1:
        return None
    values: dict[str, Value] = {
        "budget": share * budget.amount,
        "currency": currency,
        "kept": share_kept,
        "share": share,
    }
    last = plan.certificate["returns"]
    if last["marginal_roi"] is None:
        return "less", say("advice.less", **values)
    values |= {"last": last["margin"], "returns": last["marginal_roi"]}
    return "less", say("advice.less_returns", **values)


def smaller_budget(
    response: Response, amount: float, *, margin: float | None
) -> tuple[float, float]:
    """Return the share of a budget beyond which money brings little, and what that keeps.

    Parameters
    ----------
    response
        What budgets bring, by the scores.
    amount
        The plan's budget, currency units.
    margin
        The part of spend that is earned; None judges by the value of the average money.
    """
    # budgets are advised in such shares of the plan's
    step = 0.05
    shares = np.arange(step, 1 + step / 2, step)
    value = _along(response, amount * shares, "value")
    if margin is not None and response.points[0].groups[0].spend is not None:
        spend, cost = (_along(response, amount * shares, name) for name in (SPEND, COST))
        best = int(np.argmax(margin * spend - cost))
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            thinness = (value[-1] - value) / value[-1] / (1 - shares)
        # 1 / 3: money that brings less than this part of the average is called thin
        thin = np.append(thinness[:-1] <= (1 / 3), True)
        best = int(np.argmax(thin))
    share_kept = value[best] / value[-1] if value[-1] > 0 else 1.0
    return float(shares[best]), float(share_kept)


def _along(response: Response, budgets: FloatArray, figure: str) -> FloatArray:
    """Return a figure of all groups together at some budgets; nothing is spent at zero."""
    points = response.points
    totals = [
        point.value
        if figure == "value"
        else sum(getattr(group, figure) or 0.0 for group in point.groups)
        for point in points
    ]
    budgets_solved = [0.0, *(point.budget for point in points)]
    return np.asarray(np.interp(budgets, budgets_solved, [0.0, *totals]))


def _run(plan: PlanTotals, currency: str) -> tuple[Advice.Kind, Message]:
    gain = plan.gain
    assert gain is not None  # without a trial, nothing is proven
    values = _interval(gain.conversions) | {"cost": plan.cost, "currency": currency}
    if gain.profit is None:
        return "run", say("advice.run", **values)
    return "run", say("advice.run_profit", profit=gain.profit.value, **_margin(plan), **values)


def _margin(plan: PlanTotals) -> dict[str, Value]:
    return {"margin": plan.policy.margin}


def _interval(estimate: Estimate) -> dict[str, Value]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
