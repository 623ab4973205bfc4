"""An evaluation in a few lines of text."""

from __future__ import annotations

from incentive_engine.language import Message, say
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.evaluation.evaluation import ModelEvaluation


def evaluation_summary(evaluation: ModelEvaluation) -> tuple[Message, ...]:
    """Return how good a model is, in a few lines."""
    test = evaluation.heterogeneity
    verdict = "evaluate.differ" if test.found else "evaluate.alike"
    lines = [say(verdict, rows=evaluation.rows, p=test.p_value), say("evaluate.per_thousand")]
    lines += [
        say(
            "evaluate.effects",
            offer=offer.offer,
            conversions=thousand(offer.conversion),
            spend=thousand(offer.spend),
            cost=thousand(offer.cost),
        )
        for offer in evaluation.offers
    ]
    lines += [
        say(
            "evaluate.quality",
            offer=offer.offer,
            qini=thousand(offer.qini),
            auuc=thousand(offer.auuc),
            slope=plain(offer.effect_slope),
            cost_slope=plain(offer.cost_slope),
            ratio=plain(offer.cost_ratio),
        )
        for offer in evaluation.offers
    ]
    # budgets that the summary names, of what the plan without one costs
    shown_shares = (0.1, 0.2, 0.5)
    lines += [
        say(
            "evaluate.plan",
            budget=1000 * plan.budget,
            gain=thousand(plan.model),
            promised=1000 * plan.promised,
            more=thousand(plan.difference),
        )
        for plan in evaluation.curve.points
        if plan.share in shown_shares
    ]
    return (*lines, say("evaluate.terms"))


def plain(found: Estimate | None) -> Message | None:
    """Return a number with its interval; None where there is none."""
    if found is None:
        return None
    return say("estimate.two", value=found.value, low=found.low, high=found.high)


def thousand(found: Estimate) -> Message:
    """Return a mean per user as one per 1,000 users, with its interval."""
    mean, low, high = (1000 * x for x in (found.value, found.low, found.high))
    return say("estimate.two", value=mean, low=low, high=high)
