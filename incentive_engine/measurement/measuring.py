"""Measures a campaign by its holdout, once it is over, and says where the difference lies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.data.trials.outcomes import Outcomes
from incentive_engine.domain import CONVERSION, COST, SPEND, BoolArray, FloatArray
from incentive_engine.language import Message, say
from incentive_engine.measurement.figures import Measurement, Promise
from incentive_engine.measurement.finished_campaign import FinishedCampaign
from incentive_engine.measurement.lessons import Split
from incentive_engine.report.pages.measurement import OfferOutcome
from incentive_engine.run.statements import StatedEstimate
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.holdout_effect import difference_from_holdout
from incentive_engine.stats.intervals import interval


def measured(campaign: FinishedCampaign) -> Measurement:
    """Return what a campaign brought, by the users that were held out of it."""
    choice, did = campaign.choice, campaign.did
    budget = campaign.run.certificate.budget
    offered, paid = campaign.given >= 0, campaign.paid
    conversions = _promise(campaign, CONVERSION, did.conversion)
    spend = None if did.spend is None else _promise(campaign, SPEND, did.spend)
    reached = _compared(campaign)
    return Measurement(
        run=campaign.run.name,
        currency=campaign.policy.currency,
        users=len(choice),
        held=int(campaign.held.sum()),
        named=int(did.named.sum()),
        came=None if campaign.served is None else int(campaign.served.came.sum()),
        compared=int((reached & ~campaign.held).sum()),
        by_rule=campaign.rule is not None,
        conversions=conversions,
        spend=spend,
        budget=budget.amount,
        basis=budget.basis,
        forecast=float(campaign.scores(COST, choice).sum()),
        redeemed=None if paid is None else float(paid[offered].sum()),
        offers=tuple(_offers(campaign)),
        split=_split(campaign, conversions),
        warnings=tuple(_warnings(campaign)),
    )


def _compared(campaign: FinishedCampaign) -> BoolArray:
    """Return who tells something: with prices that give the plan, those who get an offer by them.

    The others get nothing in either group, and only add noise.
    """
    if campaign.rule is None:
        return campaign.came
    return campaign.came & (campaign.rule >= 0)


def _promise(campaign: FinishedCampaign, measure: str, outcome: FloatArray) -> Promise:
    gain = campaign.run.evaluation.plan
    # how evaluation.json calls a plan's totals
    stated = (
        None
        if gain is None
        else getattr(gain, {CONVERSION: "conversions", SPEND: "spend"}[measure])
    )
    is_scored = measure in campaign.table.measures
    return Promise(
        scores=float(campaign.scores(measure, campaign.choice).sum()) if is_scored else None,
        trial=None if stated is None else _stated(stated),
        measured=_total(campaign, outcome, _compared(campaign)),
        plain=_total(campaign, outcome, _compared(campaign), adjusted=False),
    )


def _stated(total: StatedEstimate) -> Estimate:
    """Return a total of evaluation.json, whose interval is symmetric."""
    standard = interval(0.0, 1.0)
    error = (total.high - total.low) / (standard.high - standard.low)
    return interval(total.estimate, float(error))


def _total(
    campaign: FinishedCampaign, outcome: FloatArray, some: BoolArray, *, adjusted: bool = True
) -> Estimate | None:
    """Return the increment of all of some users that were not held out; None without a holdout.

    Parameters
    ----------
    adjusted
        Whether what the model's scores explain is taken off first.
    """
    if not campaign.held[some].any():
        return None
    difference = difference_from_holdout(
        outcome[some],
        held=campaign.held[some],
        stratum=campaign.stratum[some],
        covariates=campaign.covariates[some].astype(np.float64) if adjusted else None,
    )
    users = int((some & ~campaign.held).sum())
    if not np.isfinite(difference.standard_error):
        return None
    return interval(difference.value * users, difference.standard_error * users)


def _offers(campaign: FinishedCampaign) -> Iterator[OfferOutcome]:
    choice, did, rule, paid = campaign.choice, campaign.did, campaign.rule, campaign.paid
    scores, costs = (campaign.scores(name, choice) for name in (CONVERSION, COST))
    for place, offer in enumerate(campaign.table.offers):
        mine = choice == place
        yield OfferOutcome(
            offer=offer,
            planned=int(mine.sum()),
            arrived=_number_arrived(campaign, place),
            scores=float(scores[mine].sum()),
            measured=None
            if rule is None
            else _total(campaign, did.conversion, campaign.came & (rule == place)),
            forecast=float(costs[mine].sum()),
            redeemed=None if paid is None else float(paid[campaign.given == place].sum()),
        )


def _number_arrived(campaign: FinishedCampaign, place: int) -> int | None:
    """Return how many users an offer reached; None where that is not known."""
    if campaign.did.offer is not None:
        return int((_arrived(campaign) & (campaign.choice == place)).sum())
    return None if campaign.served is None else int((campaign.given == place).sum())


def _arrived(campaign: FinishedCampaign) -> BoolArray:
    """Return whose offer arrived as planned; of users without outcomes nothing else is known."""
    offer = campaign.did.offer
    if offer is None:
        return np.ones(len(campaign.choice), dtype=np.bool_)
    arrived: BoolArray = (offer == campaign.given) | (offer == Outcomes.NOT_KNOWN)
    return arrived


def _split(campaign: FinishedCampaign, conversions: Promise) -> Split | None:
    measured, scores, trial = conversions.measured, conversions.scores, conversions.trial
    if measured is None or scores is None:
        return None
    execution, redemption = _execution(campaign), _redemption(campaign)
    traffic, pacing = _traffic(campaign), _pacing(campaign)
    optimism = None if trial is None else trial.value - scores
    parts = (optimism, traffic, pacing, execution, redemption)
    explained = scores + sum(part for part in parts if part is not None)
    return Split(
        scores=scores,
        rules=_rules(campaign, scores),
        optimism=optimism,
        traffic=traffic,
        pacing=pacing,
        execution=execution,
        redemption=redemption,
        rest=interval(measured.value - explained, measured.standard_error),
        measured=measured.value,
    )


def _rules(campaign: FinishedCampaign, scores: float) -> float | None:
    """Return the plan's conversions beyond those of a plan for them within the budget alone."""
    policy = campaign.policy
    if policy.budget is None:
        return None
    objective = policy.objective.model_copy(update={"maximise": {CONVERSION: 1.0}, "weight": ()})
    alone = policy.model_copy(update={"limits": (), "objective": objective})
    plan = solve(build_problem(alone, campaign.table, campaign.held))
    return scores - float(campaign.scores(CONVERSION, plan.choice).sum())


def _execution(campaign: FinishedCampaign) -> float | None:
    offer = campaign.did.offer
    if offer is None:
        return None
    real = np.where(offer == Outcomes.NOT_KNOWN, campaign.given, offer).astype(np.int16)
    # what reached the holdout by mistake is none of the plan's offers
    real[campaign.held] = -1
    gained = campaign.scores(CONVERSION, real) - campaign.scores(CONVERSION, campaign.given)
    return float(gained.sum())


def _traffic(campaign: FinishedCampaign) -> float | None:
    """Return by how much the plan of those who came falls short of the plan, live."""
    if campaign.served is None:
        return None
    scores = campaign.scores(CONVERSION, campaign.choice)
    return -float(scores[~campaign.served.came].sum())


def _pacing(campaign: FinishedCampaign) -> float | None:
    """Return what live decisions add to, or lack of, the plan of those who came.

    Prices had moved, or the pool was empty, or the offer's time was over.
    """
    if campaign.served is None:
        return None
    came = campaign.served.came
    gained = campaign.scores(CONVERSION, campaign.given) - campaign.scores(
        CONVERSION, campaign.choice
    )
    return float(gained[came].sum())


def _redemption(campaign: FinishedCampaign) -> float | None:
    """Return the gain of offers that arrived, times how redemption departs from its forecast."""
    paid = campaign.paid
    if paid is None:
        return None
    given = campaign.given
    scores, costs = (campaign.scores(name, given) for name in (CONVERSION, COST))
    arrived = _arrived(campaign) & (given >= 0)
    changed = 0.0
    for place in range(len(campaign.table.offers)):
        mine = arrived & (given == place)
        forecast = float(costs[mine].sum())
        if forecast > 0:
            changed += (float(paid[mine].sum()) / forecast - 1) * float(scores[mine].sum())
    return changed


def _warnings(campaign: FinishedCampaign) -> Iterator[Message]:
    did, holdout = campaign.did, campaign.held
    if campaign.served is not None and (leaked := int((campaign.given[holdout] >= 0).sum())):
        yield say("campaign.held_got", users=leaked)
    if not holdout.any():
        yield say("campaign.no_holdout")
    if did.strangers:
        yield say("campaign.strangers", rows=did.strangers)
    if did.offer is not None and (count := int((did.offer[holdout] >= 0).sum())):
        yield say("campaign.held_got", users=count)
    if holdout.any():
        share, others = float(did.named[holdout].mean()), float(did.named[~holdout].mean())
        # the holdout may be named so much less often than the others before that is said
        unlike = 0.5
        if share < unlike * others:
            yield say("campaign.unlike", share=share, others=others)
    if campaign.rule is None and holdout.any():
        yield say("campaign.tied")
