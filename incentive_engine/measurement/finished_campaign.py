"""Measures a campaign by its holdout, once it is over, and says where the difference lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.allocation import build_problem, choices_at, solve
from incentive_engine.config import Policy
from incentive_engine.config.location import Location
from incentive_engine.data.holdout import strata_codes
from incentive_engine.data.outcomes import NOT_KNOWN, Outcomes, read_outcomes
from incentive_engine.data.row_checks import as_id
from incentive_engine.data.scores import ScoreTable, read_scores
from incentive_engine.data.sources import open_source, read_table
from incentive_engine.data.tables.arrow import as_numpy, equal, whole
from incentive_engine.data.tables.room import pick
from incentive_engine.domain import CONVERSION, COST, SPEND, BoolArray, FloatArray, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import Message, say
from incentive_engine.measurement.figures import Measurement, OfferOutcome, Promise, Split
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.run.format import StatedEstimate
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.holdout_effect import difference_from_holdout
from incentive_engine.stats.intervals import interval

ALIKE: Final = 0.98
"""Share of the plan's offers that its prices alone must give for a comparison by them."""
UNLIKE: Final = 0.5
"""The holdout may be named so much less often than the others before that is said."""
STATED: Final = {CONVERSION: "conversions", SPEND: "spend"}
"""How evaluation.json calls a plan's totals."""
Choice = npt.NDArray[np.int16]


@dataclass(frozen=True, kw_only=True, eq=False)
class Campaign:
    """A finished campaign of n users: what was planned, and what they did.

    Attributes
    ----------
    choice : (n,) int16
        The plan's offer, -1 for none.
    held : (n,) bool
        The holdout.
    stratum : (n,) int64
        What the holdout was drawn within.
    """

    policy: Policy
    run: FinishedRun
    table: ScoreTable
    choice: Choice
    held: BoolArray
    stratum: IntArray
    did: Outcomes

    def scores(self, measure: str, choice: Choice) -> FloatArray:
        """Return a measure of what a choice gives each user, (n,); 0 for none."""
        return np.nan_to_num(pick(self.table.measures[measure], choice).astype(np.float64))

    @cached_property
    def rule(self) -> Choice | None:
        """What the plan's prices alone give each user, the holdout too.

        None where that is not what the plan gave: where users are tied, offers went by lot.
        """
        limits = self.run.certificate.limits
        prices = {limit.name: limit.price for limit in limits if limit.price is not None}
        nobody = np.zeros(len(self.held), dtype=np.bool_)
        problem = build_problem(self.policy.without_exploring(), self.table, nobody)
        rule = choices_at(problem, prices)
        decided = ~self.held & ((rule >= 0) | (self.choice >= 0))
        alike = float((rule == self.choice)[decided].mean()) if decided.any() else 1.0
        return rule if alike >= ALIKE else None


def measured(campaign: Campaign) -> Measurement:
    """Return what a campaign brought, by the users that were held out of it."""
    choice, did = campaign.choice, campaign.did
    budget = campaign.run.certificate.budget
    offered = choice >= 0
    conversions = _promise(campaign, CONVERSION, did.conversion)
    spend = None if did.spend is None else _promise(campaign, SPEND, did.spend)
    reached = _compared(campaign)
    return Measurement(
        run=campaign.run.name,
        currency=campaign.policy.currency,
        users=len(choice),
        held=int(campaign.held.sum()),
        named=int(did.named.sum()),
        compared=int((reached & ~campaign.held).sum()),
        by_rule=campaign.rule is not None,
        conversions=conversions,
        spend=spend,
        budget=budget.amount,
        basis=budget.basis,
        forecast=float(campaign.scores(COST, choice).sum()),
        redeemed=None if did.cost is None else float(did.cost[offered].sum()),
        offers=tuple(_offers(campaign)),
        split=_split(campaign, conversions),
        warnings=tuple(_warnings(campaign)),
    )


def read_campaign(run_dir: Path, outcomes: Path | Location) -> Campaign:
    """Return a run and what its users did.

    Parameters
    ----------
    run_dir
        What `allocate` wrote.
    outcomes
        What users did; see `read_outcomes`.

    Raises
    ------
    DataError
        When the run or the outcomes cannot be read, or the outcomes leave the holdout out.
    """
    run = read_run(run_dir)
    policy = run.policy
    table = read_scores(run_dir / "scores.parquet", policy)
    file = run_dir / "allocation.parquet"
    plan = read_table(file, ["user_id", "offer_id", "reason"])
    if not as_id(plan.column("user_id")).equals(table.user_id):
        what = "has other users than scores.parquet, or in another order"
        raise DataError(Fault(str(file), what, remedy="run `incentive verify`"))
    place = pc.index_in(plan.column("offer_id"), value_set=pa.array(policy.offer_ids))
    source = open_source(outcomes, renames=policy.data.columns.outcomes)
    did = read_outcomes(source, table.user_id, policy.offer_ids)
    held = equal(plan.column("reason"), "holdout")
    if held.any() and not (did.named & held).any():
        what = f"names none of the {int(held.sum()):,} users that were held out"
        expected = "what they did, too: the campaign is measured against them"
        raise DataError(Fault(source.where, what, expected))
    return Campaign(
        policy=policy,
        run=run,
        table=table,
        choice=as_numpy(whole(pc.fill_null(place, -1))).astype(np.int16),
        held=held,
        stratum=strata_codes(table.attributes.select(policy.holdout_strata), table.n_users),
        did=did,
    )


def _compared(campaign: Campaign) -> BoolArray:
    """Return who tells something: with prices that give the plan, those who get an offer by them.

    The others get nothing in either group, and only add noise.
    """
    if campaign.rule is None:
        return np.ones(len(campaign.held), dtype=np.bool_)
    return campaign.rule >= 0


def _promise(campaign: Campaign, measure: str, outcome: FloatArray) -> Promise:
    gain = campaign.run.evaluation.plan
    stated = None if gain is None else getattr(gain, STATED[measure])
    known = measure in campaign.table.measures
    return Promise(
        scores=float(campaign.scores(measure, campaign.choice).sum()) if known else None,
        trial=None if stated is None else _stated(stated),
        measured=_total(campaign, outcome, _compared(campaign)),
    )


def _stated(total: StatedEstimate) -> Estimate:
    """Return a total of evaluation.json, whose interval is symmetric."""
    known = interval(0.0, 1.0)
    error = (total.high - total.low) / (known.high - known.low)
    return interval(total.estimate, float(error))


def _total(campaign: Campaign, outcome: FloatArray, some: BoolArray) -> Estimate | None:
    """Return the increment of all of some users that were not held out; None without a holdout."""
    if not campaign.held.any():
        return None
    found = difference_from_holdout(
        outcome[some], held=campaign.held[some], stratum=campaign.stratum[some]
    )
    users = int((some & ~campaign.held).sum())
    if not np.isfinite(found.standard_error):
        return None
    return interval(found.value * users, found.standard_error * users)


def _offers(campaign: Campaign) -> Iterator[OfferOutcome]:
    choice, did, rule = campaign.choice, campaign.did, campaign.rule
    scores, costs = (campaign.scores(name, choice) for name in (CONVERSION, COST))
    for place, offer in enumerate(campaign.table.offers):
        mine = choice == place
        yield OfferOutcome(
            offer=offer,
            planned=int(mine.sum()),
            arrived=None if did.offer is None else int(_arrived(campaign)[mine].sum()),
            scores=float(scores[mine].sum()),
            measured=None if rule is None else _total(campaign, did.conversion, rule == place),
            forecast=float(costs[mine].sum()),
            redeemed=None if did.cost is None else float(did.cost[mine].sum()),
        )


def _arrived(campaign: Campaign) -> BoolArray:
    """Return whose offer arrived as planned; of users without outcomes nothing else is known."""
    offer = campaign.did.offer
    if offer is None:
        return np.ones(len(campaign.choice), dtype=np.bool_)
    arrived: BoolArray = (offer == campaign.choice) | (offer == NOT_KNOWN)
    return arrived


def _split(campaign: Campaign, conversions: Promise) -> Split | None:
    measured, scores, trial = conversions.measured, conversions.scores, conversions.trial
    if measured is None or scores is None:
        return None
    execution, redemption = _execution(campaign), _redemption(campaign)
    optimism = None if trial is None else trial.value - scores
    known = scores + sum(part for part in (optimism, execution, redemption) if part is not None)
    return Split(
        scores=scores,
        rules=_rules(campaign, scores),
        optimism=optimism,
        execution=execution,
        redemption=redemption,
        rest=interval(measured.value - known, measured.standard_error),
        measured=measured.value,
    )


def _rules(campaign: Campaign, scores: float) -> float | None:
    """Return the plan's conversions beyond those of a plan for them within the budget alone."""
    policy = campaign.policy
    if policy.budget is None:
        return None
    objective = policy.objective.model_copy(update={"maximise": {CONVERSION: 1.0}, "weight": ()})
    alone = policy.model_copy(update={"limits": (), "objective": objective})
    plan = solve(build_problem(alone, campaign.table, campaign.held))
    return scores - float(campaign.scores(CONVERSION, plan.choice).sum())


def _execution(campaign: Campaign) -> float | None:
    offer = campaign.did.offer
    if offer is None:
        return None
    real = np.where(offer == NOT_KNOWN, campaign.choice, offer).astype(np.int16)
    real[campaign.held] = -1
    gained = campaign.scores(CONVERSION, real) - campaign.scores(CONVERSION, campaign.choice)
    return float(gained.sum())


def _redemption(campaign: Campaign) -> float | None:
    """Return the gain of offers that arrived, times how redemption departs from its forecast."""
    paid = campaign.did.cost
    if paid is None:
        return None
    scores, costs = (campaign.scores(name, campaign.choice) for name in (CONVERSION, COST))
    arrived = _arrived(campaign) & (campaign.choice >= 0)
    changed = 0.0
    for place in range(len(campaign.table.offers)):
        mine = arrived & (campaign.choice == place)
        forecast = float(costs[mine].sum())
        if forecast > 0:
            changed += (float(paid[mine].sum()) / forecast - 1) * float(scores[mine].sum())
    return changed


def _warnings(campaign: Campaign) -> Iterator[Message]:
    did, held = campaign.did, campaign.held
    if not held.any():
        yield say("campaign.no_holdout")
    if did.strangers:
        yield say("campaign.strangers", rows=did.strangers)
    if did.offer is not None and (count := int((did.offer[held] >= 0).sum())):
        yield say("campaign.held_got", users=count)
    if held.any():
        share, others = float(did.named[held].mean()), float(did.named[~held].mean())
        if share < UNLIKE * others:
            yield say("campaign.unlike", share=share, others=others)
    if campaign.rule is None and held.any():
        yield say("campaign.tied")
